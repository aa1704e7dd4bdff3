"""A run with two objectives, one of them measured, and a constraint: real models, a real database, the right front."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import commands
import keras
import pytest
from toys import Toy, epochs, rows, toy

from search.postgres import server

SPACE = """
study: STUDY
trainer: image
data: {source: digits}
objective: [{maximize: val_accuracy}, {minimize: parameters}]
constraints: {parameters: {max: 6000}, val_recall: {min: 0.3}}
budget: {trials: TRIALS, epochs: EPOCHS}
algorithm: {sampler: random, seed: 3}
space:
  learning_rate: {float: [1e-5, 3e-2], log: true}
  batch_size: 64
  layers:
    repeat: [1, 1]
    each: {filters: {int: [4, 100], log: true}}
"""
VALUES = """SELECT number, array_agg(value ORDER BY objective) FROM trials JOIN trial_values USING (trial_id)
            WHERE state = 'COMPLETE' GROUP BY number"""
TOLD = """SELECT number, value_json FROM trials JOIN trial_system_attributes USING (trial_id)
          WHERE key = 'constraints' ORDER BY number"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Toy]:
    with commands.project(tmp_path), toy(tmp_path, "front") as made:
        yield made


@pytest.mark.slow
def test_the_front_of_accuracy_and_parameters_is_that_of_the_trials_that_keep_the_constraints(project: Toy) -> None:
    project.write(trials=10, epochs=3, space=SPACE)
    done = project.run("--workers", "1", timeout=150)
    assert done.returncode == 0, done.stderr + project.logs()
    held = server.ensure(project.folder / ".search")
    try:
        values = {number: (accuracy, size) for number, (accuracy, size) in rows(held.url, VALUES)}
        missed = {number: json.loads(told) for number, told in rows(held.url, TOLD)}
        trained = {number for number, _ in epochs(held.url, "front")}
    finally:
        held.release()
    assert set(missed) == set(range(10)), "nothing is pruned with two objectives: all are told"
    assert trained == set(values), "what is too large is not trained"
    too_large = set(range(10)) - trained
    assert {number for number, told in missed.items() if told[0] > 0} == too_large
    keeping = {number: pair for number, pair in values.items() if max(missed[number]) <= 0}
    assert too_large, "the seed of this test should put trials on every side"
    assert len(keeping) < len(values), "the seed of this test should put trials on every side"
    front = [
        number
        for number, (accuracy, size) in sorted(keeping.items())
        if not any(a >= accuracy and s <= size and (a, s) != (accuracy, size) for a, s in keeping.values())
    ]
    assert 1 < len(front) < len(keeping), "the seed of this test should make a front"

    best = json.loads(commands.run(["best", "front", "--json"], project.folder).stdout)
    assert [one["number"] for one in best] == front
    for one in best:
        assert one["values"] == dict(zip(("val_accuracy", "parameters"), values[one["number"]], strict=True))
        assert keras.saving.load_model(one["model"]).count_params() == one["values"]["parameters"] <= 6000
    kept = Path(best[0]["model"]).parent.iterdir()
    assert sorted(path.name for path in kept) == sorted(f"{number}.keras" for number in front)
    status = json.loads(commands.run(["status", "front", "--json"], project.folder).stdout)
    assert status["infeasible"] == 10 - len(keeping)
    assert "parameters" in done.stdout
    assert "is above 6000" in done.stdout

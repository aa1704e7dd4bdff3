"""Every schedule follows its formula over all steps of a trial, and a trial trains with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fake_run import TABULAR, FakeRun, few_tumours

from trainers import find
from trainers.training import schedules
from trainers.training.optimizer import keras_object
from trainers.words.reading import read
from trainers.words.schedules import SCHEDULES
from trainers.words.training import OPTIONS

STEPS = 40
Formula = Callable[[int], float]


def rates(schedule: Any, steps: int = STEPS, **params: Any) -> Any:
    return schedules.values(read(OPTIONS, {"learning_rate": 0.5, "schedule": schedule, **params}), steps, 10)


def cosine(share: float, final: float = 0.0) -> float:
    """Half a cosine from 1 to `final`, at this share of the way."""
    return final + (1 - final) * (1 + math.cos(math.pi * share)) / 2


def restarted(step: int) -> float:
    """Three cycles of 40/7, 80/7 and 160/7 steps, each half as high as the one before, down to a tenth."""
    for cycle, (begins, ends) in enumerate(((0, 40 / 7), (40 / 7, 120 / 7), (120 / 7, 40))):
        if begins <= step < ends:
            return 0.1 + 0.9 * 0.5**cycle * cosine((step - begins) / (ends - begins))
    raise AssertionError


FORMULAS: dict[str, tuple[dict[str, Any], Formula]] = {
    "constant": ({}, lambda step: 1.0),
    "cosine": ({"final": 0.1}, lambda step: cosine(step / STEPS, 0.1)),
    "cosine_restarts": ({"restarts": 2, "t_mul": 2.0, "m_mul": 0.5, "final": 0.1}, restarted),
    "exponential": ({"decay": 0.04}, lambda step: 0.04 ** (step / STEPS)),
    "polynomial": ({"power": 2.0, "final": 0.2}, lambda step: 0.2 + 0.8 * (1 - step / STEPS) ** 2),
    "inverse_time": ({"rate": 3.0}, lambda step: 1 / (1 + 3 * step / STEPS)),
    "step": ({"drops": 3, "factor": 0.5}, lambda step: 0.5 ** (step // 10)),
    "piecewise": (
        {"boundaries": [0.25, 0.5], "shares": [1, 0.3, 0.1]},
        lambda step: 1.0 if step < 10 else 0.3 if step < 20 else 0.1,
    ),
    "one_cycle": (
        {"rising": 0.25, "start": 0.1, "final": 0.01},
        lambda step: 1.1 - cosine(step / 10, 0.1) if step < 10 else cosine((step - 10) / 30, 0.01),
    ),
    "reduce_on_plateau": ({}, lambda step: 1.0),
}


def test_every_schedule_has_its_formula_here() -> None:
    assert list(FORMULAS) == [word.name for word in SCHEDULES]


@pytest.mark.parametrize("name", FORMULAS)
def test_a_schedule_follows_its_formula_at_every_step(name: str) -> None:
    options, formula = FORMULAS[name]
    values = rates({name: options})
    assert values.dtype == np.float32
    assert values == pytest.approx([0.5 * formula(step) for step in range(STEPS)], rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("name", FORMULAS)
def test_the_values_are_those_of_keras_objects_of_the_named_class(name: str) -> None:
    options, _ = FORMULAS[name]
    words = read(OPTIONS, {"learning_rate": 0.5, "schedule": {name: options}})
    pieces = schedules.pieces(words, STEPS)
    single = [float(schedule(step)) for length, schedule in pieces for step in range(length)]
    assert rates({name: options}) == pytest.approx(single, rel=1e-6, abs=1e-7)
    target = next(word.target for word in SCHEDULES if word.name == name)
    if name != "reduce_on_plateau":
        assert {type(schedule) for _, schedule in pieces} == {keras_object(target)}


WARMED = [word.name for word in SCHEDULES if any(option.name == "warmup" for option in word.kind.options)]


@pytest.mark.parametrize("name", WARMED)
def test_a_warm_up_rises_in_a_line_and_the_rest_is_the_schedule_over_the_steps_that_are_left(name: str) -> None:
    options, _ = FORMULAS[name]
    values = rates({name: {**options, "warmup": 0.25}})
    assert values[:10] == pytest.approx([0.05 * step for step in range(10)], abs=1e-7)
    assert values[10:] == pytest.approx(rates({name: options}, steps=30), rel=1e-6)
    assert values[10] == 0.5


def test_a_warm_up_is_that_of_kerass_own_cosine() -> None:
    whole = keras.optimizers.schedules.CosineDecay(0.0, 30, 0.1, warmup_target=0.5, warmup_steps=10)
    values = rates({"cosine": {"warmup": 0.25, "final": 0.1}})
    assert values == pytest.approx([float(whole(step)) for step in range(STEPS)], rel=1e-6, abs=1e-7)


def test_by_epoch_each_epoch_has_the_rate_of_its_first_step() -> None:
    by_step, by_epoch = rates("cosine"), rates("cosine", schedule_by="epoch")
    assert by_epoch.tolist() == np.repeat(by_step[::10], 10).tolist()


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_schedule_has_a_rate_for_each_step_of_the_shortest_trials(name: str, steps: int) -> None:
    values = rates({name: FORMULAS[name][0]}, steps)
    assert values.shape == (steps,)
    assert np.isfinite(values).all()


def test_a_schedule_spans_the_whole_trial_and_is_reported(tmp_path: Path) -> None:
    run = FakeRun(few_tumours(), tmp_path, epochs=2)
    params = {"schedule": {"polynomial": {}}, "learning_rate": 0.1, "batch_size": 40, "layers": []}
    find.load(TABULAR, tmp_path)(params, run)
    # Three steps an epoch: the last step of each begins at 2/6 and 5/6 of the way.
    reported = [metrics["learning_rate"] for _, metrics in run.reports]
    assert reported == pytest.approx([0.1 * 4 / 6, 0.1 * 1 / 6], rel=1e-5)


@pytest.mark.parametrize("name", [word.name for word in SCHEDULES])
def test_a_trial_trains_with_the_rates_of_its_schedule(name: str, tmp_path: Path) -> None:
    run = FakeRun(few_tumours(), tmp_path, epochs=2)
    schedule = {name: FORMULAS[name][0]}
    params = {"schedule": schedule, "learning_rate": 0.1, "batch_size": 40, "layers": []}
    find.load(TABULAR, tmp_path)(params, run)
    last_of_each = schedules.values(read(OPTIONS, params), 6, 3)[[2, 5]]
    assert [metrics["learning_rate"] for _, metrics in run.reports] == pytest.approx(last_of_each, rel=1e-5)
    assert run.losses[1][0] < run.losses[0][0]


def test_a_plateau_lowers_the_learning_rate_of_a_trial(tmp_path: Path) -> None:
    run = FakeRun(few_tumours(), tmp_path, epochs=4)
    plateau = {"reduce_on_plateau": {"monitor": "loss", "patience": 1, "factor": 0.5, "min_delta": 1e9}}
    find.load(TABULAR, tmp_path)({"schedule": plateau, "learning_rate": 0.1, "batch_size": 60, "layers": []}, run)
    assert [metrics["learning_rate"] for _, metrics in run.reports] == pytest.approx([0.1, 0.1, 0.05, 0.025])

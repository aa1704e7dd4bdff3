from __future__ import annotations

from pathlib import Path

import pytest

from search import models, places
from spaces.reader import parse
from spaces.spec import StudySpec


def spec(objective: str) -> StudySpec:
    text = f"""
study: toy
trainer: train.py:train
objective: {objective}
budget: {{trials: 4}}
space: {{x: {{float: [0.0, 1.0]}}}}
"""
    return parse(text, "space.yaml", Path("/"))


TWO = "[{maximize: accuracy}, {minimize: size}]"


@pytest.mark.parametrize(
    ("objective", "values", "best", "expected"),
    [
        ("{maximize: accuracy}", [0.9], [], True),
        ("{maximize: accuracy}", [0.9], [[0.8]], True),
        ("{maximize: accuracy}", [0.8], [[0.8]], False),
        ("{maximize: accuracy}", [0.7], [[0.8]], False),
        ("{minimize: loss}", [0.7], [[0.8]], True),
        (TWO, [0.9, 5.0], [[0.8, 4.0]], True),
        (TWO, [0.9, 5.0], [[0.8, 4.0], [0.95, 5.0]], False),
    ],
)
def test_a_model_is_worth_keeping_unless_another_is_at_least_as_good_in_everything(
    objective: str, values: list[float], best: list[list[float]], expected: bool
) -> None:
    assert models.worth_keeping(spec(objective), values, best) is expected


def test_a_model_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    def broken(path: Path) -> None:
        path.write_text("half")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        models.save(tmp_path, "toy", 3, broken)
    assert list(places.models(tmp_path, "toy").iterdir()) == []
    written = models.save(tmp_path, "toy", 3, lambda path: path.write_text("whole"))
    assert written == places.model(tmp_path, "toy", 3)
    assert written.read_text() == "whole"


def test_surpassed_models_go_and_those_that_may_become_the_best_stay(tmp_path: Path) -> None:
    for number in range(5):
        models.save(tmp_path, "toy", number, lambda path: path.write_text("model"))
    (places.models(tmp_path, "toy") / "notes.txt").touch()
    models.keep_only(tmp_path, "toy", [1], newer_than=3)
    assert sorted(path.name for path in places.models(tmp_path, "toy").iterdir()) == [
        "1.keras", "3.keras", "4.keras", "notes.txt"
    ]  # fmt: skip


@pytest.mark.parametrize("study", ["../../etc", "..", "a/b", "ä ö", "x" * 400])
def test_no_studys_name_leads_out_of_the_state_folder(tmp_path: Path, study: str) -> None:
    folder = places.models(tmp_path, study)
    assert folder.resolve().parent == (tmp_path / "models").resolve()
    folder.mkdir(parents=True)

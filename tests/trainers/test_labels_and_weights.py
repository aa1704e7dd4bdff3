"""Trials on several labels at once, and on examples that don't count alike, from the file to the saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from fake_run import NOWHERE, TABULAR, FakeRun, few_tumours

from spaces.reader import parse
from spaces.spec import DataSpec
from trainers import find
from trainers.data import Data, DataError, load
from trainers.training.example_weights import check_classes
from trainers.words.agreement import check_agreement
from trainers.words.metrics import Task

ROWS = 240
RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(ROWS, 2)).astype(np.float32)
PARAMS = {"layers": [], "batch_size": 16, "learning_rate": 0.1}
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "csv": ("csv", {}),
    "csv, streamed": ("csv", {"stream": True}),
    "parquet": ("parquet", {}),
    "parquet, streamed": ("parquet", {"stream": True}),
}


def read(folder: Path, table: pd.DataFrame, kind: str, **options: Any) -> Data:
    if kind == "csv":
        table.to_csv(folder / "t.csv", index=False)
    else:
        pytest.importorskip("pyarrow")
        table.to_parquet(folder / "t.parquet")
    return load(DataSpec(kind, f"t.{kind}", NOWHERE, 0.25, options), folder, 3)  # type: ignore[arg-type]


def trained(data: Data, folder: Path) -> FakeRun:
    run = FakeRun(data, folder, epochs=6)
    find.load(TABULAR, folder)(PARAMS, run)
    return run


@pytest.mark.parametrize(("kind", "options"), WAYS.values(), ids=WAYS)
def test_several_labels_are_each_learned(kind: str, options: Any, tmp_path: Path) -> None:
    table = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "left": (X[:, 0] < 0) * 1, "low": (X[:, 1] < 0) * 1})
    run = trained(read(tmp_path, table, kind, label=["left", "low"], **options), tmp_path)
    assert run.reports[-1][1]["val_accuracy"] > 0.9
    saved = keras.saving.load_model(run.kept[0])
    answers = np.asarray(saved(np.array([[-2, -2], [2, -2], [-2, 2], [2, 2]], np.float32)))
    np.testing.assert_array_equal(answers > 0, [[True, True], [False, True], [True, False], [False, False]])


@pytest.mark.parametrize(("kind", "options"), WAYS.values(), ids=WAYS)
def test_examples_without_weight_teach_nothing(kind: str, options: Any, tmp_path: Path) -> None:
    wrong = np.arange(ROWS) % 3 > 0  # most labels are lies, of which the weights tell
    label = np.where((X[:, 0] < 0) ^ wrong, "left", "right")
    table = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "side": label, "weight": np.where(wrong, 0.0, 2.0)})
    believed = trained(read(tmp_path, table, kind, label="side", weights="weight", **options), tmp_path)
    saved = keras.saving.load_model(believed.kept[0])
    assert np.asarray(saved(np.array([[-2, 0], [2, 0]], np.float32))).argmax(axis=1).tolist() == [0, 1]
    (tmp_path / "all").mkdir()
    misled = trained(read(tmp_path, table, kind, label="side", ignore=["weight"], **options), tmp_path / "all")
    saved = keras.saving.load_model(misled.kept[0])
    assert np.asarray(saved(np.array([[-2, 0], [2, 0]], np.float32))).argmax(axis=1).tolist() == [1, 0]


FILE = """
trainer: tabular
data: {source: breast_cancer}
objective: {minimize: val_loss}
budget: {trials: 1}
space: {class_weight: {WORD: {float: [1, 5]}}}
"""


def test_a_class_that_is_none_is_told_before_a_trial_is_spent() -> None:
    check_classes(parse(FILE.replace("WORD", "benign"), "s.yaml", Path()).space, few_tumours())
    with pytest.raises(DataError, match="class_weight: 'bening' is not a class; did you mean 'benign'"):
        check_classes(parse(FILE.replace("WORD", "bening"), "s.yaml", Path()).space, few_tumours())
    switched = FILE.replace("{WORD: {float: [1, 5]}}", "{optional: {bening: 2}}")
    with pytest.raises(DataError, match="class_weight: 'bening' is not a class"):
        check_classes(parse(switched, "s.yaml", Path()).space, few_tumours())


@pytest.mark.parametrize(("task", "wrong"), [("multi_label", 1), ("regression", 2), ("classification", 0)])
def test_words_of_classes_are_told_where_there_are_none(task: Task, wrong: int) -> None:
    text = FILE.replace("{class_weight: {WORD: {float: [1, 5]}}}", "{class_weight: balanced, label_smoothing: 0.1}")
    problems = check_agreement(parse(text, "s.yaml", Path()).space, task)
    assert [problem.message for problem in problems] == [
        f"space: '{name}' is not for {task}" for name in ("label_smoothing", "class_weight")[2 - wrong :]
    ]


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("loss: {choice: [crossentropy, hinge]}, label_smoothing: {optional: {float: [0.05, 0.2]}}", ["hinge"]),
        ("loss: {choice: {focal: {}, cosine_similarity: {}}}, label_smoothing: 0.1", ["cosine_similarity"]),
        ("loss: hinge, label_smoothing: 0", []),
        ("loss: focal, label_smoothing: 0.1", []),
        ("loss: {choice: [crossentropy, hinge]}", []),
        ("label_smoothing: 0.1", []),
    ],
)
def test_a_loss_that_knows_no_label_smoothing_is_told_beside_it(words: str, wrong: list[str]) -> None:
    text = FILE.replace("class_weight: {WORD: {float: [1, 5]}}", words)
    problems = check_agreement(parse(text, "s.yaml", Path()).space, "classification")
    assert [problem.message for problem in problems] == [
        f"space.loss: '{name}' beside label_smoothing" for name in wrong
    ]

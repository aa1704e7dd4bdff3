"""What every trainer does, built in or the user's own."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_run import (
    IMAGE,
    NOWHERE,
    SEQUENCE,
    TABULAR,
    TEXT,
    FakeRun,
    few_digits,
    few_patients,
    few_rows,
    few_texts,
    few_tumours,
)

from spaces.spec import TrainerSpec
from trainers import find
from trainers.contract import TrialOver
from trainers.data import Data

OWN_BUILD = """
import keras

def build(params, data):
    layers = keras.layers
    return keras.Sequential([
        keras.Input(data.input_shape),
        layers.Rescaling(1 / data.maximum),
        layers.Flatten(),
        layers.Dense(params["units"], activation="relu"),
        layers.Dropout(params.get("dropout", 0.2)),
        layers.Dense(data.classes, activation="softmax"),
    ])
"""

OWN_TRAIN = """
import keras

def train(params, run):
    keras.utils.set_random_seed(run.seed)
    data = run.data
    model = keras.Sequential([
        keras.Input(data.input_shape), keras.layers.Flatten(), keras.layers.Dense(data.classes, activation="softmax")
    ])
    optimizer = keras.optimizers.Adam(params["learning_rate"])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    held = (data.x_validation, data.y_validation)
    for epoch in range(1, run.epochs + 1):
        history = model.fit(data.x_train, data.y_train, validation_data=held, verbose=0)
        metrics = {name: values[-1] for name, values in history.history.items()}
        run.report(epoch, **metrics)
    run.keep(model.save)
    return metrics
"""


@dataclass(frozen=True)
class Case:
    trainer: TrainerSpec
    params: dict[str, Any]
    data: Callable[[], Data]


CASES = {
    "image": Case(
        IMAGE,
        {
            "optimizer": {"adam": {"beta_1": 0.8}},
            "schedule": {"cosine": {"warmup": 0.1}},
            "learning_rate": 0.01,
            "augment": {"flip": "horizontal", "rotation": 0.1, "zoom": 0.1, "translation": 0.1},
            "layers": [{"filters": 4, "dropout": 0.3, "batch_norm": True}],
            "dense": [{"units": 8, "dropout": 0.2}],
        },
        few_digits,
    ),
    "tabular": Case(TABULAR, {"layers": [{"units": 8, "dropout": 0.2}], "weight_decay": 0.01}, few_tumours),
    "tabular, regression": Case(TABULAR, {"learning_rate": 0.01, "optimizer": "rmsprop"}, few_patients),
    "sequence": Case(
        SEQUENCE,
        {
            "positions": "learned",
            "learning_rate": 0.01,
            "layers": [{"transformer": {"heads": 2, "dropout": 0.1}}, {"units": 8, "bidirectional": True}],
        },
        few_rows,
    ),
    "text": Case(
        TEXT,
        {
            "vocabulary": 300,
            "length": 20,
            "learning_rate": 0.01,
            "embedding": {"size": 8, "dropout": 0.1},
            "layers": [{"filters": 8}, {"residual": {"filters": 8}}],
        },
        few_texts,
    ),
    "own build": Case(TrainerSpec("model", "net.py:build", NOWHERE), {"units": 8, "batch_size": 50}, few_digits),
    "own train": Case(TrainerSpec("loop", "loop.py:train", NOWHERE), {"learning_rate": 0.01}, few_digits),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "net.py").write_text(OWN_BUILD)
    (folder / "loop.py").write_text(OWN_TRAIN)
    return folder


@pytest.fixture(scope="module")
def finished(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], FakeRun]:
    @cache
    def run(name: str) -> FakeRun:
        case = CASES[name]
        run = FakeRun(case.data(), tmp_path_factory.mktemp("undisturbed"))
        run.result = find.load(case.trainer, folder)(case.params, run)
        return run

    return run


@pytest.fixture(params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def case(name: str) -> Case:
    return CASES[name]


@pytest.fixture
def undisturbed(name: str, finished: Callable[[str], FakeRun]) -> FakeRun:
    return finished(name)


def test_every_epoch_is_reported_once_and_in_order(undisturbed: FakeRun) -> None:
    assert [epoch for epoch, _ in undisturbed.reports] == [1, 2, 3]


def test_every_metric_is_a_finite_float(undisturbed: FakeRun) -> None:
    for _, metrics in undisturbed.reports:
        assert {"loss", "val_loss"} <= set(metrics)
        assert all(type(value) is float and math.isfinite(value) for value in metrics.values())


def test_the_result_is_the_last_report(undisturbed: FakeRun) -> None:
    assert undisturbed.result == undisturbed.reports[-1][1]


def test_the_model_is_handed_over_once(undisturbed: FakeRun) -> None:
    assert len(undisturbed.kept) == 1


def test_training_lowers_the_loss(undisturbed: FakeRun) -> None:
    assert undisturbed.losses[-1][0] < undisturbed.losses[0][0]


def test_a_trial_that_is_over_ends_there_and_a_resumed_one_ends_like_an_undisturbed_one(
    case: Case, folder: Path, undisturbed: FakeRun, tmp_path: Path
) -> None:
    train = find.load(case.trainer, folder)
    stopped = FakeRun(case.data(), tmp_path, over_at=2)
    with pytest.raises(TrialOver):
        train(case.params, stopped)
    assert [epoch for epoch, _ in stopped.reports] == [1, 2]
    assert stopped.kept == []

    resumed = FakeRun(case.data(), tmp_path)
    train(case.params, resumed)
    if case.trainer.kind != "loop":  # a user's loop keeps its own checkpoints, or starts over
        assert [epoch for epoch, _ in resumed.reports] == [2, 3]
        assert resumed.reports[0] == stopped.reports[1]
    assert resumed.losses[-1] == pytest.approx(undisturbed.losses[-1], rel=1e-6)


READ_BACK = """
import json, sys
import keras, numpy as np
scores = []
for model_path, data_path in zip(sys.argv[1::2], sys.argv[2::2]):
    model, data = keras.saving.load_model(model_path), np.load(data_path)
    x = data["x"].astype(object) if data["x"].dtype.kind == "U" else data["x"]
    outputs = model.predict(x, verbose=0)
    right = outputs.argmax(axis=1) == data["y"] if outputs.shape[1] > 1 else np.abs(outputs[:, 0] - data["y"])
    scores.append(float(right.mean()))
assert not [name for name in sys.modules if name.split(".")[0] in ("trainers", "spaces", "search")]
print(json.dumps(scores))
"""


def raw_examples(data: Data) -> Any:
    """Validation examples as a user has them."""
    if data.vocabulary is None:
        return data.x_validation
    words = ["", "nowhereelse", *data.vocabulary]
    return np.array([" ".join(words[number] for number in text) for text in data.x_validation])


def test_a_saved_model_alone_gives_the_recorded_score_on_raw_examples(
    finished: Callable[[str], FakeRun], tmp_path: Path
) -> None:
    arguments, recorded = [], []
    for number, run in enumerate(map(finished, CASES)):
        examples = tmp_path / f"{number}.npz"
        np.savez(examples, x=raw_examples(run.data), y=run.data.y_validation)
        arguments += [str(run.kept[0]), str(examples)]
        recorded.append(run.reports[-1][1]["val_mae" if run.data.task == "regression" else "val_accuracy"])
    command = [sys.executable, "-c", READ_BACK, *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == pytest.approx(recorded, rel=1e-4)

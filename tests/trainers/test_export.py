"""A saved model takes raw values, in a process that knows Keras alone, and gives what was recorded in training."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from fake_run import NOWHERE, FakeRun

from spaces.spec import TrainerSpec
from trainers import find
from trainers.data import Data
from trainers.data.data import Raw
from trainers.data.loading import prepared

RANDOM = np.random.default_rng(3)
ROWS, HELD = 60, 25
Y = np.arange(ROWS + HELD) % 2


def split(x: Any, **options: Any) -> Data:
    train, held = (x[:ROWS], x[ROWS:]) if not isinstance(x, pd.DataFrame) else (x.iloc[:ROWS], x.iloc[ROWS:])
    return prepared(Raw(train, Y[:ROWS], held, Y[ROWS:], **options), 0.2, 0, missing=True)


NUMBERS = RANDOM.normal(5, 3, (ROWS + HELD, 3)).astype(np.float32)
NUMBERS[RANDOM.random(NUMBERS.shape) < 0.1] = np.nan
PIXELS = RANDOM.integers(0, 256, (ROWS + HELD, 9, 8, 1)).astype(np.uint8)
CITIES = np.array(["Rome", "Oslo", "", "Bern"], object)[RANDOM.integers(0, 4, ROWS + HELD)]
CITIES[ROWS + 1] = "Atlantis"
MIXED = pd.DataFrame({"a/b": NUMBERS[:, 0], "city of birth": CITIES, "c": NUMBERS[:, 1]})
MIXED["city of birth"] = MIXED["city of birth"].where(CITIES != "", None)
SEQUENCES = [RANDOM.normal(2, 1, (RANDOM.integers(1, 8), 2)) for _ in range(ROWS + HELD)]
TEXTS = np.array(
    [" ".join(RANDOM.choice(["good", "bad", "Film!", "a", "ätsch"], RANDOM.integers(1, 9))) for _ in Y], object
)

CASES: dict[str, tuple[str, dict[str, Any], Any, dict[str, Any]]] = {
    "image": ("image", {"preprocessing": {"resize": 8, "crop": 6, "scale": "standardize"}}, PIXELS, {}),
    "numbers": (
        "tabular",
        {"preprocessing": {"missing": "median", "missing_indicator": True, "clip": "quantiles", "log": True}},
        NUMBERS,
        {},
    ),
    "categories": ("tabular", {"preprocessing": {"missing": "mean", "scale": "min_max"}}, MIXED, {}),
    "embedded": ("tabular", {"preprocessing": {"missing": "most_frequent", "categories": "embedding"}}, MIXED, {}),
    "half precision": (
        "tabular",
        {"preprocessing": {"missing": "constant"}, "precision": "mixed_bfloat16"},
        MIXED,
        {},
    ),
    "sequences": ("sequence", {"layers": [{"units": 3}]}, SEQUENCES, {"length": 5}),
    "sequences, last steps": ("sequence", {"layers": [{"units": 3}]}, SEQUENCES, {"length": 5, "padding": "pre"}),
    "texts": ("text", {"embedding": {"size": 4}, "length": 4, "vocabulary": 3}, TEXTS, {"length": 6}),
}

READ_BACK = """
import json, pickle, sys
import keras, numpy as np, tensorflow as tf
answers = []
for number in range(int(sys.argv[1])):
    model = keras.saving.load_model(f"{number}.keras")
    with open(f"{number}.pickle", "rb") as file:
        x = pickle.load(file)
    if isinstance(x, dict):
        x = {name: tf.constant(column) for name, column in x.items()}
        assert {name: tuple(tensor.shape) for name, tensor in model.input.items()} == dict.fromkeys(x, (None, 1))
    parts = [part[None] for part in x] if isinstance(x, list) else [tf.constant(x)] if not isinstance(x, dict) else [x]
    answers.append(np.concatenate([model.predict(part, verbose=0) for part in parts]).tolist())
assert not [name for name in sys.modules if name.split(".")[0] in ("trainers", "spaces", "search")]
print(json.dumps(answers))
"""


def raw(x: Any) -> Any:
    """The validation part as somebody would have it who knows the file alone."""
    if isinstance(x, pd.DataFrame):
        held = x.iloc[ROWS:]
        return {
            "a_b": held["a/b"].to_numpy()[:, None],
            "city of birth": held["city of birth"].fillna("").to_numpy(dtype=str)[:, None],
            "c": held["c"].to_numpy()[:, None],
        }
    return [part.astype(np.float32) for part in x[ROWS:]] if isinstance(x, list) else x[ROWS:]


def test_saved_models_give_the_recorded_score_on_raw_values(tmp_path: Path) -> None:
    recorded = []
    for number, (trainer, params, x, options) in enumerate(CASES.values()):
        data = split(x, **options)
        run = FakeRun(data, tmp_path / str(number), epochs=1)
        run.folder.mkdir()
        find.load(TrainerSpec("builtin", trainer, NOWHERE), tmp_path)({"learning_rate": 0.01, **params}, run)
        run.kept[0].rename(tmp_path / f"{number}.keras")
        pd.to_pickle(raw(x), tmp_path / f"{number}.pickle")
        recorded.append(run.reports[-1][1]["val_loss"])
    command = [sys.executable, "-c", READ_BACK, str(len(CASES))]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    given = [float(loss(Y[ROWS:], np.array(logits))) for logits in json.loads(done.stdout.splitlines()[-1])]
    assert dict(zip(CASES, given, strict=True)) == pytest.approx(dict(zip(CASES, recorded, strict=True)), rel=1e-4)

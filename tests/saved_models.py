"""Is a saved model worth what was recorded, for somebody who has raw values and knows Keras alone?"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
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

ROWS, HELD = 60, 25
Y = np.arange(ROWS + HELD) % 2

Case = tuple[str, dict[str, Any], Any, dict[str, Any]]
"""A trainer, its parameters, the examples, and what else is known of them."""

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


def split(x: Any, **options: Any) -> Data:
    train, held = (x[:ROWS], x[ROWS:]) if not isinstance(x, pd.DataFrame) else (x.iloc[:ROWS], x.iloc[ROWS:])
    return prepared(Raw(train, Y[:ROWS], held, Y[ROWS:], **options), 0.2, 0, missing=True)


def raw(x: Any) -> Any:
    """The validation part as somebody would have it who knows the file alone."""
    if isinstance(x, pd.DataFrame):
        held = x.iloc[ROWS:]
        return {
            "a_b_": held["a/b"].to_numpy()[:, None],
            "city of birth": held["city of birth"].fillna("").to_numpy(dtype=str)[:, None],
            "a_b": held["a_b"].to_numpy()[:, None],
        }
    return [part.astype(np.float32) for part in x[ROWS:]] if isinstance(x, list) else x[ROWS:]


def check_saved_models(cases: Mapping[str, Case], folder: Path) -> None:
    """Train each case, and ask all its saved models in one other process."""
    recorded = []
    for number, (trainer, params, x, options) in enumerate(cases.values()):
        data = split(x, **options)
        run = FakeRun(data, folder / str(number), epochs=1)
        run.folder.mkdir()
        find.load(TrainerSpec("builtin", trainer, NOWHERE), folder)({"learning_rate": 0.01, **params}, run)
        run.kept[0].rename(folder / f"{number}.keras")
        pd.to_pickle(raw(x), folder / f"{number}.pickle")
        recorded.append(run.reports[-1][1]["val_loss"])
    command = [sys.executable, "-c", READ_BACK, str(len(cases))]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    given = [float(loss(Y[ROWS:], np.array(logits))) for logits in json.loads(done.stdout.splitlines()[-1])]
    assert dict(zip(cases, given, strict=True)) == pytest.approx(dict(zip(cases, recorded, strict=True)), rel=1e-4)

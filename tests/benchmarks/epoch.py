"""One epoch of ours beside one of `model.fit`, on the same model and data, validation included.

    python tests/benchmarks/epoch.py [--rounds 5]

`digits` and 10,000 images of three sizes stay on the device; `streamed` is the same images by the path for data that
doesn't fit, against `fit` on the arrays in memory. What we save is what lies between the steps, so that it is a smaller
share where a step takes longer. The sides take turns; the ratio is that of the medians, and its range that of the
rounds. The first epoch of either side, which compiles, isn't counted.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from trainers import image, runtime
from trainers.data import Data
from trainers.data.data import Raw
from trainers.data.loading import prepared
from trainers.data.sources import read_set
from trainers.training.programs import Program
from trainers.training.ready import compiled, parts_of
from trainers.words.reading import read
from trainers.words.training import OPTIONS

BATCH = 64
PARAMETERS = {"layers": [{"filters": 16}, {"filters": 32}], "dense": [{"units": 32}], "batch_size": BATCH}


def digits() -> Data:
    """Return scikit-learn's handwritten digits, a fifth of them for validation."""
    return prepared(read_set("digits"), 0.2, 7)


def images(side: int, channels: int) -> Data:
    """Return 10,000 images of noise to train on and 1,000 to validate on: what they show costs no time."""
    random = np.random.default_rng(7)
    x = random.integers(0, 256, (11_000, side, side, channels), dtype=np.uint8)
    return prepared(Raw(x, random.integers(0, 10, 11_000)), 1 / 11, 7)


def program(data: Data, streamed: bool) -> Program:
    """Return our way of training the model."""
    words = read(OPTIONS, PARAMETERS)
    made = parts_of(image.build, PARAMETERS, words, data, 7, streamed)
    found = compiled(made, words, data, ("val_accuracy",), False, streamed)
    found.epochs.begin(BATCH, 7)
    return found


def ours(data: Data, streamed: bool) -> Callable[[int], Any]:
    """Return a function that trains and validates one epoch as a trial does."""
    epochs = program(data, streamed).epochs
    rates = np.full(epochs.steps, 1e-3, np.float32)
    return lambda epoch: (epochs.train(epoch, rates), epochs.validate())


def theirs(data: Data) -> Callable[[int], Any]:
    """Return a function that does so with `model.fit`."""
    model = image.build(PARAMETERS, data)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    held = (data.x_validation, data.y_validation)
    return lambda epoch: model.fit(data.x_train, data.y_train, BATCH, 1, verbose=0, validation_data=held)


def measure(name: str, data: Data, streamed: bool, rounds: int) -> None:
    """Print the seconds of both sides, and how many times faster ours is."""
    sides = {"fit": theirs(data), "ours": ours(data, streamed)}
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for epoch in range(1, rounds + 2):
        for side, train in sides.items():
            start = time.perf_counter()
            train(epoch)
            seconds[side].append(time.perf_counter() - start)
    kept = {side: values[1:] for side, values in seconds.items()}
    ratios = [fit / mine for fit, mine in zip(kept["fit"], kept["ours"], strict=True)]
    fit, mine = (statistics.median(kept[side]) for side in ("fit", "ours"))
    print(
        f"{name:10s} fit {fit:6.3f} s  ours {mine:6.3f} s  {fit / mine:.2f} times faster "
        f"({min(ratios):.2f}-{max(ratios):.2f})",
        flush=True,
    )


def main() -> None:
    """Measure digits and each size of images."""
    runtime.prepare(threads=1)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    measure("digits", digits(), False, rounds)
    for side, channels in ((8, 1), (28, 1), (32, 3)):
        many = images(side, channels)
        measure(f"{side}x{side}x{channels}", many, False, rounds)
        measure("  streamed", many, True, rounds)


if __name__ == "__main__":
    main()

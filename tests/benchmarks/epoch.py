"""One epoch of ours beside one of `model.fit`, on the same model and data, validation included.

    python tests/benchmarks/epoch.py [--rounds 5]

`digits` and 10,000 images of three sizes stay on the device; `streamed` is the same images by the path for data that
doesn't fit, against `fit` on the arrays in memory. What we save is what lies between the steps, so that it is a smaller
share where a step takes longer. The sides take turns; the ratio is that of the medians, and its range that of the
rounds. The first epoch of either side, which compiles, isn't counted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from trainers import runtime

if "--plain" not in sys.argv:
    runtime.prepare(threads=1)

import keras
import numpy as np

from trainers import image
from trainers.data import Data
from trainers.data.data import Raw
from trainers.data.loading import prepared
from trainers.data.sources import read_set
from trainers.training.ready import compiled, parts_of, programmed
from trainers.words.reading import read
from trainers.words.training import OPTIONS

BATCH = 64
OURS = ("TF_ENABLE_ONEDNN_OPTS", "TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE")  # settings that `prepare` makes
PARAMETERS = {"layers": [{"filters": 16}, {"filters": 32}], "dense": [{"units": 32}], "batch_size": BATCH}


def digits() -> Data:
    """Return scikit-learn's handwritten digits, a fifth of them for validation."""
    return prepared(read_set("digits"), 0.2, 7)


def images(side: int, channels: int) -> Data:
    """Return 10,000 images of noise to train on and 1,000 to validate on: what they show costs no time."""
    random = np.random.default_rng(7)
    x = random.integers(0, 256, (11_000, side, side, channels), dtype=np.uint8)
    return prepared(Raw(x, random.integers(0, 10, 11_000)), 1 / 11, 7)


def data_of(name: str) -> Data:
    """Return `digits`, or the images of `SIDExSIDExCHANNELS`."""
    return digits() if name == "digits" else images(int(name.split("x")[0]), int(name.split("x")[2]))


def ours(data: Data, streamed: bool) -> Callable[[int], Any]:
    """Return a function that trains and validates one epoch as a trial does."""
    words = read(OPTIONS, PARAMETERS)
    trial = compiled(parts_of(image.build, PARAMETERS, words, data, 7), words, data, ("val_accuracy",))
    epochs = programmed(trial, words, data, False, streamed).epochs
    epochs.begin(BATCH, 7)
    rates = np.full(epochs.steps, 1e-3, np.float32)
    return lambda epoch: (epochs.train(epoch, rates), epochs.validate())


def theirs(data: Data) -> Callable[[int], Any]:
    """Return a function that does so with `model.fit`."""
    model = image.build(PARAMETERS, data)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    held = (data.x_validation, data.y_validation)
    return lambda epoch: model.fit(data.x_train, data.y_train, BATCH, 1, verbose=0, validation_data=held)


def serve(name: str) -> None:
    """Be the process of plain `fit`: for each line of the standard input, train an epoch and print its seconds."""
    train = theirs(data_of(name))
    for number, _ in enumerate(sys.stdin):
        print(timed(train, number), flush=True)


@contextmanager
def plain(name: str) -> Iterator[Callable[[int], float]]:
    """Give a function that trains an epoch in a process which leaves TensorFlow as it starts by itself."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
    environment = {name: value for name, value in os.environ.items() if name not in OURS} | threads
    command = [sys.executable, __file__, "--plain", name]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        asked, told = process.stdin, process.stdout
        assert asked is not None
        assert told is not None

        def train(epoch: int) -> float:
            asked.write("\n")
            asked.flush()
            return float(told.readline())

        yield train
        asked.close()


def timed(train: Callable[[int], Any], epoch: int) -> float:
    """Return the seconds that an epoch took."""
    start = time.perf_counter()
    train(epoch)
    return time.perf_counter() - start


def measure(name: str, rounds: int) -> None:
    """Print the seconds of all sides on one data set, and how many times faster ours is."""
    data = data_of(name)
    with plain(name) as fit:
        paths = {"ours": ours(data, False)} | ({} if name == "digits" else {"streamed": ours(data, True)})
        sides = {"fit": fit} | {
            side: partial(timed, train) for side, train in {"with our settings": theirs(data), **paths}.items()
        }
        seconds = [{side: train(epoch) for side, train in sides.items()} for epoch in range(1, rounds + 2)][1:]
    medians = {side: statistics.median(times[side] for times in seconds) for side in sides}
    print(name, *(f"{side} {median:.3f} s" for side, median in medians.items()), sep="  ")
    for side in paths:
        told = []
        for other in ("fit", "with our settings"):
            ratios = [times[other] / times[side] for times in seconds]
            told.append(f"{medians[other] / medians[side]:.2f} times as fast ({min(ratios):.2f}-{max(ratios):.2f})")
        print(f"  {side:8s} {told[0]}; with our settings {told[1]}", flush=True)


def main() -> None:
    """Measure digits and each size of images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--plain", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.plain:
        serve(arguments.plain)
        return
    for name in ("digits", "8x8x1", "28x28x1", "32x32x3"):
        measure(name, arguments.rounds)


if __name__ == "__main__":
    main()

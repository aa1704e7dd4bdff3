"""From a worker's claim to its trial's first step: for a structure that is new to the worker, and for one it knows.

    python tests/benchmarks/reuse.py [--trials 20]

One worker on the embedded PostgreSQL, in this process, with the built-in `image` trainer and with a model function of a
user's own. The claim counts, and so does everything else up to the moment in which the compiled epoch is called.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from search.postgres import server
from search.shutdown import Shutdown
from search.study.claim import Claims
from search.study.storage import open_storage
from search.study.study import open_study
from search.worker import Worker
from spaces.reader import parse
from trainers import runtime
from trainers.training.loop import CompiledEpochs

HEAD = """
study: {study}
{trainer}
data: {{source: digits, validation: 0.2}}
objective: {{maximize: val_accuracy}}
budget: {{trials: {trials}, epochs: 1}}
algorithm: {{sampler: random, pruner: none, seed: 7}}
space:
  learning_rate: {{float: [1e-4, 1e-2], log: true}}
  batch_size: {{choice: [32, 64, 128]}}
"""
BUILT_IN = "  layers: {const: [{filters: 16}, {filters: 32}]}\n  dense: {const: [{units: 32}]}\n"
BUILD = """
import keras


def build(params, data):
    inputs = keras.Input(data.input_shape)
    x = keras.layers.Conv2D(16, 3, activation="relu")(inputs)
    x = keras.layers.Conv2D(32, 3, activation="relu")(x)
    x = keras.layers.Dense(32, activation="relu")(keras.layers.Flatten()(x))
    return keras.Model(inputs, keras.layers.Dense(data.classes)(x))
"""


def seconds(study: str, trainer: str, rest: str, trials: int, folder: Path) -> list[float]:
    """Search; return the time from each claim to the first step of its trial."""
    spec = parse(HEAD.format(study=study, trainer=trainer, trials=trials) + rest, f"{study}.yaml", folder)
    embedded = server.ensure(folder / "state")
    storage = open_storage(embedded.url, "benchmark")
    begun, found = [0.0], []
    claim, train = Claims.next, CompiledEpochs.train

    def claiming(claims: Claims) -> Any:
        begun[0] = time.perf_counter()
        return claim(claims)

    def training(epochs: CompiledEpochs, *arguments: Any) -> dict[str, float]:
        found.append(time.perf_counter() - begun[0])
        return train(epochs, *arguments)

    try:
        with patch.object(Claims, "next", claiming), patch.object(CompiledEpochs, "train", training):
            Worker(open_study(storage, spec), folder / "state", Shutdown()).work()
    finally:
        storage.close()
        embedded.release()
    return found


def main() -> None:
    """Print both trainers' first trial, and the median of the others."""
    runtime.prepare(threads=1)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20)
    trials = parser.parse_args().trials
    with tempfile.TemporaryDirectory(prefix="search-benchmark-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "net.py").write_text(BUILD)
        for study, trainer, rest in (("image", "trainer: image", BUILT_IN), ("build", "model: net.py:build", "")):
            first, *others = seconds(study, trainer, rest, trials, folder)
            found = " ".join(f"{1000 * value:.0f}" for value in (statistics.median(others), min(others), max(others)))
            print(
                f"{study}: first trial {1000 * first:.0f} ms; a known structure, median min max: {found} ms", flush=True
            )


if __name__ == "__main__":
    main()

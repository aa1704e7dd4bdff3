"""From the command to the end of the first epoch, beside what TensorFlow alone takes for it.

    python tests/benchmarks/startup.py [--rounds 5]

`ours` is `python -m search run` with a state folder that has been used before, one worker and one trial of one epoch,
until the worker's log says that it has ended: server, study, import, data, trace and validation are in it. `bare` is a
process that imports TensorFlow and trains one batch of the same model with `train_on_batch`, the cheapest trace there
is. The sides take turns; the ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPACE = """
study: startup-{number}
trainer: image
data: {{source: digits, validation: 0.2}}
objective: {{maximize: val_accuracy}}
budget: {{trials: 1, epochs: 1}}
space:
  learning_rate: {{float: [1e-4, 1e-2], log: true}}
  layers: {{const: [{{filters: 16}}, {{filters: 32}}]}}
  dense: {{const: [{{units: 32}}]}}
"""
BARE = """
import keras
import numpy as np
import tensorflow
layers = keras.layers
model = keras.Sequential([
    keras.Input((8, 8, 1)), layers.Rescaling(1 / 255),
    layers.Conv2D(16, 3, padding="same", activation="relu"), layers.MaxPooling2D(),
    layers.Conv2D(32, 3, padding="same", activation="relu"), layers.MaxPooling2D(),
    layers.Flatten(), layers.Dense(32, "relu"), layers.Dense(10),
])
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
model.train_on_batch(np.zeros((32, 8, 8, 1), np.float32), np.zeros(32, np.int32))
"""


def environment() -> dict[str, str]:
    """Return the environment of both sides: this repository, one thread, no GPU."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), "1")
    return {
        **os.environ, **threads, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": str(ROOT)
    }  # fmt: skip


def ours(folder: Path, number: int) -> float:
    """Return the seconds until our first trial of one epoch has ended."""
    file = folder / f"startup-{number}.yaml"
    file.write_text(SPACE.format(number=number))
    command = [sys.executable, "-m", "search", "run", file.name, "--workers", "1"]
    start = time.perf_counter()
    with subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL) as process:
        seconds = 0.0
        while not seconds and process.poll() is None:
            logs = folder.glob(f".search/logs/startup-{number}/*.log")
            if any("ended trial 0" in log.read_text() for log in logs):
                seconds = time.perf_counter() - start
            time.sleep(0.01)
    assert process.returncode == 0, "see the logs"
    return seconds or time.perf_counter() - start


def bare() -> float:
    """Return the seconds of a process that imports TensorFlow and traces one training step."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", BARE], env=environment(), check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Measure both sides in turn and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="search-benchmark-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        ours(folder, 0)  # makes the state folder
        seconds = [(ours(folder, number), bare()) for number in range(1, rounds + 1)]
    mine, theirs = (statistics.median(side) for side in zip(*seconds, strict=True))
    ratios = [one / other for one, other in seconds]
    print(f"ours {mine:.2f} s  bare {theirs:.2f} s  {mine / theirs:.2f} times ({min(ratios):.2f}-{max(ratios):.2f})")


if __name__ == "__main__":
    main()

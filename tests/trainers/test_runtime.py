"""TensorFlow runs quietly, on what it is given, and its failures have names."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import commands
import keras
import numpy as np
import pynvml
import pytest
import tensorflow as tf
from fake_run import IMAGE, TABULAR, FakeRun, few_digits, few_tumours

from trainers import find, runtime
from trainers.contract import Diverged
from trainers.data import placing


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Diverged("loss is nan"), "nan"),
        (MemoryError(), "oom"),
        (tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"), "oom"),
        (tf.errors.InternalError(None, None, "CUDA_ERROR_OUT_OF_MEMORY: out of memory"), "oom"),
        (tf.errors.InternalError(None, None, "another"), "user"),
        (ValueError("out of memory"), "user"),
        (KeyError("units"), "user"),
    ],
)
def test_a_failure_has_a_reason(error: BaseException, reason: str) -> None:
    assert runtime.failure(error) == reason
    wrapped = RuntimeError("while training")
    wrapped.__cause__ = error
    assert runtime.failure(wrapped) == reason


def test_the_same_seed_gives_the_same_numbers() -> None:
    def drawn() -> list[float]:
        runtime.seed_everything(3)
        return [float(np.random.random()), float(keras.random.normal(())), float(tf.random.normal(()))]

    assert drawn() == drawn()


@pytest.mark.parametrize(
    ("visible", "expected"), [("GPU-8932", 100), ("MIG-1", 100), ("2", 30), ("1,0", 20), (None, 10)]
)
def test_a_gpus_memory_is_that_of_the_first_visible_one(
    visible: str | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", lambda name: 100)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: 10 * (index + 1))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", lambda handle: SimpleNamespace(total=handle))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert runtime.device_memory() == expected


def test_the_memory_of_a_gpu_without_nvml_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    monkeypatch.setattr(pynvml, "nvmlInit", missing)
    assert runtime.device_memory() is None


PREPARED = """
import json, sys
from trainers import runtime
assert "tensorflow" not in sys.modules
assert runtime.failure(MemoryError()) == "oom" and "tensorflow" not in sys.modules
runtime.prepare(threads=2)
import keras, tensorflow as tf
tf.constant(1)
print(json.dumps([
    keras.backend.backend(), tf.config.threading.get_intra_op_parallelism_threads(), runtime.device_note(),
    runtime.device_memory(),
]))
"""


def test_a_prepared_process_says_nothing_and_uses_its_threads() -> None:
    root = Path(__file__).parents[2]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(root), "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(
        [sys.executable, "-c", PREPARED], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert json.loads(done.stdout) == ["tensorflow", 2, "CPU, 2 threads", None]


@pytest.mark.parametrize("largest", [2**32, 0], ids=["compiled", "streamed"])
def test_nothing_of_a_trial_stays_in_a_worker(largest: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "LARGEST_IN_MEMORY", largest)
    train = find.load(TABULAR, tmp_path)

    def alive() -> int:
        gc.collect()
        kinds = (keras.Model, keras.optimizers.Optimizer, tf.Graph)
        return sum(issubclass(type(thing), kinds) for thing in gc.get_objects())

    counts = []
    for number in range(5):
        run = FakeRun(few_tumours(), tmp_path / str(number), epochs=1)
        run.folder.mkdir()
        train({"layers": [{"units": 4, "activation": "silu"}]}, run)
        counts.append(alive())
    assert counts[-1] <= counts[1]


KILLED = """
import os
from pathlib import Path
from fake_run import IMAGE, FakeRun, few_digits
from trainers import find
import json, sys

class Run(FakeRun):
    def report(self, epoch, **metrics):
        if epoch == 3:
            os._exit(9)

find.load(IMAGE, Path())(json.loads(sys.argv[1]), Run(few_digits(), Path(sys.argv[2]), epochs=6))
"""


def test_a_trial_whose_process_was_killed_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    params = {
        "optimizer": {"adam": {"amsgrad": True}},
        "learning_rate": 0.01,
        "schedule": {"cosine": {"warmup": 0.3}},
        "augment": {"rotation": 0.1, "zoom": 0.2, "flip": "both"},
        "layers": [{"filters": 4, "dropout": 0.2, "batch_norm": True}],
        "dense": [{"units": 16, "dropout": 0.3, "activation": "gelu"}],
    }
    whole = FakeRun(few_digits(), tmp_path / "whole", epochs=6)
    killed = FakeRun(few_digits(), tmp_path / "killed", epochs=6)
    for run in (whole, killed):
        run.folder.mkdir()
    train = find.load(IMAGE, tmp_path)
    train(params, whole)

    tests = Path(__file__).parents[1]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{tests}:{tests.parent}", "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, "-c", KILLED, json.dumps(params), str(killed.folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 9, done.stderr

    train(params, killed)
    epochs = [epoch for epoch, _ in killed.reports]
    assert epochs == list(range(epochs[0], 7))
    assert epochs[0] <= 3
    for resumed, expected in zip(killed.losses, whole.losses[epochs[0] - 1 :], strict=True):
        assert resumed == pytest.approx(expected, rel=1e-6)


XLA = """
import sys
from pathlib import Path
from trainers import runtime
runtime.XLA_KEPT_FOR = sys.argv[2]
runtime.prepare(1, xla_programs=Path(sys.argv[1]))
import tensorflow as tf
tf.function(lambda x: x @ x + 1, jit_compile=True)(tf.ones((8, 8)))
"""


@pytest.mark.parametrize("kept", ["CPU", "GPU"])
def test_what_xla_compiles_is_kept_for_later_processes_by_kind_of_device(kept: str, tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "TF_XLA_FLAGS"}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", XLA, str(folder), kept], cwd=commands.ROOT, env=environment, check=True)
        assert len(list(folder.iterdir())) == (1 if kept == "CPU" else 0)  # there is no GPU

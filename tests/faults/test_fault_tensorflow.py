"""TensorFlow finds no room: what the device can't hold fails the trial, what the disk can't hold fails nothing."""

from __future__ import annotations

import pytest
from servers import Stay
from stage import Injected, Stage
from toys import ended, soon

# Both are told as ResourceExhaustedError.
TRAINER = """
from pathlib import Path

import tensorflow as tf

HERE = Path(__file__).parent


def write(path):
    full = Path("/dev/full") if not (HERE / "room").exists() else path
    tf.io.write_file(str(full), b"0" * 100_000)
    path.touch()


def train(params, run):
    for epoch in range(1, run.epochs + 1):
        if run.number == 0:
            tf.zeros((2**22, 2**22)) + 1.0
        run.report(epoch, loss=params["x"])
    run.keep(write)
    return {"loss": params["x"]}
"""


@pytest.mark.slow
def test_a_device_without_memory_fails_the_trial_and_a_disk_without_room_does_not(
    scene: Stage, stay: Stay, injected: Injected
) -> None:
    scene.play(trials=2)
    (scene.folder / "train.py").write_text(TRAINER)
    process = scene.start("run", "space.yaml", "--workers", "1")
    soon(lambda: "the disk is full" in scene.logs(), patience=120)
    assert scene.ends(stay.url) == {0: "oom"}
    scene.tell("room")
    code, out, err = ended(process, 120)
    assert code == 0, err
    assert "trial 0 failed (oom)" in out
    assert "exit code 75: the disk is full" in out
    assert scene.ends(stay.url) == {0: "oom", 1: "complete"}
    injected("TensorFlow's ResourceExhaustedError: memory", 1, "the trial fails as oom, the others go on")
    injected("TensorFlow's ResourceExhaustedError: a full disk", 1, "the worker leaves with code 75; the trial waits")

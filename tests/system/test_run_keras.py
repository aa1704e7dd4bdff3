"""A run that trains real models: what a killed worker's trial keeps, and what is left in the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import commands
import numpy as np
import psutil
import pytest
from toys import DIGITS, Toy, ended, epochs, soon, toy, trials

from search.postgres import server
from spaces.errors import Place
from spaces.spec import DataSpec
from trainers.data import load

READ_BACK = """
import sys
import keras, numpy as np
with np.load(sys.argv[2]) as held:
    answers = keras.saving.load_model(sys.argv[1]).predict(held["x"], verbose=0)
    print((answers.argmax(axis=1) == held["y"]).mean())
assert not [name for name in sys.modules if name.split(".")[0] in ("trainers", "spaces", "search")]
"""


def score(model: str, folder: Path) -> float:
    """The accuracy of a saved model on the raw images that validated, in a process that knows Keras alone."""
    data = load(DataSpec("set", "digits", Place("space.yaml", 1, 1)), folder, 7)
    np.savez(folder / "held.npz", x=data.x_validation, y=data.y_validation)
    command = [sys.executable, "-I", "-c", READ_BACK, model, str(folder / "held.npz")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return float(done.stdout.splitlines()[-1])


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Toy]:
    with commands.project(tmp_path), toy(tmp_path, "digits") as made:
        yield made


def worker(project: Toy) -> psutil.Process | None:
    for process in project.processes():
        with suppress(psutil.Error):
            if "worker" in process.cmdline():
                return process
    return None


@pytest.mark.slow
def test_a_killed_workers_model_goes_on_from_its_checkpoint_and_the_best_model_is_kept(project: Toy) -> None:
    project.write(trials=2, epochs=200, space=DIGITS)
    process = project.start("run", "space.yaml", "--workers", "1")
    checkpoints = project.folder / ".search" / "checkpoints" / "digits" / "0"
    soon(lambda: checkpoints.exists() and any(checkpoints.iterdir()), patience=90)
    victim = worker(project)
    assert victim is not None
    os.kill(victim.pid, signal.SIGKILL)
    code, out, err = ended(process, 150)
    assert code == 0, err + project.logs()
    assert "SIGKILL" in out
    assert "trial 0 resumed after epoch" in project.logs()
    held = server.ensure(project.folder / ".search")
    try:
        assert trials(held.url, "digits") == [(0, "COMPLETE"), (1, "COMPLETE")]
        assert epochs(held.url, "digits") == [(number, epoch) for number in (0, 1) for epoch in range(1, 201)]
    finally:
        held.release()
    assert "\ndata on the device\n" in commands.run(["status", "digits"], project.folder).stdout
    best = json.loads(commands.run(["best", "digits", "--json"], project.folder).stdout)
    assert best["value"] > 0.9
    assert score(best["model"], project.folder) == pytest.approx(best["value"], abs=1e-4)
    assert [path.name for path in Path(best["model"]).parent.iterdir()] == [f"{best['number']}.keras"]
    assert not checkpoints.exists()
    assert "Traceback" not in project.logs()

"""The launcher and all its workers are killed at once, and once more: the same command ends exactly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import commands
import moments
import psutil
import pytest
from invariants import exact
from stage import Injected
from toys import Toy, ended, soon, toy

from search.postgres import server

KILLS = 2


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Toy]:
    with commands.project(tmp_path), toy(tmp_path, "toy") as made:
        made.write(trials=8, epochs=5)
        slow = moments.TRAINER.replace("        aside =", "        time.sleep(0.1)\n        aside =")
        (made.folder / "train.py").write_text(slow.replace("import os", "import os, time"))
        space = made.folder / "space.yaml"
        space.write_text(space.read_text().replace("prior: 0.5}", "prior: 0.5}, y: 1"))
        yield made


def checkpoints(project: Toy) -> set[Path]:
    return set((project.folder / ".search" / "checkpoints").rglob("epoch"))


@pytest.mark.slow
def test_the_same_command_goes_on_after_all_its_processes_were_killed_at_once(project: Toy, injected: Injected) -> None:
    for _ in range(KILLS):
        known = checkpoints(project)
        process = project.start()
        soon(lambda known=known: checkpoints(project) - known)
        killed = project.processes()
        assert len(killed) == 3, "a launcher and two workers"
        for each in killed:
            each.kill()
        ended(process)
        psutil.wait_procs(killed, timeout=10)
    again = project.run("--workers", "2")
    assert again.returncode == 0, again.stderr
    assert "toy' continues" in again.stdout
    held = server.ensure(project.folder / ".search")
    try:
        exact(held.url, ["toy"], count=8, trained=5)
    finally:
        held.release()
    injected("SIGKILL of a run and all its workers", KILLS, "the same command ends it exactly")

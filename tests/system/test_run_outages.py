"""What a run survives: the end of its launcher, and `stop`; each project has a server of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import commands
import psutil
import pytest
from toys import Toy, ended, epochs, soon, toy, trials

from search.postgres import server

EVERY = [(number, epoch) for number in range(8) for epoch in (1, 2, 3, 4, 5)]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Toy]:
    with commands.project(tmp_path), toy(tmp_path, "toy") as made:
        made.write("time.sleep(0.1)", trials=8, epochs=5)
        yield made


def postmaster(project: Toy) -> psutil.Process | None:
    """The server's first process, if it lives."""
    try:
        pid = int((commands.server_folder(project.folder) / "data" / "postmaster.pid").read_text().split()[0])
        process = psutil.Process(pid)
    except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        return None
    return process if process.status() != psutil.STATUS_ZOMBIE else None


def stored(project: Toy) -> tuple[list[tuple[int, str]], list[tuple[int, int]]]:
    """What the database holds in the end."""
    held = server.ensure(project.folder / ".search")
    try:
        return trials(held.url, "toy"), epochs(held.url, "toy")
    finally:
        held.release()


def is_complete(project: Toy) -> None:
    states, recorded = stored(project)
    assert states == [(number, "COMPLETE") for number in range(8)]
    assert recorded == EVERY


def test_a_killed_run_leaves_nothing_behind_and_the_same_command_continues(project: Toy) -> None:
    process = project.start()
    soon(lambda: project.trained(epoch=2))
    process.kill()
    ended(process)
    soon(lambda: project.processes() == [], patience=15)
    soon(lambda: postmaster(project) is None, patience=15)
    begun = {entry["number"] for entry in project.journal()}
    assert len(begun) < 8, "it was over before it was killed"
    again = project.run("--workers", "2")
    assert again.returncode == 0, again.stderr
    assert "toy' continues" in again.stdout
    is_complete(project)
    assert sorted((entry["number"], entry["epoch"]) for entry in project.journal()) == EVERY
    assert project.processes() == []
    assert postmaster(project) is None, "the last user stops the server"


def test_stop_checkpoints_what_runs_and_run_continues(project: Toy) -> None:
    project.write("time.sleep(0.05 if (HERE / 'hurry').exists() else 1.0)", trials=8, epochs=5)
    process = project.start()
    soon(lambda: project.trained(epoch=2))
    stop = commands.run(["stop"], project.folder)
    assert stop.returncode == 0
    assert "3 processes left" in stop.stdout
    assert "killed" not in stop.stdout
    assert ended(process, 5)[0] == 130
    assert project.processes() == []
    assert postmaster(project) is None
    assert "nothing runs in" in commands.run(["stop"], project.folder).stdout
    (project.folder / "hurry").touch()
    again = project.run("--workers", "1")
    assert again.returncode == 0, again.stderr
    is_complete(project)
    assert sorted((entry["number"], entry["epoch"]) for entry in project.journal()) == EVERY, "an epoch was lost"

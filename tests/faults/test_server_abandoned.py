"""A run and all that uses its private server are killed at once: the server stops, and little is left behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import commands
import psutil
import pytest
from stage import Injected, Stage, stage
from toys import ended, soon

from search.postgres import server


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Stage]:
    with commands.project(tmp_path), stage(tmp_path, "abandoned") as made:
        yield made


def with_watcher(root: Path) -> list[psutil.Process]:
    """The processes of the server in this folder, and who watches over it."""
    found = []
    for process in psutil.process_iter():
        try:
            watcher = process.cmdline()[-2:] == ["search.postgres.watcher", str(root)]
            inside = Path(process.cwd()).is_relative_to(root)
        except (psutil.Error, OSError):
            continue
        if (watcher or inside) and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


@pytest.mark.slow
def test_after_everything_was_killed_the_server_stops_and_the_next_command_sweeps(
    scene: Stage, injected: Injected
) -> None:
    scene.play("* * sleep 0.2", trials=4, epochs=5)
    process = scene.start()
    soon(lambda: scene.trained(epoch=3))
    root, state = commands.server_folder(scene.folder), scene.state
    assert len(with_watcher(root)) > 2
    killed = scene.processes()
    assert len(killed) == 3, "a launcher and two workers"
    for each in killed:
        each.kill()
    ended(process)
    assert soon(lambda: with_watcher(root) == [], patience=15)
    assert not (root / "data" / "postmaster.pid").exists()
    assert list((root / "socket").iterdir()) == []

    # What is left, by folder: logs and checkpoints to go on from, and who was there.
    assert {path.name for path in state.iterdir() if any(path.iterdir())} <= {
        "checkpoints", "logs", "postgres", "processes"
    }  # fmt: skip
    assert {path.name for path in (state / "processes").iterdir()} == {f"{each.pid}.json" for each in killed}
    known = {"data", "socket", "start.lock", "users.lock", "watcher.lock"}
    known |= {"host.json", "pg_hba.conf", "pg_ident.conf", "server.conf"}
    assert {path.name for path in root.iterdir()} == known

    (root / ".server.conf.0123abcd").write_text("")  # half of a file
    again = scene.run("--workers", "2")
    assert again.returncode == 0, again.stderr
    held = server.ensure(state)
    try:
        scene.is_whole(held.url, {}, trials=4, epochs=5)
    finally:
        held.release()
    assert list((state / "processes").iterdir()) == []
    assert {path.name for path in root.iterdir()} == known
    assert soon(lambda: with_watcher(root) == [], patience=5)
    injected("SIGKILL of everything that uses the private server", 1, "the server stops, the next command sweeps")

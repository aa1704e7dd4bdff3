"""The private server is killed, and stopped cleanly, in the middle of training: whoever uses it starts it again."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import commands
import psutil
import pytest
from conftest import Injected
from stage import Stage, stage
from toys import ended, soon

from search.postgres import server


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Stage]:
    with commands.project(tmp_path), stage(tmp_path, "killed") as made:
        yield made


def postmaster(scene: Stage) -> psutil.Process:
    path = commands.server_folder(scene.folder) / "data" / "postmaster.pid"
    return psutil.Process(int(soon(lambda: path.exists() and path.read_text().partition("\n")[0])))


def test_a_private_server_that_dies_or_is_stopped_comes_back_and_the_run_goes_on(
    scene: Stage, injected: Injected
) -> None:
    scene.play("* * sleep 0.2", trials=8, epochs=5)
    process = scene.start()
    for turn, how in enumerate((signal.SIGKILL, signal.SIGINT, signal.SIGQUIT)):
        soon(lambda turn=turn: scene.trained(number=2 * turn, epoch=2))
        postmaster(scene).send_signal(how)
    code, out, err = ended(process)
    assert code == 0, err + scene.logs()
    assert "8/8 trials" in out
    assert "Traceback" not in scene.logs()
    held = server.ensure(scene.state)
    try:
        scene.is_whole(held.url, {}, trials=8, epochs=5)
    finally:
        held.release()
    injected("SIGKILL of the private server's postmaster", 1, "its users start it again, the run goes on")
    injected("a clean and an immediate stop of the private server", 2, "its users start it again, the run goes on")

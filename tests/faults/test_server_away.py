"""A server of the user's own, over TCP, under a `run`: it restarts, cuts every session, is away for half a minute."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import servers
from conftest import Injected
from stage import Stage, stage
from toys import ended, rows, soon

from search.postgres.connection import normalise

AWAY = 30.0
CUTS = 10
SESSIONS = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name LIKE 'search-%%'"
RECORDED = "SELECT count(*) FROM search_epochs"


@dataclass(frozen=True)
class Visit:
    """A run in progress, and the server below it."""

    stage: Stage
    url: str
    folder: Path
    process: subprocess.Popen[str]
    since: float  # when the server went away


@pytest.fixture(scope="module", autouse=True)
def visit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """A run whose server goes away when the first test of this module begins; the others pass the time."""
    with servers.reachable_folder() as folder, servers.debian_server(folder) as url:
        env = {"SEARCH_STORAGE": url}
        with stage(tmp_path_factory.mktemp("away"), "away", env) as made:
            made.play("* * sleep 0.2", trials=10, epochs=5)
            process = made.start()
            soon(lambda: made.trained(epoch=2))
            servers.stop(folder)
            servers.start(folder)
            goes_on(url)
            for _ in range(CUTS):
                soon(lambda: rows(url, SESSIONS)[0][0] > 0)
            goes_on(url)
            servers.stop(folder, "immediate")
            yield Visit(made, url, folder, process, time.monotonic())


def goes_on(url: str) -> None:
    """Wait for a record that was made from now on."""
    before = rows(url, RECORDED)[0][0]
    soon(lambda: rows(url, RECORDED)[0][0] > before)


@pytest.mark.slow
def test_a_run_goes_on_when_its_server_comes_back(visit: Visit, injected: Injected) -> None:
    time.sleep(max(0.0, visit.since + AWAY - time.monotonic()))
    assert visit.process.poll() is None
    servers.start(visit.folder)
    code, out, err = ended(visit.process)
    assert code == 0, err + visit.stage.logs()
    assert "the storage doesn't answer" in out
    assert "10/10 trials" in out
    visit.stage.is_whole(normalise(visit.url), {}, trials=10, epochs=5)
    assert "Traceback" not in visit.stage.logs()
    injected("a server of one's own that restarts", 1, "the run goes on")
    injected("pg_terminate_backend of all sessions of a run", CUTS, "the run goes on")
    injected(f"{AWAY:.0f} s without a server", 1, "workers wait; the run goes on")

"""A server under a `run` restarts, is away for half a minute, is killed, cuts every session, has no free connection.

The first test begins the half minute of a server over TCP; the others, each with a server of its own, pass the time.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import commands
import psutil
import psycopg2
import pytest
import servers
from stage import Injected, Stage, stage
from toys import ended, rows, soon

from search.postgres import server
from search.postgres.connection import normalise

AWAY = 30.0
CUTS = 10
SESSIONS = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name LIKE 'search-%%'"
MOST = 10  # connections of a server that soon has no free one
OURS = "FROM pg_stat_activity WHERE application_name LIKE 'search-%'"
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


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Stage]:
    with commands.project(tmp_path), stage(tmp_path, "killed") as made:
        yield made


def postmaster(private: Stage) -> psutil.Process:
    path = commands.server_folder(private.folder) / "data" / "postmaster.pid"
    return psutil.Process(int(soon(lambda: path.exists() and path.read_text().partition("\n")[0])))


@pytest.mark.slow
def test_a_private_server_that_dies_or_is_stopped_comes_back_and_the_run_goes_on(
    private: Stage, injected: Injected
) -> None:
    private.play("* * sleep 0.2", trials=8, epochs=5)
    process = private.start()
    for turn, how in enumerate((signal.SIGKILL, signal.SIGINT, signal.SIGQUIT)):
        soon(lambda turn=turn: private.trained(number=2 * turn, epoch=2))
        postmaster(private).send_signal(how)
    code, out, err = ended(process, 90)
    assert code == 0, err + private.logs()
    assert "8/8 trials" in out
    assert "Traceback" not in private.logs()
    held = server.ensure(private.state)
    try:
        private.is_whole(held.url, {}, trials=8, epochs=5)
    finally:
        held.release()
    injected("SIGKILL of the private server's postmaster", 1, "its users start it again, the run goes on")
    injected("a clean and an immediate stop of the private server", 2, "its users start it again, the run goes on")


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[tuple[Stage, str]]:
    """A project on a server that allows few connections."""
    with servers.reachable_folder() as folder, servers.debian_server(folder) as url:
        servers.stop(folder)
        servers.start(folder, max_connections=MOST, superuser_reserved_connections=0)
        with stage(tmp_path, "full", {"SEARCH_STORAGE": url}) as made:
            yield made, url


@contextlib.contextmanager
def full(url: str) -> Iterator[None]:
    """Take every connection, those of the workers too."""
    with contextlib.ExitStack() as stack:

        def one_more() -> Any:
            connection = psycopg2.connect(url)
            stack.callback(connection.close)
            return connection

        first = one_more()
        first.autocommit = True
        with first.cursor() as cursor:
            while True:
                with contextlib.suppress(psycopg2.OperationalError):
                    while True:
                        one_more()
                cursor.execute(f"SELECT count(*) {OURS}")
                if cursor.fetchone() == (0,):
                    break
                cursor.execute(f"SELECT pg_terminate_backend(pid, 5000) {OURS}")
        yield


@pytest.mark.slow
def test_workers_wait_for_a_free_connection(crowded: tuple[Stage, str], injected: Injected) -> None:
    made, url = crowded
    made.play("* * sleep 0.2", trials=6, epochs=5)
    process = made.start()
    soon(lambda: made.trained(epoch=2))
    with full(url):
        soon(lambda: len(made.workers()) == 2 and made.logs().count("the storage is away") > 5)
        time.sleep(1)  # the terminal looks twice a second
        at_the_door = commands.run(["status"], made.folder, env=made.env)
    code, out, err = ended(process, 90)
    assert code == 0, err + made.logs()
    assert "the storage has no free connection; the workers wait for it" in out
    made.is_whole(normalise(url), {}, trials=6, epochs=5)
    assert at_the_door.returncode == 75
    assert "has no free connection" in at_the_door.stderr
    assert "raise its max_connections" in at_the_door.stderr
    injected("other clients take all of max_connections", 1, "workers wait for one; the run says so and goes on")


def test_a_run_of_more_workers_than_connections_is_refused_at_the_door(
    crowded: tuple[Stage, str], injected: Injected
) -> None:
    made, _ = crowded
    made.play(trials=2)
    done = made.run("--workers", str(MOST))
    assert done.returncode == 2
    assert f"{MOST} workers need {MOST + 1} connections to the database" in done.stderr
    assert f"at most {MOST - 1} workers" in done.stderr
    assert made.journal() == []
    injected("fewer connections than the workers need", 1, "refused at the door, with the number that fits")


@pytest.mark.slow
def test_a_run_goes_on_when_its_server_comes_back(visit: Visit, injected: Injected) -> None:
    time.sleep(max(0.0, visit.since + AWAY - time.monotonic()))
    assert visit.process.poll() is None
    servers.start(visit.folder)
    code, out, err = ended(visit.process, 90)
    assert code == 0, err + visit.stage.logs()
    assert "the storage doesn't answer" in out
    assert "10/10 trials" in out
    visit.stage.is_whole(normalise(visit.url), {}, trials=10, epochs=5)
    assert "Traceback" not in visit.stage.logs()
    injected("a server of one's own that restarts", 1, "the run goes on")
    injected("pg_terminate_backend of all sessions of a run", CUTS, "the run goes on")
    injected(f"{AWAY:.0f} s without a server", 1, "workers wait; the run goes on")

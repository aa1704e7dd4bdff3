"""Other clients take every connection of the server: workers wait for one and go on, and everybody says what it is."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import commands
import psycopg2
import pytest
import servers
from conftest import Injected
from stage import Stage, stage
from toys import ended, soon

from search.postgres.connection import normalise

MOST = 10
OURS = "FROM pg_stat_activity WHERE application_name LIKE 'search-%'"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[tuple[Stage, str]]:
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


def test_workers_wait_for_a_free_connection(scene: tuple[Stage, str], injected: Injected) -> None:
    made, url = scene
    made.play("* * sleep 0.2", trials=6, epochs=5)
    process = made.start()
    soon(lambda: made.trained(epoch=2))
    with full(url):
        soon(lambda: len(made.workers()) == 2 and made.logs().count("the storage is away") > 5)
        time.sleep(1)  # the terminal looks twice a second
        at_the_door = commands.run(["status"], made.folder, env=made.env)
    code, out, err = ended(process)
    assert code == 0, err + made.logs()
    assert "the storage has no free connection; the workers wait for it" in out
    made.is_whole(normalise(url), {}, trials=6, epochs=5)
    assert at_the_door.returncode == 75
    assert "has no free connection" in at_the_door.stderr
    assert "raise its max_connections" in at_the_door.stderr
    injected("other clients take all of max_connections", 1, "workers wait for one; the run says so and goes on")


def test_a_run_of_more_workers_than_connections_is_refused_at_the_door(
    scene: tuple[Stage, str], injected: Injected
) -> None:
    made, _ = scene
    made.play(trials=2)
    done = made.run("--workers", str(MOST))
    assert done.returncode == 2
    assert f"{MOST} workers need {MOST + 1} connections to the database" in done.stderr
    assert f"at most {MOST - 1} workers" in done.stderr
    assert made.journal() == []
    injected("fewer connections than the workers need", 1, "refused at the door, with the number that fits")

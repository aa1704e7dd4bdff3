"""Real workers that are struck at one moment of their life: their connection is cut or hangs, or they are stopped."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import moments
import psycopg2
from claimers import spec_of
from link import linked
from optuna.storages import RDBStorage
from sqlalchemy import event, make_url

from search import worker as workers
from search.postgres import connection, ownership, silence
from search.shutdown import Shutdown
from search.study.claim import Claims
from search.study.storage import Storage, open_storage
from search.study.study import load, open_study
from search.worker import Worker

Kind = Literal["cut", "hang", "stop"]
LONGEST = 0.25  # seconds instead of 60 for which a worker waits for an answer
SILENCE = "1s"  # instead of 30 and 60 for which a worker may say nothing while it asks, or in a transaction
NAME = "struck-{}"  # of its connection
TERMINATE = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name = %s"


def live(storage: Storage, name: str, state: Path, last: int, strike: Callable[[str], object]) -> list[str]:
    """Work until nothing is left and return the moments there were; strike at the moment `last`, from 1."""
    study = load(storage, name)
    worker = Worker(study, state, Shutdown())
    worker.__dict__["claims"] = Claims(study, moments.GRACE)
    passed: list[str] = []

    def moment(what: str) -> None:
        passed.append(what)
        if len(passed) == last:
            strike(what)

    study.join()
    listeners = {
        "before_cursor_execute": lambda *given: moment(" ".join(given[2].split())[:50]),
        "commit": lambda *_: moment("commit"),
        "rollback": lambda *_: moment("rollback"),
    }
    for name_of, listener in listeners.items():
        event.listen(storage.engine, name_of, listener)
    worker.work()
    for name_of, listener in listeners.items():
        event.remove(storage.engine, name_of, listener)
    return passed


def waited_for(passed: list[str]) -> list[int]:
    """Return the moments at which others wait for the worker, if it stands still: in a transaction, or asking."""
    found, asking = [], False
    for place, (before, now) in enumerate(zip(["commit", *passed], passed, strict=False), 1):
        if asking or before not in ("commit", "rollback"):
            found.append(place)
        if "), set_" in now:
            asking = "unlock" not in now
    return found


def lane(url: str, folder: Path, trials: int, kind: Kind, strikes: Mapping[str, int], pipe: Connection) -> None:
    """Let a worker live in one study after another, struck once in each; send the moments of each."""
    workers.POLL = 0.02, 0.02
    if kind == "hang":
        silence.LONGEST = LONGEST
    if kind == "stop":
        ownership._SILENCE = connection._SESSION["idle_in_transaction_session_timeout"] = SILENCE
    logging.disable()
    head = RDBStorage("sqlite://").get_head_version()
    RDBStorage.get_head_version = lambda _: head  # type: ignore[method-assign]
    told = {}
    with _striking(url, kind) as (reached, strike):
        spec = moments.SPACE.replace("TRIALS", str(trials))
        storage = open_storage(reached, NAME.format(os.getpid()))
        for name, last in strikes.items():
            # Again: while a worker beside this one hangs, its turn may take longer than LONGEST.
            made = spec_of(spec.replace("NAME", name), folder)
            storage.again(partial(open_study, storage, made))
            told[name] = live(storage, name, folder / name, last, strike)
        storage.close()
    pipe.send(told)


@contextlib.contextmanager
def _striking(url: str, kind: Kind) -> Iterator[tuple[str, Callable[[str], None]]]:
    """Give the URL for workers, and what strikes one of them."""
    if kind == "cut":
        with contextlib.closing(psycopg2.connect(url.replace("+psycopg2", "", 1))) as another:
            another.autocommit = True
            yield url, lambda _: _terminate(another)
        return
    if kind == "stop":
        yield url, lambda _: os.kill(os.getpid(), signal.SIGSTOP)
        return
    parts = make_url(url)
    with linked(Path(str(parts.query["host"])) / f".s.PGSQL.{parts.query['port']}") as link:
        through = parts.set(host="127.0.0.1", port=link.port, query={}).render_as_string(hide_password=False)

        def hang(what: str) -> None:
            # The server has done what it was asked for, and nobody learns of it: the worst that can happen to a commit.
            assert link.hang("answers" if what == "commit" else "everything") == 1

        yield through, hang


def _terminate(another: Any) -> None:
    with another.cursor() as cursor:
        cursor.execute(TERMINATE, (NAME.format(os.getpid()),))
        assert cursor.fetchone() == (1,)

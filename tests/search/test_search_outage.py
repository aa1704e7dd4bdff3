"""What the terminal that runs a search does while the storage is away."""

from __future__ import annotations

import logging
import signal
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest

from search import search
from search.errors import StorageUnavailable
from search.search import Search
from search.shutdown import Shutdown
from search.study import storage as storages
from search.study.storage import Storage


def test_a_server_that_cannot_be_brought_back_yet_is_told_once_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []
    said: list[str] = []

    def restart() -> None:
        tries.append(1)
        raise psycopg2.OperationalError("the database system is shutting down")

    def look(study: Any) -> None:
        raise psycopg2.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(search, "look", look)
    storage: Any = Storage("", *[SimpleNamespace()] * 3, restart)  # type: ignore[arg-type]
    study: Any = SimpleNamespace(storage=storage)
    watching = Search(study, SimpleNamespace(restart=restart), SimpleNamespace())  # type: ignore[arg-type]
    progress: Any = SimpleNamespace(say=said.extend, show=None)
    for _ in range(3):
        watching._show(progress, 1)
    assert said == ["the storage doesn't answer; the workers wait for it"]
    assert len(tries) == 3


def test_others_are_told_of_once_they_were_seen_for_a_while_not_when_a_worker_of_ours_was_just_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    workers = iter([2, 2, 2, 1, 2, 2, 2, 2, 2])
    monkeypatch.setattr(search, "look", lambda study: SimpleNamespace(workers=next(workers), unread=()))
    nothing: Any = SimpleNamespace()
    watching = Search(nothing, nothing, nothing)
    progress: Any = SimpleNamespace(say=said.extend, show=lambda now: None)
    told = []
    for _ in range(9):
        watching._show(progress, 1)
        told.append(len(said))
    assert told == [0, 0, 0, 0, 0, 0, 0, 1, 1]
    assert said == ["others train this study too; its budget is shared"]


def test_a_process_that_is_asked_to_leave_waits_only_a_moment_for_the_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storages, "LEAVING", 0.2)
    shutdown = Shutdown()
    storage: Any = Storage("", *[SimpleNamespace()] * 3, None, lambda: shutdown.asked)  # type: ignore[arg-type]
    calls: list[int] = []

    def look() -> int:
        calls.append(1)
        if len(calls) == 3:
            shutdown.receive(signal.SIGINT, None)
        raise psycopg2.OperationalError("server closed the connection unexpectedly")

    with pytest.raises(StorageUnavailable, match=r"has been away for 0 s; the same command continues"):
        storage.again(look)
    assert 3 <= len(calls) < 10


def test_why_the_server_does_not_start_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    errors = iter(["no folder", "no folder", "no room", "no folder", None, "no room"])

    def restart() -> None:
        if (error := next(errors)) is not None:
            raise OSError(error)

    storage: Any = Storage("", *[SimpleNamespace()] * 3, restart)  # type: ignore[arg-type]
    for _ in range(6):
        storage.try_restart()
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert told == [f"the embedded server did not start: {error}" for error in ("no folder", "no room", "no room")]

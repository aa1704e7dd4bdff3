"""What the terminal that runs a search does while the storage is away."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest

from search import search
from search.search import Search
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

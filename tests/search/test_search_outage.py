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
        watching._show(progress)
    assert said == ["the storage doesn't answer; the workers wait for it"]
    assert len(tries) == 3

"""How a test puts a row into the table of faults, which `tests/conftest.py` prints; and a stage for trials to act on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import commands
import pytest
from stage import Stage, stage
from toys import soon

from search.postgres import server

Injected = Callable[[str, int, str], None]


@pytest.fixture
def injected(request: pytest.FixtureRequest) -> Injected:
    """Note a fault in the table: what it was, how often it was injected, what must come of it."""

    def note(fault: str, times: int, outcome: str) -> None:
        request.node.user_properties.append(("fault", (fault, times, outcome)))

    return note


@dataclass(frozen=True)
class Stay:
    """A server that stays for all tests of a module: making one takes as long as many of them."""

    url: str
    state: Path


@pytest.fixture(scope="module")
def stay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stay]:
    with commands.project(tmp_path_factory.mktemp("stay")) as folder:
        held = server.ensure(folder / ".search")
        yield Stay(held.url, folder / ".search")
        held.release()


@pytest.fixture
def scene(stay: Stay, tmp_path: Path) -> Iterator[Stage]:
    """A project with a scripted trainer, a name of its own, and the server that stays."""
    with stage(tmp_path, f"stage-{uuid4().hex[:8]}", {"SEARCH_STATE": str(stay.state)}) as made:
        yield made
        assert soon(lambda: made.processes() == []), "a process is left"

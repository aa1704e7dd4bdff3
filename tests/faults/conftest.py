"""The table of faults, which `tests/conftest.py` prints, gets a row; and trials get a stage to act on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from servers import Stay, embedded_server
from stage import Injected, Stage, stage
from toys import soon


@pytest.fixture
def injected(request: pytest.FixtureRequest) -> Injected:
    """Note a fault in the table: what it was, how often it was injected, what must come of it."""

    def note(fault: str, times: int, outcome: str) -> None:
        request.node.user_properties.append(("fault", (fault, times, outcome)))

    return note


@pytest.fixture(scope="module")
def stay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stay]:
    with embedded_server(tmp_path_factory.mktemp("stay")) as held:
        yield held


@pytest.fixture
def scene(stay: Stay, tmp_path: Path) -> Iterator[Stage]:
    """A project with a scripted trainer, a name of its own, and the server that stays."""
    with stage(tmp_path, f"stage-{uuid4().hex[:8]}", {"SEARCH_STATE": str(stay.state)}) as made:
        yield made
        assert soon(lambda: made.processes() == []), "a process is left"

"""How a test puts a row into the table of faults, which `tests/conftest.py` prints."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Injected = Callable[[str, int, str], None]


@pytest.fixture
def injected(request: pytest.FixtureRequest) -> Injected:
    """Note a fault in the table: what it was, how often it was injected, what must come of it."""

    def note(fault: str, times: int, outcome: str) -> None:
        request.node.user_properties.append(("fault", (fault, times, outcome)))

    return note

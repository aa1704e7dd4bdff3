"""Stopping is designed: the first signal asks, the second kills. The flag is looked at where it is safe."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
TOGETHER = 5.0  # seconds in which another SIGTERM is the same: a scheduler tells every process, and a run its workers


class Shutdown:
    """Whether this process was asked to leave, by a signal or because its parent is gone."""

    def __init__(self, parent: int | None = None) -> None:
        self._first: float | None = None  # when the first signal came
        self._parent = parent

    @property
    def asked(self) -> bool:
        """True once somebody wants the process to leave at the next safe point."""
        return self._first is not None or (self._parent is not None and os.getppid() != self._parent)

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Take a signal: the first is remembered, the second raises KeyboardInterrupt where the process stands."""
        now = time.monotonic()
        if self._first is None:
            self._first = now
        elif number != signal.SIGTERM or now - self._first > TOGETHER:
            raise KeyboardInterrupt

    @contextmanager
    def listening(self) -> Iterator[Shutdown]:
        """Receive SIGINT and SIGTERM inside the block; the handlers of before come back after it."""
        before = {number: signal.signal(number, self.receive) for number in SIGNALS}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

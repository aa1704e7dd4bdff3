"""Stopping is designed: the first signal asks, the second kills. The flag is looked at where it is safe."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Shutdown:
    """Whether this process was asked to leave, by a signal or because its parent is gone."""

    def __init__(self, parent: int | None = None) -> None:
        self.signals = 0
        self._parent = parent

    @property
    def asked(self) -> bool:
        """True once somebody wants the process to leave at the next safe point."""
        return self.signals > 0 or (self._parent is not None and os.getppid() != self._parent)

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Take a signal: the first is remembered, the second raises KeyboardInterrupt where the process stands."""
        self.signals += 1
        if self.signals > 1:
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

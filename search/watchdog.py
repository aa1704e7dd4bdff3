"""What if a trainer never comes back? Its trial is recorded as over its time, and the worker's process begins anew.

Nothing but the end of the process ends a function that hangs. It becomes a new one in place, under the same number, so
that whoever started it needn't know. A trainer that holds Python's lock for good, in C, isn't reached.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

SHORTEST, LONGEST = 5.0, 60.0  # seconds beyond the limit that a trainer gets to come back by itself


def restart() -> NoReturn:
    """Become a new process that runs the same command under the same process id."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


@contextmanager
def watched(limit: float | None, busy: threading.Lock, overdue: Callable[[], object]) -> Iterator[None]:
    """Call `overdue` from another thread, then restart, if the block takes far longer than `limit` seconds.

    Far longer: by as much again, but at least 5 and at most 60 seconds. Not while somebody holds `busy`.
    """
    if limit is None:
        yield
        return
    left = threading.Event()

    def act() -> None:
        with busy:
            if left.is_set():
                return
            try:
                overdue()
            finally:
                restart()

    timer = threading.Timer(limit + min(max(limit, SHORTEST), LONGEST), act)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with busy:  # once the end has begun, it is too late
            left.set()
            timer.cancel()

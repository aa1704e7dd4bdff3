"""How the state of a trial is kept on disk, so that any end of the process loses little.

One checkpoint is two files: `epoch-000003.npz` (arrays, without pickle) and `epoch-000003.json` (epoch, metrics, and
SHA-256 of the arrays). Both are written aside, synced and renamed, the JSON last: it stands for a whole checkpoint.

A `Writer` writes in the background, and not after every epoch: at most about a twentieth of the time goes into it, and
nothing into trials of less than a second. So what `kill -9` costs is the running epoch and at most a second, or twenty
times what a checkpoint takes, of training; a trial that is stopped at the end of an epoch loses none.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

KEPT = 2
PAUSE = 20  # times what the last checkpoint took, until the next one is worth it
FIRST = 1.0  # seconds of training until the first one is


@dataclass(frozen=True)
class State:
    """All that a trial needs to go on after `epoch` (1-based): arrays by name, and that epoch's metrics."""

    epoch: int
    metrics: Mapping[str, float]
    arrays: Mapping[str, NDArray[Any]]


def save(folder: Path, state: State) -> None:
    """Write the state of a trial; the one before is kept too. Raises OSError."""
    buffer = io.BytesIO()
    np.savez(buffer, **dict(state.arrays))  # type: ignore[arg-type]
    content = buffer.getvalue()
    name = f"epoch-{state.epoch:06d}"
    about = {"epoch": state.epoch, "metrics": dict(state.metrics), "sha256": hashlib.sha256(content).hexdigest()}
    _write(folder / f"{name}.npz", content)
    _write(folder / f"{name}.json", json.dumps(about).encode())
    _sync(folder)
    for old in _newest_first(folder)[KEPT:]:
        old.unlink(missing_ok=True)
        old.with_suffix(".npz").unlink(missing_ok=True)


class Writer:
    """Writes the checkpoints of one trial, in their order, in a thread of its own.

    As a context it waits for the last one at the end. Errors of a write are raised by the next call, or at the end.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._running: Future[float] | None = None
        self._finished, self._took = time.monotonic(), FIRST / PAUSE
        self._epoch = 0  # of the last state that was handed over

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._thread.shutdown(wait=True)
        if error is None:
            self._wait()

    def offer(self, state: Callable[[], State]) -> None:
        """Write a state if it is worth it by now. Raises OSError of the write before."""
        if self._running is not None and not self._running.done():
            return
        self._wait()
        if time.monotonic() - self._finished >= PAUSE * self._took:
            self.save(state())

    def save(self, state: State) -> None:
        """Write a state in any case, unless it was written already. Raises OSError of the write before."""
        if state.epoch == self._epoch:
            return
        self._wait()
        self._epoch = state.epoch
        self._running = self._thread.submit(self._write, state)

    def _write(self, state: State) -> float:
        start = time.monotonic()
        save(self._folder, state)
        return time.monotonic() - start

    def _wait(self) -> None:
        if self._running is not None:
            self._took, self._running = self._running.result(), None
            self._finished = time.monotonic()


def load(folder: Path) -> State | None:
    """Return the newest state that is whole, or None."""
    for path in _newest_first(folder):
        try:
            about = json.loads(path.read_bytes())
            content = path.with_suffix(".npz").read_bytes()
            if hashlib.sha256(content).hexdigest() == about["sha256"]:
                with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                    arrays = {name: archive[name] for name in archive.files}
                return State(int(about["epoch"]), dict(about["metrics"]), arrays)
        except (OSError, ValueError, KeyError, TypeError):
            pass
        log.warning("the checkpoint %s is damaged; the one before is used, if there is one", path)
    return None


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("epoch-*.json"), reverse=True)


def _write(path: Path, content: bytes) -> None:
    aside = path.with_name(f"{path.name}.part")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)  # a full disk needs the room
        raise


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

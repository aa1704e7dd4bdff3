"""How the state of a trial is kept on disk, so that any end of the process loses at most the running epoch.

One checkpoint is two files: `epoch-000003.npz` (arrays, without pickle) and `epoch-000003.json` (epoch, metrics, and
SHA-256 of the arrays). Both are written aside, synced and renamed, the JSON last: it stands for a whole checkpoint.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

KEPT = 2


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


def load(folder: Path) -> State | None:
    """Return the newest state that is whole, or None."""
    for path in _newest_first(folder):
        try:
            about = json.loads(path.read_bytes())
            content = path.with_suffix(".npz").read_bytes()
            if hashlib.sha256(content).hexdigest() != about["sha256"]:
                continue
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            return State(int(about["epoch"]), dict(about["metrics"]), arrays)
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("epoch-*.json"), reverse=True)


def _write(path: Path, content: bytes) -> None:
    aside = path.with_name(f"{path.name}.part")
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

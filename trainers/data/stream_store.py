"""Where a stream is kept in files once it was read: numbers as they are trained on, shared by all who train on them.

Below the folder that `cache:` names lies one folder for each content, named by its fingerprint. It is written aside and
renamed, by one process at a time; a lock on a file (flock) that the system drops with the process tells who.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from trainers.data.data import Array, DataError

Blocks = Callable[[], Iterator[tuple[str, tuple[Array, ...]]]]
"""Gives blocks of examples, (x, y) or (x, y, weights), each (n, …), and their part: `train` or `held`."""


class Kept:
    """One part of a stream in files: `x`, `y` and perhaps weights as arrays (n, …) that the disk holds."""

    def __init__(self, folder: Path, part: str) -> None:
        about = json.loads((folder / f"{part}.json").read_text())
        self.arrays: list[Array] = [
            np.memmap(folder / f"{part}.{number}", np.dtype(kind), "r", shape=tuple(shape))
            for number, (kind, shape) in enumerate(about)
        ]
        self.rows: Array = np.arange(len(self.arrays[0]))
        self.batch_size = 1

    def batch(self, number: int) -> list[Array]:
        """Return the batch of this number, in the order of `rows`."""
        rows = self.rows[number * self.batch_size : (number + 1) * self.batch_size]
        return [np.asarray(array[rows]) for array in self.arrays]


def kept(folder: Path, source: str, fingerprint: str, blocks: Blocks) -> tuple[Kept, Kept]:
    """Return the parts `train` and `held`, written first if nobody has done so; what `source` gave before is removed.

    Raises DataError where the folder can't be written.
    """
    prefix = hashlib.sha256(source.encode()).hexdigest()[:12]
    place = folder / f"{prefix}-{fingerprint[:32]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder / f"{prefix}.lock"):
            if not place.is_dir():
                _write(place, prefix, blocks)
        return Kept(place, "train"), Kept(place, "held")
    except OSError as error:
        raise DataError(
            f"the cache {folder} can't be used: {error.strerror or error}; choose another folder, make room, or leave "
            "cache out"
        ) from error


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _write(place: Path, prefix: str, blocks: Blocks) -> None:
    # Those who still train on an old one have its files open: they keep them to the end.
    for old in place.parent.glob(f"{prefix}-*"):
        shutil.rmtree(old, ignore_errors=True)
    aside = place.with_name(f"{place.name}.part")
    aside.mkdir()
    try:
        _write_parts(aside, blocks)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    aside.rename(place)


def _write_parts(folder: Path, blocks: Blocks) -> None:
    about: dict[str, list[tuple[str, list[int]]]] = {}
    for part, block in blocks():
        known = about.setdefault(part, [(array.dtype.str, [0, *array.shape[1:]]) for array in block])
        for number, array in enumerate(block):
            with (folder / f"{part}.{number}").open("ab") as file:
                np.ascontiguousarray(array).tofile(file)
            known[number][1][0] += len(array)
    for part, arrays in about.items():
        (folder / f"{part}.json").write_text(json.dumps(arrays))


def batches(part: Kept, order: Callable[[int], Array]) -> Callable[..., Any]:
    """Return a function from a number that `order` takes and a batch size to a tf.data set of batches.

    TensorFlow never lets go of a Python function that a pipeline has called: so there is one for all trials.
    """
    import tensorflow as tf

    types = [tf.as_dtype(array.dtype) for array in part.arrays]
    read = part.batch

    def fetch(number: Any) -> Any:
        batch = tf.numpy_function(read, [number], types)
        for tensor, array in zip(batch, part.arrays, strict=True):
            tensor.set_shape((None, *array.shape[1:]))
        return tuple(batch)

    def made(key: int, batch_size: int) -> Any:
        part.rows, part.batch_size = order(key), batch_size
        return tf.data.Dataset.range(-(-len(part.rows) // batch_size)).map(fetch)

    return made


def shuffled(examples: int, window: int | None, seed: int, epoch: int) -> Array:
    """Return the rows in the order of an epoch: all shuffled, or `window` at a time (each among its neighbours)."""
    drawn = np.random.default_rng((seed, epoch))
    if window is None or window >= examples:
        return drawn.permutation(examples)
    rows = np.arange(examples)
    for start in range(0, examples, window):
        drawn.shuffle(rows[start : start + window])
    return rows

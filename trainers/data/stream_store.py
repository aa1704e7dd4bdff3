"""Where a stream is kept in files once it was read: numbers as they are trained on, shared by all who train on them.

Below the folder that `cache:` names lies one folder for each content, named by its fingerprint. It is written aside and
renamed, by one process at a time; a lock on a file (flock) that the system drops with the process tells who.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from spaces.spec import DataSpec
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


def source_of(spec: DataSpec, folder: Path) -> str:
    """Return a short name for where data comes from, whatever it holds now."""
    told = {key: value for key, value in spec.options.items() if key not in ("cache", "prefetch", "shuffle")}
    source = repr((spec.kind, str((folder / spec.location).resolve()), spec.validation, sorted(told.items())))
    return hashlib.sha256(source.encode()).hexdigest()[:12]


@contextmanager
def alone(folder: Path, source: str) -> Iterator[None]:
    """Wait until no other process reads this source into this folder. Raises DataError."""
    with _told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / f"{source}.lock").open("a")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"the cache {folder} can't be used: {error.strerror or error}; choose another folder, make room, or leave "
            "cache out"
        ) from error


def place_of(folder: Path, source: str, fingerprint: str) -> Path:
    """Return the folder for this content."""
    return folder / f"{source}-{fingerprint[:32]}"


def write(folder: Path, source: str, fingerprint: str, blocks: Blocks) -> Path:
    """Return where the content is, written first if it isn't yet; what the source gave before is removed.

    Call it `alone`. Raises DataError where the folder can't be written.
    """
    place = place_of(folder, source, fingerprint)
    if place.is_dir():
        return place
    # Those who still train on an old one have its files open: they keep them to the end.
    for old in folder.glob(f"{source}-*"):
        shutil.rmtree(old, ignore_errors=True)
    aside = place.with_name(f"{place.name}.part")
    with _told(folder):
        aside.mkdir()
        try:
            _write_parts(aside, blocks)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        return aside.rename(place)


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


def reading(place: Path, options: Mapping[str, Any]) -> tuple[Callable[[int, int, int], Any], Callable[[int], Any]]:
    """Return `training` and `validation` of a Stream, with the word `shuffle` of a source."""
    train, held = Kept(place, "train"), Kept(place, "held")
    window, read, read_held = options.get("shuffle"), _batches(train), _batches(held)

    def training(seed: int, epoch: int, batch_size: int) -> Any:
        return read(_shuffled(len(train.rows), window, seed, epoch), batch_size)

    def validation(batch_size: int) -> Any:
        return read_held(np.arange(len(held.rows)), batch_size).map(lambda x, y, *_: (x, y))

    return training, validation


def _batches(part: Kept) -> Callable[[Array, int], Any]:
    """Return a function from an order of rows and a batch size to a tf.data set of batches.

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

    def made(rows: Array, batch_size: int) -> Any:
        part.rows, part.batch_size = rows, batch_size
        return tf.data.Dataset.range(-(-len(rows) // batch_size)).map(fetch)

    return made


def _shuffled(examples: int, window: int | None, seed: int, epoch: int) -> Array:
    """Return the rows in the order of an epoch: all shuffled, or `window` at a time (each among its neighbours)."""
    drawn = np.random.default_rng((seed, epoch))
    if window is None or window >= examples:
        return drawn.permutation(examples)
    rows = np.arange(examples)
    for start in range(0, examples, window):
        drawn.shuffle(rows[start : start + window])
    return rows

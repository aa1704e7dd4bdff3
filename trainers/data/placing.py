"""Does a data set stay on the device, or is it streamed to it? Told beforehand too, without TensorFlow."""

from __future__ import annotations

import contextlib
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from spaces.spec import DataSpec
from trainers.data.data import DataError, Examples, Raw
from trainers.data.door import are_texts
from trainers.data.sources import read
from trainers.data.streamed import is_streamed
from trainers.data.table import files_of
from trainers.data.text import LONGEST

LARGEST_IN_MEMORY = 4 * 2**30
LARGEST_SHARE_OF_GPU = 0.25
LARGEST_READ = 2**30
"""Bytes of files that are read only to tell how large the data will be."""


def largest(memory: int | None) -> int:
    """Return how many bytes of data may stay on a device: a quarter of a GPU's `memory`, or 4 GB of the CPU's."""
    return LARGEST_IN_MEMORY if memory is None else int(memory * LARGEST_SHARE_OF_GPU)


def foretold(spec: DataSpec, folder: Path, memory: int | None) -> str:
    """Say in a line how much data there is and where it will be while it is trained on.

    memory: bytes of the GPU's, None for the CPU. A function of the user's is called; what Keras would download isn't.
    """
    try:
        files = size_of_files(spec, folder)
        if is_streamed(spec):
            why = "stream: true" if "stream" in spec.options else f"{spec.kind} always is"
            return f"{_size(files)} in files, streamed ({why})" if files else f"streamed ({why})"
        if spec.kind == "keras":
            return "known when a worker has loaded it"
        if spec.kind == "images":
            examples, size = _pictures(spec, folder)
        elif files > LARGEST_READ:
            return f"{_size(files)} in files; streamed if its numbers take more than {_share(memory)}"
        else:
            examples, size = _of(read(spec, folder), spec.validation)
    except DataError as error:
        return f"can't be read here: {str(error).splitlines()[0]}"
    where = "on the device" if size <= largest(memory) else f"streamed: more than {_share(memory)}"
    return f"{examples}, {_size(size)}, {where}"


def size_of_files(spec: DataSpec, folder: Path) -> int:
    """Return the bytes of the files that the data is in; 0 if it isn't in files, or they aren't there."""
    if spec.kind in ("set", "function", "dataset", "keras"):
        return 0
    path = folder / spec.location
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return sum(_unpacked(file) for file in files_of(path) if file.is_file())


def _unpacked(file: Path) -> int:
    """Return the bytes of a file; of an archive those that it says to unpack to, which may be a thousand times more."""
    if file.suffix == ".npz" and zipfile.is_zipfile(file):
        with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(file) as archive:
            return sum(part.file_size for part in archive.infolist())
    return file.stat().st_size


def check_room(spec: DataSpec, folder: Path) -> None:
    """Check that what is read into memory as a whole is no larger than what is left of it. Raises DataError."""
    if spec.kind not in ("csv", "parquet", "npz", "texts"):
        return
    files, free = size_of_files(spec, folder), psutil.virtual_memory().available
    if files > free:
        way_out = (
            "add stream: true" if spec.kind in ("csv", "parquet") else "stream it: tfrecord, or dataset: a function"
        )
        raise DataError(f"{_size(files)} in files, and {_size(free)} of memory are left; {way_out}")


def _pictures(spec: DataSpec, folder: Path) -> tuple[str, int]:
    from trainers.data.stream_images import files_by_class

    count, size = len(files_by_class(folder / spec.location)[1]), spec.options.get("size", (32, 32))
    return _parts(count, spec.validation), count * (math.prod(size) * spec.options.get("channels", 3) + 4)


def _of(raw: Raw, fraction: float) -> tuple[str, int]:
    row = 4 * math.prod(np.shape(raw.y)[1:]) + _row(raw)
    if raw.x_validation is None:
        return _parts(len(raw.x), fraction), len(raw.x) * row
    held = len(raw.x_validation)
    return f"{len(raw.x)} + {held} examples", (len(raw.x) + held) * row


def _row(raw: Raw) -> int:
    """Return the bytes of an example in numbers; of texts at most."""
    x: Examples | Sequence[Any] = raw.x
    if isinstance(x, pd.DataFrame):
        return 4 * x.shape[1]
    if isinstance(x, list):
        return 4 * (raw.length or max(len(one) for one in x)) * math.prod(np.shape(x[0])[1:])
    array = np.asarray(x)
    if are_texts(array):
        return 4 * (raw.length or min(LONGEST, max(len(text.split()) for text in array.reshape(-1))))
    return math.prod(array.shape[1:]) * (1 if array.dtype == np.uint8 and array.ndim > 2 else 4)


def _parts(count: int, fraction: float) -> str:
    held = math.ceil(count * fraction)
    return f"{count - held} + {held} examples"


def _size(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit != "MB" or size >= 100 else f"{size:.1f} MB"
        size /= 1000
    return f"{size:.1f} GB"


def _share(memory: int | None) -> str:
    if memory is None:
        return f"the {_size(largest(None))} that may stay in the CPU's memory"
    return f"a quarter of the device's {_size(memory)}"

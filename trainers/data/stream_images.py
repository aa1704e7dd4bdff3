"""How a folder of pictures per class is read while it is trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spaces.spec import DataSpec
from trainers.data.data import Array, Data, DataError, Raw
from trainers.data.door import Labels
from trainers.data.measuring import Put, measured
from trainers.data.split import split
from trainers.data.stream import PREFETCH, Parts, Stream, from_parts
from trainers.data.stream_found import Found, surveyed
from trainers.data.streamed import blocks, survey
from trainers.data.survey import sample_size

FEW = 4096
"""Pictures of the sample, at most."""

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif")


def images(spec: DataSpec, folder: Path, seed: int) -> Data:
    """Return the pictures as uint8 (height, width, channels); every class keeps its share. Raises DataError.

    The names of all files are kept in memory, and shuffled as a whole. Without `cache: FOLDER` only a sample is read
    before training: then scales are those of the sample.
    """
    path, options = folder / spec.location, spec.options
    names, files, y = files_by_class(path)
    train, held = split(y, spec.validation, seed, names)
    paths = np.array([str(file) for file in files])
    decode = _decoder(options)
    sets = {part: _pictures(paths[rows], y[rows]) for part, rows in (("train", train), ("held", held))}
    decoded = {part: items.map(decode, num_parallel_calls=-1) for part, items in sets.items()}
    parts = Parts(sets["train"], decoded["held"], len(train), decode)
    if isinstance(options.get("cache"), str):
        whole = blocks(decoded["train"], decoded["held"])
        seen, held_seen = survey(whole)
        return surveyed(spec, folder, Found(seen, held_seen, Labels(seen.y, held_seen.y, names)), parts, whole)
    made = [options.get(word) for word in ("size", "channels", "crop")]
    digest = repr(
        [made, seed, spec.validation, *((str(file.relative_to(path)), file.stat().st_size) for file in files)]
    )
    training, validation = from_parts(parts, options)
    data = _sampled(paths, y, (train, held), names, decode, seed)
    counts = np.bincount(y[train], minlength=len(names))
    prefetch = options.get("prefetch", PREFETCH)
    stream = Stream(training, validation, len(train), len(held), prefetch, counts=counts)
    return replace(data, stream=stream, fingerprint=hashlib.sha256(digest.encode()).hexdigest())


def _pictures(paths: Array, y: Array) -> Any:
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((paths, y))


def _sampled(
    paths: Array, y: Array, parts: tuple[Array, Array], names: tuple[str, ...], decode: Callable[..., Any], seed: int
) -> Data:
    """Return a data set of some pictures of each part alone. Raises DataError."""
    drawn = np.random.default_rng(seed)
    first = _decoded(paths[:1], y[:1], decode)
    most = min(FEW, sample_size(first[0].nbytes))
    samples = [np.sort(drawn.permutation(rows)[:most]) for rows in parts]
    x, held = (_decoded(paths[rows], y[rows], decode) for rows in samples)
    arrays = [x, y[samples[0]], held, y[samples[1]]]
    for array in arrays:
        array.flags.writeable = False
    return measured(Raw(x, arrays[1]), Put(x, held), arrays, Labels(arrays[1], arrays[3], names))


def files_by_class(path: Path) -> tuple[tuple[str, ...], list[Path], Array]:
    """Return the classes, all pictures, and the class number (int32) of each. Raises DataError."""
    folders = sorted(entry for entry in path.iterdir() if entry.is_dir()) if path.is_dir() else []
    if not folders:
        raise DataError(f"{path} has no folders; expected one folder of pictures per class")
    found = [sorted(file for file in one.rglob("*") if file.suffix.lower() in ENDINGS) for one in folders]
    empty = [one.name for one, files in zip(folders, found, strict=True) if not files]
    if empty:
        raise DataError(f"{path}: no pictures ({', '.join(ENDINGS)}) in {', '.join(empty[:10])}")
    y = np.repeat(np.arange(len(folders)), [len(files) for files in found]).astype(np.int32)
    return tuple(one.name for one in folders), [file for files in found for file in files], y


def _decoder(options: Mapping[str, Any]) -> Callable[[Any, Any], Any]:
    import keras
    import tensorflow as tf

    size, channels = tuple(options.get("size", (32, 32))), options.get("channels", 3)

    def decode(path: Any, y: Any) -> Any:
        x = tf.io.decode_image(tf.io.read_file(path), channels, expand_animations=False)
        x.set_shape((None, None, channels))
        x = keras.preprocessing.image.smart_resize(x, size) if options.get("crop") else tf.image.resize(x, size)
        return tf.cast(tf.round(x), tf.uint8), y

    return decode


def _decoded(paths: Array, y: Array, decode: Callable[[Any, Any], Any]) -> Array:
    """Return a few pictures as they will come. Raises DataError."""
    import tensorflow as tf

    pictures = tf.data.Dataset.from_tensor_slices((paths, y)).map(decode, num_parallel_calls=-1)
    try:
        return np.stack([x for x, _ in pictures.as_numpy_iterator()])
    except tf.errors.InvalidArgumentError as error:
        raise DataError(f"a picture can't be read: {error.message}") from error

"""How a folder of pictures per class is read while it is trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trainers.data.data import Array, Data, DataError
from trainers.data.door import Labels
from trainers.data.split import split
from trainers.data.stream import SAMPLE, stream
from trainers.data.streamed import Samples, data_of

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif")


def images(path: Path, folder: Path, fraction: float, seed: int, options: Mapping[str, Any]) -> Data:
    """Return the pictures as uint8 (height, width, channels); every class keeps its share. Raises DataError.

    The names of all files are kept in memory, and shuffled as a whole.
    """
    import tensorflow as tf

    names, files, y = _files(path)
    train, held = split(y, fraction, seed, names)
    paths = np.array([str(file) for file in files])
    decode = _decoder(options)
    items, held_items = (tf.data.Dataset.from_tensor_slices((paths[rows], y[rows])) for rows in (train, held))
    drawn = np.random.default_rng(seed)
    samples = [np.sort(drawn.permutation(rows)[:SAMPLE]) for rows in (train, held)]
    x, x_held = (_decoded(paths[rows], y[rows], decode) for rows in samples)
    made = [options.get(word) for word in ("size", "channels", "crop")]
    digest = repr([made, *((str(file.relative_to(path)), file.stat().st_size) for file in files)])
    source = stream(items, held_items.map(decode, num_parallel_calls=-1), len(train), options, folder, decode)
    labels = Labels(y[samples[0]], y[samples[1]], names)
    return data_of(Samples(x, x_held, labels), [digest, f"{seed} {fraction}"], source)


def _files(path: Path) -> tuple[tuple[str, ...], list[Path], Array]:
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

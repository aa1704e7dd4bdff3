"""How TFRecord files are read while they are trained on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spaces.errors import did_you_mean
from spaces.spec import DataSpec
from trainers.data.data import Data, DataError
from trainers.data.streamed import divided, examples


def records(spec: DataSpec, folder: Path, missing: bool) -> Data:
    """Return the tf.train.Examples of the files that a name (perhaps with *) fits. Raises DataError.

    `x`, `y` and `weights` name their features (image and label, x and y if left out). Encoded pictures are
    brought to `size`; numbers have `shape`, or are a row.
    """
    import tensorflow as tf

    path, options = folder / spec.location, spec.options
    files = sorted(str(file) for file in path.parent.glob(path.name)) if path.parent.is_dir() else []
    if not files:
        raise DataError(f"no file fits {path}")
    serialized = tf.data.TFRecordDataset(files)
    try:
        first = next(iter(serialized.take(1).as_numpy_iterator()), None)
    except tf.errors.DataLossError as error:
        raise DataError(f"{files[0]} can't be read as TFRecord: {error.message}") from error
    if first is None:
        raise DataError(f"{files[0]} holds no records")
    parse = _parser(tf.train.Example.FromString(first).features.feature, options)
    parsed = serialized.map(parse, num_parallel_calls=-1)
    return examples(spec, folder, *divided(parsed, spec.validation), missing)


def _parser(features: Any, options: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Return what makes (x, y) or (x, y, weight) of a record like the first one. Raises DataError."""
    import tensorflow as tf

    asked = [("x", ("x", "image")), ("y", ("y", "label")), *([("weights", ())] if options.get("weights") else [])]
    names = [_feature(features, options.get(key), guesses) for key, guesses in asked]
    kinds = [features[name].WhichOneof("kind") for name in names]
    lengths = [len(getattr(features[name], kind).value) for name, kind in zip(names, kinds, strict=True)]
    for name, kind in zip(names[1:], kinds[1:], strict=True):
        if kind == "bytes_list":
            raise DataError(f"the feature '{name}' holds texts; expected numbers: classes from 0, or a quantity")
    types = {"bytes_list": tf.string, "float_list": tf.float32, "int64_list": tf.int64}
    wanted = {
        name: tf.io.FixedLenFeature((length,), types[kind])
        for name, kind, length in zip(names, kinds, lengths, strict=True)
    }
    x_of = _picture(options) if kinds[0] == "bytes_list" else _numbers(names[0], lengths[0], options)

    def parse(record: Any) -> Any:
        found = tf.io.parse_single_example(record, wanted)
        return x_of(found[names[0]]), found[names[1]], *(tf.reshape(found[name], ()) for name in names[2:])

    return parse


def _picture(options: Mapping[str, Any]) -> Callable[[Any], Any]:
    import tensorflow as tf

    size, channels = options.get("size", (32, 32)), options.get("channels", 3)

    def decoded(x: Any) -> Any:
        x = tf.io.decode_image(x[0], channels, expand_animations=False)
        x.set_shape((None, None, channels))
        return tf.cast(tf.round(tf.image.resize(x, size)), tf.uint8)

    return decoded


def _numbers(name: str, length: int, options: Mapping[str, Any]) -> Callable[[Any], Any]:
    import tensorflow as tf

    shape = options.get("shape") or [length]
    if math.prod(shape) != length:
        raise DataError(f"the feature '{name}' has {length} numbers; data.shape {shape} has {math.prod(shape)}")
    return lambda x: tf.reshape(tf.cast(x, tf.float32), shape)


def _feature(features: Any, name: str | None, guesses: tuple[str, ...]) -> str:
    known = sorted(features)
    found = [guess for guess in ((name,) if name else guesses) if guess in known]
    if not found:
        wanted = name or guesses[0]
        hint = did_you_mean(wanted, known) or "."
        raise DataError(f"no feature '{wanted}'{hint} The first record has {', '.join(known)}")
    return found[0]

"""Which sources are read while they are trained on, and what of them is known beforehand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spaces.spec import DataSpec
from trainers import user_code
from trainers.data.data import Array, Column, Data, DataError, Raw
from trainers.data.door import Labels, check_examples
from trainers.data.measuring import Put, measured
from trainers.data.stream import Stream, Survey, stream, survey


def is_streamed(spec: DataSpec) -> bool:
    """Return whether the file asks for it, or the source can't be had otherwise."""
    return spec.kind in ("dataset", "tfrecord") or bool(spec.options.get("stream"))


def streamed(spec: DataSpec, folder: Path, seed: int, missing: bool = False) -> Data:
    """Return a data set whose arrays are samples and whose `stream` gives all. Raises DataError."""
    from trainers.data import stream_images, stream_records, stream_tables

    options = dict(spec.options)
    sources: dict[str, Callable[[], Data]] = {
        "dataset": lambda: from_function(spec.location, folder, spec.validation, options),
        "tfrecord": lambda: stream_records.records(spec.location, folder, spec.validation, options),
        "images": lambda: stream_images.images(folder / spec.location, folder, spec.validation, seed, options),
        "csv": lambda: stream_tables.table(spec, folder, seed, missing),
        "parquet": lambda: stream_tables.table(spec, folder, seed, missing),
    }
    return sources[spec.kind]()


def from_function(reference: str, folder: Path, fraction: float, options: Mapping[str, Any]) -> Data:
    """Return what the user's function does: a tf.data set of (x, y), or two, training and validation. Raises DataError.

    Of one alone every so many examples validate, by their places.
    """
    import tensorflow as tf

    try:
        function = user_code.function(reference, folder, ())
    except user_code.FindError as error:
        raise DataError(str(error)) from error
    try:
        given = function()
    except Exception as error:
        raise DataError(f"the function failed {user_code.told(error)}") from error
    parts = given if isinstance(given, tuple) else (given,)
    if len(parts) > 2 or not all(isinstance(part, tf.data.Dataset) for part in parts):
        names = ", ".join(type(part).__name__ for part in parts)
        raise DataError(f"the function returned {names}; expected a tf.data.Dataset, or two: (training, validation)")
    if any(part.cardinality() == tf.data.INFINITE_CARDINALITY for part in parts):
        raise DataError("the data set never ends; leave .repeat() out")
    train, held = parts if len(parts) == 2 else divided(parts[0], fraction)
    return examples(train, held, folder, options)


def divided(whole: Any, fraction: float) -> tuple[Any, Any]:
    """Return the training and the validation part of a tf.data set: of every 1 / `fraction` examples one validates."""
    import tensorflow as tf

    def validates(place: Any, _: Any) -> Any:
        share = tf.constant(fraction, tf.float64)
        return tf.floor(tf.cast(place + 1, tf.float64) * share) > tf.floor(tf.cast(place, tf.float64) * share)

    numbered = whole.enumerate()
    train = numbered.filter(lambda place, one: tf.logical_not(validates(place, one)))
    return train.map(lambda _, one: one), numbered.filter(validates).map(lambda _, one: one)


def examples(
    train: Any,
    held: Any,
    folder: Path,
    options: Mapping[str, Any],
    columns: tuple[Column, ...] | None = None,
    feature_names: tuple[str, ...] | None = None,
    class_names: tuple[str, ...] | None = None,
    missing: bool = False,
) -> Data:
    """Return the data set of two tf.data sets of examples (x, y), read once to learn of them. Raises DataError."""
    import tensorflow as tf

    for part in (train, held):
        _check_element(part)
    train, held = train.map(_typed), held.map(_typed)
    seen, held_seen = survey(train, "training"), survey(held, "validation")
    labels = _labels(seen, held_seen, options.get("task"))
    if class_names is not None:
        labels = replace(labels, class_names=class_names)
    train, held = (part.map(_labelled(labels.y.dtype)) for part in (train, held))
    # `fit` and `evaluate` that don't know where the data ends begin one more step to find out.
    counts = (seen.examples, held_seen.examples)
    train, held = (
        part.apply(tf.data.experimental.assert_cardinality(count))
        for part, count in zip((train, held), counts, strict=True)
    )
    source = stream(train, held, seen.examples, options, folder, None)
    samples = Samples(seen.x, held_seen.x, labels, columns, feature_names, missing)
    return data_of(samples, [seen.digest, held_seen.digest], source)


@dataclass(frozen=True)
class Samples:
    """Examples of both parts in numbers, and what is known of all."""

    x: Array
    held: Array
    labels: Labels
    columns: tuple[Column, ...] | None = None
    feature_names: tuple[str, ...] | None = None
    missing: bool = False


def data_of(samples: Samples, digests: list[str], source: Stream) -> Data:
    """Return a data set of samples and the stream that they are of. Raises DataError."""
    names, labels = samples.feature_names, samples.labels
    x, held = (
        np.asarray(check_examples(name, part, names, samples.missing))
        for name, part in (("x", samples.x), ("x_validation", samples.held))
    )
    assert labels.y_validation is not None
    parts = [np.ascontiguousarray(part) for part in (x, labels.y, held, labels.y_validation)]
    for part in parts:
        part.flags.writeable = False
    data = measured(Raw(x, labels.y, feature_names=names), Put(x, held, samples.columns), parts, labels)
    digest = hashlib.sha256("".join([*digests, repr(samples.columns)]).encode()).hexdigest()
    # Somewhere else in the stream a value may be missing where the sample has none.
    return replace(data, stream=source, fingerprint=digest, missing=data.missing or samples.missing)


def _check_element(part: Any) -> None:
    element = part.element_spec
    if not isinstance(element, tuple) or len(element) != 2 or not all(hasattr(one, "shape") for one in element):
        raise DataError(f"the data set gives {element}; expected examples (x, y), one at a time, not in batches")
    if element[0].dtype.name == "string":
        raise DataError("x is text, which can't be streamed; use texts or csv, which fit in memory")
    shape = element[0].shape
    if shape.rank is None or not shape.is_fully_defined() or shape.rank == 0:
        raise DataError(
            f"x has the shape {shape}; expected the same shape for each example, and no batches: "
            "set it with tf.ensure_shape, take batches apart with .unbatch()"
        )


def _typed(x: Any, y: Any) -> Any:
    """Bytes of images stay bytes, other numbers become float32; labels are judged by their type."""
    import tensorflow as tf

    x = x if x.dtype == tf.uint8 and x.shape.rank > 1 else tf.cast(x, tf.float32)
    y = tf.squeeze(y) if y.shape.rank == 1 and y.shape[0] == 1 else y
    return x, y


def _labelled(dtype: Any) -> Callable[[Any, Any], Any]:
    import tensorflow as tf

    return lambda x, y: (x, tf.cast(y, tf.as_dtype(dtype)))


def _labels(seen: Survey, held: Survey, task: str | None) -> Labels:
    """Return the labels of the samples, checked by those of all examples. Raises DataError."""
    if task == "multi_label" or seen.y.ndim == 2:
        if seen.y.ndim != 2 or not np.isin(np.concatenate([seen.y, held.y]), (0, 1)).all():
            raise DataError(f"y has shape {seen.y.shape[1:]}; expected (labels,) of 0 and 1 for multi_label")
        names = tuple(map(str, range(seen.y.shape[1])))
        return Labels(seen.y.astype(np.float32), held.y.astype(np.float32), names)
    if seen.y.dtype.kind not in "biuf":
        raise DataError(f"y has dtype {seen.y.dtype}; expected class numbers from 0, or a quantity")
    if task == "regression" or (task is None and seen.y.dtype.kind == "f"):
        return Labels(seen.y.astype(np.float32), held.y.astype(np.float32), None)
    known = np.union1d(seen.labels, held.labels)
    if len(known) < 2 or known[0] != 0 or known[-1] != len(known) - 1:
        shown = ", ".join(map(str, known[:10].tolist()))
        raise DataError(f"y holds the labels {shown}; expected whole class numbers from 0 without a gap, at least 2")
    return Labels(seen.y.astype(np.int32), held.y.astype(np.int32), tuple(map(str, known.tolist())))

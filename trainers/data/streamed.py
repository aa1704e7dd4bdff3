"""Which sources are read while they are trained on, and what of them is known beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spaces.spec import DataSpec
from trainers.data import stream_known, stream_store
from trainers.data.data import Array, Data, DataError
from trainers.data.door import Labels
from trainers.data.sources import called, existing
from trainers.data.stream import Parts
from trainers.data.stream_found import Found, padded, surveyed
from trainers.data.stream_store import Blocks
from trainers.data.survey import Survey, Surveyor

BLOCK_NUMBERS = 2**18
"""Numbers of a block of examples that is looked at in one go."""


def is_streamed(spec: DataSpec) -> bool:
    """Return whether the file asks for it, or the source can't be had otherwise."""
    return spec.kind in ("dataset", "tfrecord") or bool(spec.options.get("stream"))


def streamed(spec: DataSpec, folder: Path, seed: int, missing: bool = False) -> Data:
    """Return a data set whose arrays are samples and whose `stream` gives all. Raises DataError."""
    from trainers.data import stream_images, stream_records, stream_tables

    sources: dict[str, Callable[[], Data]] = {
        "dataset": lambda: from_function(spec, folder, missing),
        "tfrecord": lambda: stream_records.records(spec, folder, missing),
        "images": lambda: stream_images.images(spec, folder, seed),
        "csv": lambda: stream_tables.table(spec, folder, seed, missing),
        "parquet": lambda: stream_tables.table(spec, folder, seed, missing),
    }
    path = folder / spec.location
    if spec.kind in ("csv", "parquet", "images") or (spec.kind == "tfrecord" and path.exists()):
        existing(path)
    cache = spec.options.get("cache")
    if not isinstance(cache, str):
        return sources[spec.kind]()
    source, mark = stream_store.source_of(spec, folder), stream_known.stamp(spec, folder, seed, missing)
    with stream_store.alone(folder / cache, source):
        known = stream_known.recall(folder / cache, source, mark, spec.options) if mark else None
        if known is not None:
            return known
        data = sources[spec.kind]()
        if mark:
            stream_known.remember(folder / cache, source, mark, data)
        return data


def from_function(spec: DataSpec, folder: Path, missing: bool) -> Data:
    """Return what the user's function does: a tf.data set of (x, y), or two, training and validation. Raises DataError.

    Training examples may be (x, y, weight). Of one set alone every so many examples validate, by their places.
    """
    import tensorflow as tf

    given = called(spec.location, folder)
    parts = given if isinstance(given, tuple) else (given,)
    if len(parts) > 2 or not all(isinstance(part, tf.data.Dataset) for part in parts):
        names = ", ".join(type(part).__name__ for part in parts)
        raise DataError(f"the function returned {names}; expected a tf.data.Dataset, or two: (training, validation)")
    if any(part.cardinality() == tf.data.INFINITE_CARDINALITY for part in parts):
        raise DataError("the data set never ends; leave .repeat() out")
    train, held = parts if len(parts) == 2 else divided(parts[0], spec.validation)
    return examples(spec, folder, train, held, missing)


def divided(whole: Any, fraction: float) -> tuple[Any, Any]:
    """Return the training and the validation part of a tf.data set: of every 1 / `fraction` examples one validates."""
    import tensorflow as tf

    def validates(place: Any, _: Any) -> Any:
        share = tf.constant(fraction, tf.float64)
        return tf.floor(tf.cast(place + 1, tf.float64) * share) > tf.floor(tf.cast(place, tf.float64) * share)

    numbered = whole.enumerate()
    train = numbered.filter(lambda place, one: tf.logical_not(validates(place, one)))
    return train.map(lambda _, one: one), numbered.filter(validates).map(lambda _, one: one)


def examples(spec: DataSpec, folder: Path, train: Any, held: Any, missing: bool) -> Data:
    """Return the data set of two tf.data sets of examples (x, y) or (x, y, weight), read once to learn of them.

    Raises DataError.
    """
    weighted = _has_weights(train)
    _has_weights(held)
    train, held = train.map(_typed), held.map(_typed)
    seen, held_seen = survey(blocks(train, held))
    labels = _labels(seen, held_seen, spec.options.get("task"))
    # Data that has become less since is noticed.
    train, held = (
        _counted(whole.map(_labelled(labels.y.dtype)), part.examples)
        for whole, part in ((train, seen), (held, held_seen))
    )
    found = Found(seen, held_seen, labels, weighted, missing=missing and seen.x.ndim == 2)
    return surveyed(spec, folder, found, Parts(train, held, seen.examples), blocks(train, held))


def _counted(examples: Any, count: int) -> Any:
    import tensorflow as tf

    return examples.apply(tf.data.experimental.assert_cardinality(count))


def blocks(train: Any, held: Any) -> Blocks:
    """Return what gives two tf.data sets of examples in blocks of NumPy arrays."""
    size = min(4096, max(1, BLOCK_NUMBERS // train.element_spec[0].shape.num_elements()))

    def given() -> Iterator[tuple[str, tuple[Array, ...]]]:
        for part, examples in (("train", train), ("held", held)):
            for block in examples.batch(size).as_numpy_iterator():
                yield part, block

    return given


def survey(blocks: Blocks) -> tuple[Survey, Survey]:
    """Read every example of both parts once. The same data gives the same sample. Raises DataError."""
    import tensorflow as tf

    surveyors = {"train": Surveyor("training"), "held": Surveyor("validation")}
    try:
        for part, block in blocks():
            surveyors[part].see(*block)
    except tf.errors.OpError as error:
        raise DataError(f"an example can't be read: {_first_line(error)}") from error
    return surveyors["train"].result(), surveyors["held"].result()


def _first_line(error: Any) -> str:
    return next((line.strip() for line in str(error.message).splitlines() if line.strip()), type(error).__name__)[:300]


def _has_weights(part: Any) -> bool:
    """Return whether examples have weights. Raises DataError."""
    element = part.element_spec
    if (
        not isinstance(element, tuple)
        or len(element) not in (2, 3)
        or not all(hasattr(one, "shape") for one in element)
    ):
        raise DataError(f"the data set gives {element}; expected examples (x, y), one at a time, not in batches")
    if element[0].dtype.name == "string":
        raise DataError("x is text, which can't be streamed; use texts or csv, which fit in memory")
    shape = element[0].shape
    if shape.rank is None or not shape.is_fully_defined() or shape.rank == 0:
        raise DataError(
            f"x has the shape {shape}; expected the same shape for each example, and no batches: "
            "set it with tf.ensure_shape, take batches apart with .unbatch()"
        )
    if len(element) == 3 and element[2].shape.rank not in (0, None):
        raise DataError(f"weights have the shape {element[2].shape}; expected one number for each example")
    return len(element) == 3


def _typed(x: Any, y: Any, *weight: Any) -> Any:
    """Bytes of images stay bytes, other numbers become float32; labels are judged by their type."""
    import tensorflow as tf

    x = x if x.dtype == tf.uint8 and x.shape.rank > 1 else tf.cast(x, tf.float32)
    y = tf.squeeze(y) if y.shape.rank == 1 and y.shape[0] == 1 else y
    return x, y, *(tf.cast(one, tf.float32) for one in weight)


def _labelled(dtype: Any) -> Callable[..., Any]:
    import tensorflow as tf

    return lambda x, y, *weight: (x, tf.cast(y, tf.as_dtype(dtype)), *weight)


def _labels(seen: Survey, held: Survey, task: str | None) -> Labels:
    """Return the labels of the samples, checked by those of all examples. Raises DataError."""
    if task == "multi_label" or seen.y.ndim == 2:
        if seen.y.ndim != 2:
            raise DataError(f"y has shape {seen.y.shape[1:]}; expected (labels,) of 0 and 1 for multi_label")
        names = tuple(map(str, range(seen.y.shape[1])))
        return Labels(seen.y.astype(np.float32), held.y.astype(np.float32), names)
    if seen.y.dtype.kind not in "biuf":
        raise DataError(f"y has dtype {seen.y.dtype}; expected class numbers from 0, or a quantity")
    if task == "regression" or (task is None and seen.y.dtype.kind == "f"):
        return Labels(seen.y.astype(np.float32), held.y.astype(np.float32), None)
    if seen.counts is None or held.counts is None:
        raise DataError("y holds fractions; expected whole class numbers from 0, or task: regression")
    size = max(len(seen.counts), len(held.counts))
    known = np.flatnonzero(padded(seen.counts, size) + padded(held.counts, size))
    if len(known) < 2 or len(known) != size:
        shown = ", ".join(map(str, known[:10].tolist()))
        raise DataError(f"y holds the labels {shown}; expected whole class numbers from 0 without a gap, at least 2")
    return Labels(seen.y.astype(np.int32), held.y.astype(np.int32), tuple(map(str, known.tolist())))

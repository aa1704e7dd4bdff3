"""What data set comes of a stream that was read once: samples of it, scales of it all, and how to read it again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spaces.spec import DataSpec
from trainers.data import stream_store
from trainers.data.data import Array, Column, Data, Raw
from trainers.data.door import Labels, check_examples
from trainers.data.measuring import Put, measured
from trainers.data.stream import PREFETCH, Parts, Stream, from_parts
from trainers.data.stream_store import Blocks
from trainers.data.survey import Survey, check_numbers


@dataclass(frozen=True)
class Found:
    """What the pass over a stream found, and the labels of its samples."""

    train: Survey
    held: Survey
    labels: Labels
    weighted: bool = False
    columns: tuple[Column, ...] | None = None
    feature_names: tuple[str, ...] | None = None
    missing: bool = False


def surveyed(spec: DataSpec, folder: Path, found: Found, parts: Parts, whole: Blocks) -> Data:
    """Return the data set of a stream that was read once; with `cache: FOLDER` it is kept there. Raises DataError."""
    seen, held, options = found.train, found.held, spec.options
    for what, part in (("training", seen), ("validation", held)):
        check_numbers(what, part.moments, found.feature_names, found.missing)
    digest = hashlib.sha256("".join([seen.digest, held.digest, repr(found.columns)]).encode()).hexdigest()
    if isinstance(options.get("cache"), str):
        cache = folder / options["cache"]
        place = stream_store.write(cache, stream_store.source_of(spec, folder), digest, whole)
        training, validation = stream_store.reading(place, options)
    else:
        training, validation = from_parts(parts, options)
    data = _of_samples(found, digest)
    counts = None if seen.counts is None or data.task != "classification" else padded(seen.counts, data.classes or 0)
    source_stream = Stream(
        training,
        validation,
        seen.examples,
        held.examples,
        options.get("prefetch", PREFETCH),
        found.weighted,
        counts,
        seen.moments,
    )
    return replace(_exact(data, seen), stream=source_stream, missing=data.missing or found.missing)


def padded(counts: Array, classes: int) -> Array:
    """Return the counts with zeros for classes that were not there."""
    return np.pad(counts, (0, max(0, classes - len(counts))))


def _of_samples(found: Found, digest: str) -> Data:
    """Return a data set of the samples alone. Raises DataError."""
    names, labels = found.feature_names, found.labels
    x, held = (
        np.asarray(check_examples(name, part, names, found.missing))
        for name, part in (("x", found.train.x), ("x_validation", found.held.x))
    )
    assert labels.y_validation is not None
    parts = [np.ascontiguousarray(part) for part in (x, labels.y, held, labels.y_validation)]
    for part in parts:
        part.flags.writeable = False
    data = measured(Raw(x, labels.y, feature_names=names), Put(x, held, found.columns), parts, labels)
    return replace(data, fingerprint=digest)


def _exact(data: Data, seen: Survey) -> Data:
    """Put the scales of the whole training part in the place of the sample's."""
    known, labels = seen.moments, seen.label_moments
    changed: dict[str, Any] = {"minimum": min(0.0, float(known.least.min()))}
    if data.x_train.dtype != np.uint8:
        changed["maximum"] = max(1.0, float(known.most.max()), -float(known.least.min()))
    if data.mean is not None:
        changed |= {"mean": known.mean.astype(np.float32), "variance": known.variance.astype(np.float32)}
    if data.task == "regression" and labels is not None:
        changed |= {"target_mean": float(labels.mean[0]), "target_deviation": float(labels.variance[0]) ** 0.5 or 1.0}
    return replace(data, **changed)

"""How a data set comes in: read from its source, checked, split, measured, and locked."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spaces.spec import DataSpec
from trainers.data.data import Array, Data, DataError, Raw
from trainers.data.door import check_examples, check_labels
from trainers.data.fingerprint import fingerprint
from trainers.data.sources import read
from trainers.data.split import split


def load(spec: DataSpec, folder: Path, seed: int) -> Data:
    """Read, check and split the data set that the file names; relative paths are relative to `folder`.

    The same `seed` gives the same split. Raises DataError.
    """
    try:
        raw = read(spec, folder)
        return prepared(raw, spec.validation, seed)
    except DataError as error:
        raise DataError(f"data {spec.kind}: {spec.location}: {error}") from error.__cause__


def prepared(raw: Raw, fraction: float, seed: int) -> Data:
    """Check and split what a source gave. Raises DataError."""
    x = check_examples("x", raw.x, raw.feature_names)
    labels = check_labels(raw)
    if len(x) != len(labels.y):
        raise DataError(f"x has {len(x)} examples and y has {len(labels.y)} labels; expected as many")
    if raw.x_validation is None or labels.y_validation is None:
        train, held = split(labels.y, fraction, seed, labels.class_names)
        x_train, x_validation = x[train], x[held]
        y_train, y_validation = labels.y[train], labels.y[held]
    else:
        x_train, x_validation = x, check_examples("x_validation", raw.x_validation, raw.feature_names)
        y_train, y_validation = labels.y, labels.y_validation
        if len(x_validation) != len(y_validation):
            raise DataError(
                f"x_validation has {len(x_validation)} examples and y_validation {len(y_validation)} labels"
            )
        if x_validation.shape[1:] != x_train.shape[1:]:
            raise DataError(
                f"examples of x have shape {x_train.shape[1:]}, those of x_validation {x_validation.shape[1:]}"
            )
        x_validation = x_validation.astype(x_train.dtype, copy=False)
    parts = tuple(np.ascontiguousarray(part) for part in (x_train, y_train, x_validation, y_validation))
    for part in parts:
        part.flags.writeable = False
    return _measured(raw, parts, labels.class_names)


def _measured(raw: Raw, parts: tuple[Array, ...], class_names: tuple[str, ...] | None) -> Data:
    """Add what a model must know: scales of the training part alone, and the fingerprint."""
    x_train, y_train, x_validation, y_validation = parts
    table = x_train.ndim == 2
    regression = class_names is None
    deviation = float(y_train.std(dtype=np.float64)) if regression else 1.0
    return Data(
        x_train=x_train,
        y_train=y_train,
        x_validation=x_validation,
        y_validation=y_validation,
        task="regression" if regression else "classification",
        classes=None if class_names is None else len(class_names),
        class_names=class_names,
        feature_names=raw.feature_names,
        minimum=min(0.0, float(x_train.min())),
        maximum=_maximum(x_train),
        mean=_locked(x_train.mean(axis=0, dtype=np.float64)) if table else None,
        variance=_locked(x_train.var(axis=0, dtype=np.float64)) if table else None,
        target_mean=float(y_train.mean(dtype=np.float64)) if regression else 0.0,
        target_deviation=deviation or 1.0,
        fingerprint=fingerprint(parts),
    )


def _maximum(x: Array) -> float:
    """Return what the examples are divided by: 255 for bytes, else the largest size of a value if that is above 1."""
    if x.dtype == np.uint8:
        return 255.0
    return max(1.0, float(x.max()), -float(x.min()))


def _locked(array: Array) -> Array:
    array = array.astype(np.float32)
    array.flags.writeable = False
    return array

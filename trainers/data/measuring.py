"""What a model must know of a data set: scales of the training part, and a fingerprint of it all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainers.data.data import MISSING, Array, Column, Data, Raw
from trainers.data.door import Labels
from trainers.data.fingerprint import fingerprint


@dataclass(frozen=True)
class Put:
    """Examples in numbers, and what the numbers mean."""

    x_train: Array
    x_validation: Array
    columns: tuple[Column, ...] | None = None
    vocabulary: tuple[str, ...] | None = None
    padding: Any = None


def measured(raw: Raw, put: Put, parts: Sequence[Array], labels: Labels, weights: Array | None = None) -> Data:
    """Add what a model must know: scales of the training part alone, and the fingerprint."""
    x_train, y_train, x_validation, y_validation = parts
    task, deviation = _task(labels), 1.0
    if task == "regression":
        deviation = float(y_train.std(dtype=np.float64)) or 1.0
    meaning = [thing for thing in (put.columns, put.vocabulary, put.padding) if thing is not None]
    names = labels.class_names
    table = x_train.ndim == 2 and put.vocabulary is None
    return Data(
        x_train=x_train,
        y_train=y_train,
        x_validation=x_validation,
        y_validation=y_validation,
        task=task,
        classes=None if names is None else len(names),
        class_names=names,
        feature_names=tuple(column.name for column in put.columns) if put.columns else raw.feature_names,
        minimum=min(0.0, float(np.nanmin(x_train))),
        maximum=_maximum(x_train),
        mean=_locked(np.nanmean(x_train, axis=0, dtype=np.float64)) if table else None,
        variance=_locked(np.nanvar(x_train, axis=0, dtype=np.float64)) if table else None,
        target_mean=float(y_train.mean(dtype=np.float64)) if task == "regression" else 0.0,
        target_deviation=deviation,
        fingerprint=fingerprint([*parts, *([] if weights is None else [weights])], meaning),
        columns=put.columns,
        vocabulary=put.vocabulary,
        missing=table and bool(np.isnan(x_train).any() or np.isnan(x_validation).any() or _absent(put, parts)),
        padding=put.padding,
        sample_weight_train=weights,
    )


def _task(labels: Labels) -> Any:
    if labels.class_names is None:
        return "regression"
    return "classification" if labels.y.ndim == 1 else "multi_label"


def _absent(put: Put, parts: Sequence[Array]) -> bool:
    """Return whether a category is missing anywhere."""
    codes = [position for position, column in enumerate(put.columns or ()) if column.categories]
    return any(bool((x[:, codes] == MISSING).any()) for x in (parts[0], parts[2]))


def _maximum(x: Array) -> float:
    """Return what the examples are divided by: 255 for bytes, else the largest size of a value if that is above 1."""
    if x.dtype == np.uint8:
        return 255.0
    return max(1.0, float(np.nanmax(x)), -float(np.nanmin(x)))


def _locked(array: Any) -> Array:
    locked = np.array(array, np.float32)
    locked.flags.writeable = False
    return locked

"""Whether examples and labels can be trained on: types, shapes, missing values, classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainers.data.data import Array, DataError, Raw

MOST_CLASSES_OF_NUMBERS = 100


@dataclass(frozen=True)
class Labels:
    """Checked labels: class numbers (int32) with the classes' names, or float32 targets with `class_names` None."""

    y: Array
    y_validation: Array | None
    class_names: tuple[str, ...] | None


def check_examples(name: str, x: Array, feature_names: Sequence[str] | None = None) -> Array:
    """Return the examples as uint8 (images of bytes) or float32. Raises DataError."""
    x = np.asarray(x)
    if x.ndim < 2:
        raise DataError(f"{name} has shape {x.shape}; expected (examples, …). One feature is {name}.reshape(-1, 1)")
    if 0 in x.shape:
        raise DataError(f"{name} is empty: its shape is {x.shape}")
    if x.dtype == object or x.dtype.kind not in "biuf":
        raise DataError(
            f"{name} has dtype {x.dtype}; expected numbers. Texts and lists of different lengths can't be trained on"
        )
    if x.dtype == np.uint8 and x.ndim > 2:
        return x
    if x.dtype.kind == "f":
        _check_finite(name, x, feature_names)
    return x.astype(np.float32, copy=False)


def _check_finite(name: str, x: Array, feature_names: Sequence[str] | None) -> None:
    bad = ~np.isfinite(x)
    if not bad.any():
        return
    count, rows = int(bad.sum()), int(bad.reshape(len(x), -1).any(axis=1).sum())
    where = ""
    if feature_names is not None and x.ndim == 2:
        columns = [f"{feature_names[i]} ({bad[:, i].sum()})" for i in np.flatnonzero(bad.any(axis=0))[:10]]
        where = f", in {', '.join(columns)}"
    raise DataError(
        f"{name} has {count} NaN or infinite values in {rows} of {len(x)} examples{where}; fill or drop them"
    )


def check_labels(raw: Raw) -> Labels:
    """Return class numbers or targets. Raises DataError."""
    y = _one_column("y", raw.y)
    held = None if raw.y_validation is None else _one_column("y_validation", raw.y_validation)
    regression = raw.task == "regression" or (raw.task is None and _looks_continuous(y))
    if regression:
        return Labels(_targets("y", y), None if held is None else _targets("y_validation", held), None)
    return _classes(y, held, raw.class_names)


def _one_column(name: str, y: Array) -> Array:
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        hint = f"; one-hot labels are {name}.argmax(axis=1)" if y.ndim == 2 else ""
        raise DataError(f"{name} has shape {y.shape}; expected (examples,){hint}")
    if len(y) == 0:
        raise DataError(f"{name} is empty")
    if y.dtype == object:
        kinds = {type(value) for value in y.tolist()}
        if kinds - {str, bool, int}:
            names = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise DataError(f"{name} has dtype object with values of type {names}; expected numbers or texts")
        y = y.astype(str) if str in kinds else y.astype(np.int64)
    return y


def _looks_continuous(y: Array) -> bool:
    """Fractions are targets, texts and flags are classes; whole numbers are classes, unless there are too many."""
    if y.dtype.kind in "USb":
        return False
    if y.dtype.kind == "f":
        return True
    if len(np.unique(y)) > MOST_CLASSES_OF_NUMBERS:
        raise DataError(
            f"y holds {len(np.unique(y))} different whole numbers: classes, or a quantity? "
            "write task: classification or task: regression under data"
        )
    return False


def _targets(name: str, y: Array) -> Array:
    if y.dtype.kind not in "biuf":
        raise DataError(f"{name} has dtype {y.dtype}; expected numbers for a regression")
    _check_finite(name, y, None)
    return y.astype(np.float32)


def _classes(y: Array, held: Array | None, class_names: tuple[str, ...] | None) -> Labels:
    if y.dtype.kind == "f":
        _check_finite("y", y, None)
        if (y != np.floor(y)).any():
            raise DataError("y holds fractions; expected class numbers, or task: regression")
        y = y.astype(np.int64)
    values, numbers = np.unique(y, return_inverse=True)
    if len(values) < 2:
        raise DataError(f"y has one class only ({values[0]}); expected at least 2")
    if held is not None:
        unknown = np.setdiff1d(held, values)
        if len(unknown):
            raise DataError(f"y_validation has classes that y lacks: {', '.join(map(str, unknown[:10]))}")
        held = np.searchsorted(values, held.astype(values.dtype)).astype(np.int32)
    if class_names is None or len(class_names) != len(values):
        class_names = tuple(str(value) for value in values.tolist())
    return Labels(numbers.reshape(-1).astype(np.int32), held, class_names)

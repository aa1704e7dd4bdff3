"""Whether examples and labels can be trained on: types, shapes, missing values, classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trainers.data.data import Array, DataError, Examples, Raw
from trainers.data.sequences import are_sequences, stacked

MOST_CLASSES_OF_NUMBERS = 100


@dataclass(frozen=True)
class Labels:
    """Checked labels: class numbers (int32) with the classes' names, or float32 targets with `class_names` None.

    Several labels at once are float32 (n, labels) with the labels' names.
    """

    y: Array
    y_validation: Array | None
    class_names: tuple[str, ...] | None


def check_examples(
    name: str, x: Examples, feature_names: Sequence[str] | None = None, missing: bool = False
) -> Examples:
    """Return the examples as uint8 (images of bytes), float32, objects (texts), a table, or a list of sequences.

    With `missing`, values of a table may be missing. Raises DataError.
    """
    if isinstance(x, pd.DataFrame):
        _check_table(name, x, missing)
        return x
    if are_sequences(x):
        return stacked(name, list(x))
    x = np.asarray(x)
    if are_texts(x):
        return x.reshape(-1)
    if x.ndim < 2:
        raise DataError(f"{name} has shape {x.shape}; expected (examples, …). One feature is {name}.reshape(-1, 1)")
    if 0 in x.shape:
        raise DataError(f"{name} is empty: its shape is {x.shape}")
    if x.dtype == object or x.dtype.kind not in "biuf":
        raise DataError(
            f"{name} has dtype {x.dtype}; expected numbers, texts of shape (examples,), or a pandas DataFrame with "
            "columns of texts"
        )
    if x.dtype == np.uint8 and x.ndim > 2:
        return x
    if x.dtype.kind == "f":
        _check_finite(name, x, feature_names, missing and x.ndim == 2)
    return x.astype(np.float32, copy=False)


def are_texts(x: Array) -> bool:
    """Return whether the array holds one text per example: (n,) or (n, 1)."""
    one = x.ndim == 1 or (x.ndim == 2 and x.shape[1] == 1)
    if not one or not x.size:
        return False
    return x.dtype.kind == "U" or (x.dtype == object and all(isinstance(text, str) for text in x.reshape(-1)))


FILL = "write preprocessing: {missing: median} under space to fill them"


def _check_table(name: str, x: pd.DataFrame, missing: bool) -> None:
    if 0 in x.shape:
        raise DataError(f"{name} is empty: its shape is {x.shape}")
    numbers = x.select_dtypes("number")
    infinite = numbers.columns[np.isinf(numbers.to_numpy(np.float64, na_value=np.nan)).any(axis=0)]
    if len(infinite):
        raise DataError(f"{name} has infinite values in {', '.join(map(str, infinite[:10]))}; drop these rows")
    counts = x.isna().sum()
    columns = [f"{column} ({count} of {len(x)})" for column, count in counts.items() if count]
    if columns and not missing:
        raise DataError(f"missing values in {', '.join(columns[:10])}; {FILL}, drop the rows, or ignore the columns")


def _check_finite(name: str, x: Array, feature_names: Sequence[str] | None, missing: bool = False) -> None:
    bad = np.isinf(x) if missing else ~np.isfinite(x)
    if not bad.any():
        return
    way_out = f"{FILL}, or drop them" if x.ndim == 2 and not missing and not np.isinf(x).any() else "fill or drop them"
    count, rows = int(bad.sum()), int(bad.reshape(len(x), -1).any(axis=1).sum())
    where = ""
    if feature_names is not None and x.ndim == 2:
        columns = [f"{feature_names[i]} ({bad[:, i].sum()})" for i in np.flatnonzero(bad.any(axis=0))[:10]]
        where = f", in {', '.join(columns)}"
    raise DataError(f"{name} has {count} NaN or infinite values in {rows} of {len(x)} examples{where}; {way_out}")


def check_labels(raw: Raw) -> Labels:
    """Return class numbers or targets. Raises DataError."""
    if raw.task == "multi_label":
        y, held = _several("y", raw.y), None if raw.y_validation is None else _several("y_validation", raw.y_validation)
        names = raw.class_names if raw.class_names and len(raw.class_names) == y.shape[1] else None
        return Labels(y, held, names or tuple(map(str, range(y.shape[1]))))
    y = _one_column("y", raw.y)
    held = None if raw.y_validation is None else _one_column("y_validation", raw.y_validation)
    regression = raw.task == "regression" or (raw.task is None and _looks_continuous(y))
    if regression:
        return Labels(_targets("y", y), None if held is None else _targets("y_validation", held), None)
    return _classes(y, held, raw.class_names)


def _several(name: str, y: Array) -> Array:
    """Return several labels at once, float32 (n, labels) of 0 and 1."""
    y = np.asarray(y)
    if y.ndim != 2 or y.shape[1] < 2 or not len(y):
        raise DataError(
            f"{name} has shape {y.shape}; expected (examples, labels) with at least 2 labels for multi_label"
        )
    if y.dtype.kind not in "biuf" or not np.isin(y, (0, 1)).all():
        raise DataError(f"{name} holds more than 0 and 1; expected one column of 0 and 1 per label for multi_label")
    return y.astype(np.float32)


def check_weights(raw: Raw) -> Array | None:
    """Return how much each example counts, float32 (n,), or None. Raises DataError."""
    if raw.weights is None:
        return None
    weights = np.asarray(raw.weights)
    if weights.shape != (len(raw.y),):
        raise DataError(f"the weights have shape {weights.shape}; expected ({len(raw.y)},), one for each example")
    if weights.dtype.kind not in "biuf":
        raise DataError(f"the weights have dtype {weights.dtype}; expected numbers")
    _check_finite("weights", weights, None)
    if (weights < 0).any() or not weights.any():
        raise DataError(f"the weights go from {weights.min()} to {weights.max()}; expected 0 or more, not all 0")
    return weights.astype(np.float32)


def _one_column(name: str, y: Array) -> Array:
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        hint = ""
        if y.ndim == 2:
            hint = f"; one-hot labels are {name}.argmax(axis=1), several labels at once task: multi_label under data"
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

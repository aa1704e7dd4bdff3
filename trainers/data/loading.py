"""How a data set comes in: read from its source, checked, split, put into numbers, measured, and locked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spaces.spec import DataSpec
from trainers.data import columns as tables
from trainers.data.data import Array, Data, DataError, Examples, Raw
from trainers.data.door import check_examples, check_labels, check_weights
from trainers.data.measuring import Put, measured
from trainers.data.placing import check_room
from trainers.data.sequences import padded
from trainers.data.sources import read
from trainers.data.split import split
from trainers.data.streamed import is_streamed, streamed
from trainers.data.text import tokens


def load(spec: DataSpec, folder: Path, seed: int, missing: bool = False) -> Data:
    """Read, check and split the data set that the file names; relative paths are relative to `folder`.

    The same `seed` gives the same split. With `missing`, values of a table may be missing: the model fills them.
    Raises DataError.
    """
    try:
        if is_streamed(spec):
            return streamed(spec, folder, seed, missing)
        check_room(spec, folder)
        raw = read(spec, folder)
        return prepared(raw, spec.validation, seed, missing)
    except DataError as error:
        raise DataError(f"data {spec.kind}: {spec.location}: {error}") from error.__cause__


def prepared(raw: Raw, fraction: float, seed: int, missing: bool = False) -> Data:
    """Check and split what a source gave, and put it into numbers. Raises DataError."""
    x = check_examples("x", raw.x, raw.feature_names, missing)
    labels, weights = check_labels(raw), check_weights(raw)
    if len(x) != len(labels.y):
        raise DataError(f"x has {len(x)} examples and y has {len(labels.y)} labels; expected as many")
    if raw.x_validation is None or labels.y_validation is None:
        classes = labels.class_names if labels.y.ndim == 1 else None
        train, held = split(labels.y, fraction, seed, classes)
        x_train, x_validation = _rows(x, train), _rows(x, held)
        y_train, y_validation = labels.y[train], labels.y[held]
        weights = None if weights is None else weights[train]
    else:
        x_train, x_validation = x, check_examples("x_validation", raw.x_validation, raw.feature_names, missing)
        y_train, y_validation = labels.y, labels.y_validation
        _check_alike(x_train, x_validation, y_train, y_validation)
    put = _in_numbers(x_train, x_validation, raw)
    parts = [np.ascontiguousarray(part) for part in (put.x_train, y_train, put.x_validation, y_validation)]
    for part in (*parts, *([] if weights is None else [weights])):
        part.flags.writeable = False
    return measured(raw, put, parts, labels, weights)


def _rows(x: Examples, rows: Array) -> Examples:
    if isinstance(x, pd.DataFrame):
        return x.iloc[rows]
    return x[rows] if isinstance(x, np.ndarray) else [x[row] for row in rows]


def _check_alike(x: Examples, held: Examples, y: Array, y_held: Array) -> None:
    if len(held) != len(y_held):
        raise DataError(f"x_validation has {len(held)} examples and y_validation {len(y_held)} labels")
    if y_held.shape[1:] != y.shape[1:]:
        raise DataError(f"y has {y.shape[1]} labels, y_validation {y_held.shape[1]}")
    if type(x) is not type(held):
        raise DataError(f"x is a {type(x).__name__}, x_validation a {type(held).__name__}; expected the same")
    if isinstance(x, pd.DataFrame) and isinstance(held, pd.DataFrame):
        lacking = [str(column) for column in x.columns if column not in held.columns]
        if lacking:
            raise DataError(f"x_validation lacks the columns {', '.join(lacking[:10])}")
    if isinstance(x, np.ndarray) and isinstance(held, np.ndarray) and x.shape[1:] != held.shape[1:]:
        raise DataError(f"examples of x have shape {x.shape[1:]}, those of x_validation {held.shape[1:]}")


def _check_present(x_train: Array, names: Sequence[str] | None) -> None:
    """Check that each column of a table has a value that training can see. Raises DataError."""
    if x_train.ndim == 2 and (empty := np.flatnonzero(np.isnan(x_train).all(axis=0))).size:
        columns = ", ".join(str(names[column] if names else column) for column in empty[:10])
        raise DataError(f"no values in the training part of column {columns}; ignore it")


def _in_numbers(x: Any, held: Any, raw: Raw) -> Put:
    """Put tables, texts and sequences into one array each, as the training part alone says. Raises DataError."""
    if isinstance(x, pd.DataFrame):
        columns = tables.fitted(x)
        both = tables.encoded(x, columns), tables.encoded(held, columns)
        return Put(*both, columns if any(column.categories for column in columns) else None)
    if isinstance(x, np.ndarray):
        if x.dtype.kind in "OU":
            made = tokens(x, held, raw.length)
            return Put(made.x_train, made.x_validation, vocabulary=made.vocabulary)
        if x.ndim != 3 or raw.length is None:
            _check_present(x, raw.feature_names)
            return Put(x, held.astype(x.dtype, copy=False))
    return _sequences(list(x), list(held), raw)


def _sequences(x: list[Array], held: list[Array], raw: Raw) -> Put:
    if x[0].shape[1:] != held[0].shape[1:]:
        raise DataError(f"x has sequences of {x[0].shape[1]} features, x_validation of {held[0].shape[1]}")
    length = raw.length or max(map(len, x))
    return Put(padded(x, length, raw.padding), padded(held, length, raw.padding), padding=raw.padding)

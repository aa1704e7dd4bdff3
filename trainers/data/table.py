"""How a CSV file becomes numbers: the label column, categories one-hot, nothing missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spaces.errors import did_you_mean
from trainers.data.data import DataError, Raw

MOST_CATEGORIES = 200


def read_table(path: Path, options: Mapping[str, Any]) -> Raw:
    """Return the features (float32) and labels of a CSV file with a header line.

    Columns of text and those that `categorical` names become one column per category, in the order of the alphabet.
    Raises DataError.
    """
    try:
        table = pd.read_csv(path, sep=options.get("separator", ","))
    except (ValueError, OSError) as error:
        raise DataError(f"{path} can't be read as CSV: {error}") from error
    label, ignored, categorical = options["label"], options.get("ignore", ()), options.get("categorical", ())
    for name in (label, *categorical, *ignored):
        _check_column(name, table, path)
    table = table.drop(columns=list(ignored))
    _check_missing(table)
    features = table.drop(columns=[label])
    if features.shape[1] == 0:
        raise DataError(f"{path} has no column but the label")
    x, names = _numbers(features, categorical)
    return Raw(x, table[label].to_numpy(), task=options.get("task"), feature_names=names)


def _check_column(name: str, table: pd.DataFrame, path: Path) -> None:
    columns = [str(column) for column in table.columns]
    if name not in columns:
        known = did_you_mean(name, columns) or f"; it has {', '.join(columns[:20])}"
        raise DataError(f"{path.name} has no column '{name}'{known}")


def _check_missing(table: pd.DataFrame) -> None:
    counts = table.isna().sum()
    missing = [f"{column} ({count} of {len(table)})" for column, count in counts.items() if count]
    if missing:
        raise DataError(f"missing values in {', '.join(missing[:10])}; fill them, drop the rows, or ignore the columns")


def _numbers(features: pd.DataFrame, categorical: Sequence[str]) -> tuple[Any, tuple[str, ...]]:
    texts = [
        column
        for column in features.columns
        if column in categorical or not pd.api.types.is_numeric_dtype(features[column])
    ]
    for column in texts:
        count = features[column].nunique()
        if count > MOST_CATEGORIES:
            raise DataError(
                f"column '{column}' has {count} different texts, too many for one column each (at most "
                f"{MOST_CATEGORIES}); ignore it, or turn it into numbers"
            )
    wide = pd.get_dummies(features, columns=texts, dtype=np.float32) if texts else features
    return wide.to_numpy(dtype=np.float32), tuple(str(column) for column in wide.columns)

"""How a CSV or Parquet file becomes a table of numbers and categories, its labels and its weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spaces.errors import did_you_mean
from trainers.data.columns import is_category
from trainers.data.data import DataError, Raw


def read_csv(path: Path, options: Mapping[str, Any]) -> Raw:
    """Return the columns and labels of a CSV file with a header line, or of all that a name with * fits.

    Columns of texts and those that `categorical` names hold categories, as the texts that the file has. Raises
    DataError.
    """
    separator = options.get("separator", ",")
    try:
        tables = [_csv(file, separator, _texts(options)) for file in files_of(path)]
    except (ValueError, OSError) as error:
        raise DataError(f"{path} can't be read as CSV: {told(error)}") from error
    return _raw(pd.concat(tables, ignore_index=True), path, options)


def read_parquet(path: Path, options: Mapping[str, Any]) -> Raw:
    """Return the columns and labels of a Parquet file, or of all that a name with * fits. Raises DataError."""
    try:
        tables = [pd.read_parquet(file) for file in files_of(path)]
    except ImportError as error:
        raise DataError("reading Parquet needs pyarrow: pip install 'search[parquet]'") from error
    except (ValueError, OSError) as error:
        raise DataError(f"{path} can't be read as Parquet: {error}") from error
    table = pd.concat(tables, ignore_index=True)
    for name in _texts(options) & set(table.columns):
        table[name] = table[name].where(table[name].isna(), table[name].astype(str))
    return _raw(table, path, options)


def told(error: Exception) -> str:
    """Return what is wrong with a file of texts, with the way out where it is one."""
    if isinstance(error, UnicodeDecodeError):
        return f"{error}; save it as UTF-8 (iconv -f latin1 -t utf-8 FILE, or Save as in a spreadsheet program)"
    return str(error)


MOSTLY, SOME = 0.9, 10
"""A column of texts was meant for numbers if so much of its different values are, and at least so many."""


def check_categories(name: str, categories: Iterable[str]) -> None:
    """Check that a column of texts that nobody called one of categories isn't one of numbers. Raises DataError."""
    values = pd.Series(sorted(categories), dtype=object)
    numbers = pd.to_numeric(values, errors="coerce").notna()
    if SOME <= numbers.sum() < len(values) <= numbers.sum() / MOSTLY:
        odd = ", ".join(repr(value) for value in values[~numbers][:5])
        raise DataError(
            f"column '{name}' holds numbers, but for {odd}; leave these cells empty, or name the column under "
            "categorical or ignore"
        )


def files_of(path: Path) -> list[Path]:
    """Return the file, or those that a name with * fits. Raises DataError."""
    if "*" not in path.name:
        return [path]
    files = sorted(path.parent.glob(path.name))
    if not files:
        raise DataError(f"no file fits {path}")
    return files


def _texts(options: Mapping[str, Any]) -> set[str]:
    """Return the columns that are read as the texts they are: '007' is a category, not seven."""
    return {*options.get("categorical", ()), *([options["text"]] if options.get("text") else [])}


def _csv(path: Path, separator: str, texts: Iterable[str]) -> pd.DataFrame:
    table = pd.read_csv(path, sep=separator, dtype=dict.fromkeys(texts, str), low_memory=False)
    flags = [column for column in table.columns if table[column].dtype == bool]
    if flags:
        # True may stand there as TRUE or true: what is predicted on will be written the same way.
        table[flags] = pd.read_csv(path, sep=separator, usecols=flags, dtype=str)[flags]
    return table


def _raw(table: pd.DataFrame, path: Path, options: Mapping[str, Any]) -> Raw:
    """Take labels, weights and texts out of a table; what is left are the features."""
    table.columns = pd.Index([str(column) for column in table.columns])
    label, ignored = options["label"], list(options.get("ignore", ()))
    labels, weights, text = (
        [label] if isinstance(label, str) else list(label),
        options.get("weights"),
        options.get("text"),
    )
    for name in (*labels, *options.get("categorical", ()), *ignored, *filter(None, (weights, text))):
        check_column(name, list(table.columns), path)
    _check_complete(table[[*labels, *([weights] if weights else [])]])
    y = table[labels[0]] if isinstance(label, str) else table[labels]
    features = table.drop(columns=[*labels, *ignored, *([weights] if weights else [])])
    if features.shape[1] == 0:
        raise DataError(f"{path} has no column but the label")
    for name in features.columns:
        if text is None and name not in _texts(options) and is_category(features[name]):
            check_categories(name, features[name].dropna().astype(str).unique())
    return Raw(
        x=of_one_kind(features) if text is None else features[text].fillna("").to_numpy(dtype=object),
        y=y.astype(str).to_numpy(dtype=object) if isinstance(y, pd.Series) and is_category(y) else y.to_numpy(),
        task=options.get("task") or (None if isinstance(label, str) else "multi_label"),
        class_names=None if isinstance(label, str) else tuple(labels),
        feature_names=None if text is not None else tuple(features.columns),
        weights=None if weights is None else table[weights].to_numpy(),
        length=options.get("length"),
    )


def of_one_kind(features: pd.DataFrame) -> Any:
    """Return a matrix (n, columns) float32 where every column holds numbers, else the table."""
    if any(is_category(features[column]) for column in features.columns):
        return features
    return features.to_numpy(dtype=np.float32, na_value=np.nan)


def check_column(name: str, columns: list[str], path: Path) -> None:
    """Check that a file has a column. Raises DataError."""
    if name not in columns:
        known = did_you_mean(name, columns) or f"; it has {', '.join(columns[:20])}"
        raise DataError(f"{path.name} has no column '{name}'{known}")


def _check_complete(table: pd.DataFrame) -> None:
    counts = table.isna().sum()
    missing = [f"{column} ({count} of {len(table)})" for column, count in counts.items() if count]
    if missing:
        raise DataError(f"labels or weights are missing in {', '.join(missing[:10])}; drop these rows")

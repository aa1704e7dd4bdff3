"""How CSV and Parquet files of any size are read while they are trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spaces.spec import DataSpec
from trainers.data.columns import encoded, is_category
from trainers.data.data import Column, Data, DataError
from trainers.data.door import FILL
from trainers.data.streamed import examples
from trainers.data.table import check_column, files_of

CHUNK = 50_000
"""Rows that are in memory at a time."""


@dataclass(frozen=True)
class _Table:
    """A table in chunks of rows, each with the same columns, and what its columns hold."""

    chunks: Callable[[], Iterator[pd.DataFrame]]
    columns: tuple[Column, ...]
    label: Column
    seed: int
    fraction: float

    def rows(self, held: bool) -> Iterator[tuple[Any, Any]]:
        """Yield examples (rows, columns) float32 and labels (rows,) of one part, chunk by chunk."""
        for chunk in _part(self.chunks(), self.seed, self.fraction, held):
            x, labels = encoded(chunk, self.columns), chunk[self.label.name]
            if self.label.kind == "category":
                yield x, np.searchsorted(np.array(self.label.categories), _texts(labels).to_numpy(str))
            else:
                yield x, labels.to_numpy(np.float32)


def table(spec: DataSpec, folder: Path, seed: int, missing: bool) -> Data:
    """Return the rows of a table; which of them validate is drawn from the seed. Raises DataError.

    Types, categories and a sample are learned beforehand, in passes over the whole file.
    """
    import tensorflow as tf

    options = dict(spec.options)
    for word in ("weights", "text"):
        if options.get(word):
            raise DataError(f"{word} can't be had with stream: true; leave one of the two out")
    if not isinstance(options["label"], str):
        raise DataError("several labels can't be had with stream: true; leave it out, or write a dataset: function")
    chunks = _chunks(spec, folder, options)
    found = _learned(chunks, options, seed, spec.validation, missing)
    signature = (
        tf.TensorSpec((None, len(found.columns)), tf.float32),
        tf.TensorSpec((None,), tf.int64 if found.label.kind == "category" else tf.float32),
    )
    parts = (
        tf.data.Dataset.from_generator(lambda held=held: found.rows(held), output_signature=signature).unbatch()
        for held in (False, True)
    )
    any_category = any(column.categories for column in found.columns)
    return examples(
        next(parts),
        next(parts),
        folder,
        options,
        columns=found.columns if any_category else None,
        feature_names=tuple(column.name for column in found.columns),
        class_names=found.label.categories or None,
        missing=missing,
    )


def _part(chunks: Iterator[pd.DataFrame], seed: int, fraction: float, held: bool) -> Iterator[pd.DataFrame]:
    for number, chunk in enumerate(chunks):
        validates = np.random.default_rng((seed, number)).random(len(chunk)) < fraction
        yield chunk[validates if held else ~validates]


def _chunks(spec: DataSpec, folder: Path, options: Mapping[str, Any]) -> Callable[[], Iterator[pd.DataFrame]]:
    """Return what reads the file from its start, in chunks of the same types."""
    files = files_of(folder / spec.location)
    if spec.kind == "parquet":
        return lambda: _parquet(files, options)
    separator = options.get("separator", ",")
    types = _types(files, separator, options)
    return lambda: _csv(files, separator, types, options)


def _csv(files: list[Path], separator: str, types: Any, options: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    for file in files:
        try:
            with pd.read_csv(file, sep=separator, dtype=types, chunksize=CHUNK) as reader:
                for chunk in reader:
                    yield chunk.drop(columns=list(options.get("ignore", ())))
        except (ValueError, OSError) as error:
            raise DataError(f"{file} can't be read as CSV: {error}") from error


def _types(files: list[Path], separator: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return float64 for each column that holds nothing but numbers, str for the others, by reading it all."""
    numbers: dict[str, bool] = {}
    for chunk in _csv(files, separator, str, {}):
        for column in chunk.columns:
            if numbers.get(column, True):
                parsed = pd.to_numeric(chunk[column], errors="coerce")
                numbers[column] = bool((parsed.notna() == chunk[column].notna()).all())
    named = (options["label"], *options.get("categorical", ()), *options.get("ignore", ()))
    for name in named:
        check_column(name, list(numbers), files[0])
    categories = set(options.get("categorical", ()))
    return {name: np.float64 if number and name not in categories else str for name, number in numbers.items()}


def _parquet(files: list[Path], options: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise DataError("reading Parquet needs pyarrow: pip install 'search[parquet]'") from error
    for file in files:
        try:
            with parquet.ParquetFile(file) as opened:
                for name in (options["label"], *options.get("categorical", ()), *options.get("ignore", ())):
                    check_column(name, opened.schema_arrow.names, file)
                for batch in opened.iter_batches(CHUNK):
                    chunk = batch.to_pandas().drop(columns=list(options.get("ignore", ())))
                    for name in options.get("categorical", ()):
                        chunk[name] = chunk[name].astype(object).where(chunk[name].notna(), None)
                    yield chunk
        except (ValueError, OSError) as error:
            raise DataError(f"{file} can't be read as Parquet: {error}") from error


def _learned(
    chunks: Callable[[], Iterator[pd.DataFrame]], options: Mapping[str, Any], seed: int, fraction: float, missing: bool
) -> _Table:
    """Return the columns, with the categories of the training part, and the label, with all. Raises DataError."""
    label, named = options["label"], set(options.get("categorical", ()))
    found: dict[str, set[str] | None] = {}
    for held in (False, True):
        for chunk in _part(chunks(), seed, fraction, held):
            _check_chunk(chunk, label, missing)
            for name in chunk.columns:
                if name == label and _is_class(chunk[name], options):
                    found[name] = (found.get(name) or set()) | set(_texts(chunk[name]))
                elif name != label and (is_category(chunk[name]) or name in named):
                    new = set() if held else set(_texts(chunk[name].dropna())) - {""}
                    found[name] = (found.get(name) or set()) | new
                else:
                    found.setdefault(name, None)
    columns = tuple(_column(name, values) for name, values in found.items() if name != label)
    if not columns:
        raise DataError("there is no column but the label")
    return _Table(chunks, columns, _column(label, found.get(label)), seed, fraction)


def _column(name: str, values: set[str] | None) -> Column:
    return Column(name, "number") if values is None else Column(name, "category", tuple(sorted(values)))


def _is_class(labels: pd.Series, options: Mapping[str, Any]) -> bool:
    """Tell whether a label column holds classes. Raises DataError where the file must say so."""
    task = options.get("task")
    if is_category(labels):
        if task == "regression":
            raise DataError(f"column '{labels.name}' holds texts; expected numbers for a regression")
        return True
    if task is None:
        raise DataError(
            f"column '{labels.name}' holds numbers: classes, or a quantity? "
            "write task: classification or task: regression under data"
        )
    if task == "classification" and (labels != np.floor(labels)).any():
        raise DataError(f"column '{labels.name}' holds fractions; expected class numbers, or task: regression")
    return bool(task == "classification")


def _texts(column: pd.Series) -> pd.Series:
    """Return categories as the texts that they are known by: 3.0 is the class 3."""
    return column.astype(str) if is_category(column) else column.astype(np.int64).astype(str)


def _check_chunk(chunk: pd.DataFrame, label: str, missing: bool) -> None:
    counts = chunk.isna().sum()
    if counts[label]:
        raise DataError(f"labels are missing in {label}; drop these rows")
    columns = [str(name) for name, count in counts.items() if count]
    if columns and not missing:
        raise DataError(f"missing values in {', '.join(columns[:10])}; {FILL}, drop the rows, or ignore the columns")
    numbers = chunk.select_dtypes("number")
    infinite = numbers.columns[np.isinf(numbers.to_numpy(np.float64, na_value=np.nan)).any(axis=0)]
    if len(infinite):
        raise DataError(f"infinite values in {', '.join(map(str, infinite[:10]))}; drop these rows")

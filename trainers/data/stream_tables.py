"""How CSV and Parquet files of any size are read while they are trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spaces.spec import DataSpec
from trainers.data import table_chunks
from trainers.data.columns import encoded, is_category
from trainers.data.data import Array, Column, Data, DataError
from trainers.data.door import FILL, Labels
from trainers.data.stream import Parts
from trainers.data.stream_found import Found, surveyed
from trainers.data.streamed import survey
from trainers.data.table import check_categories, files_of


@dataclass(frozen=True)
class _Table:
    """A table in chunks of rows, each with the same columns, and what its columns hold.

    `classes`: those of the one label column, None for a quantity or several labels.
    """

    chunks: table_chunks.Chunks
    columns: tuple[Column, ...]
    labels: tuple[str, ...]
    classes: tuple[str, ...] | None
    weights: str | None
    seed: int
    fraction: float

    def blocks(self, part: str | None = None) -> Iterator[tuple[str, tuple[Array, ...]]]:
        """Yield examples (rows, columns) float32, labels (rows, …) and perhaps weights of one part or both."""
        for number, chunk in enumerate(self.chunks()):
            validates = _validates(number, len(chunk), self.seed, self.fraction)
            for name, rows in (("train", chunk[~validates]), ("held", chunk[validates])):
                if len(rows) and part in (None, name):
                    weights = () if self.weights is None else (rows[self.weights].to_numpy(np.float32),)
                    yield name, (encoded(rows, self.columns), self._labels(rows), *weights)

    def _labels(self, chunk: pd.DataFrame) -> Array:
        if len(self.labels) > 1:
            return chunk[list(self.labels)].to_numpy(np.float32)
        labels = chunk[self.labels[0]]
        if self.classes is None:
            return labels.to_numpy(np.float32)
        return np.searchsorted(np.array(self.classes), _texts(labels).to_numpy(str)).astype(np.int32)


def table(spec: DataSpec, folder: Path, seed: int, missing: bool) -> Data:
    """Return the rows of a table; which of them validate is drawn from the seed. Raises DataError.

    Types and categories are learned in a pass over the whole file, all else in a second one.
    """
    found = _learned(spec, folder, seed, missing)
    seen, held = survey(found.blocks)
    if found.classes is not None:
        names: tuple[str, ...] | None = found.classes
    else:
        names = found.labels if len(found.labels) > 1 else None
    any_category = any(column.kind == "category" for column in found.columns)
    known = Found(
        seen,
        held,
        Labels(seen.y, held.y, names),
        weighted=found.weights is not None,
        columns=found.columns if any_category else None,
        feature_names=tuple(column.name for column in found.columns),
        missing=missing,
    )
    sets = {name: _examples(found, seen.x, seen.y, part, name) for part, name in ((seen, "train"), (held, "held"))}
    parts = Parts(sets["train"], sets["held"], seen.examples)
    return surveyed(spec, folder, known, parts, found.blocks)


def _examples(found: _Table, x: Array, y: Array, part: Any, name: str) -> Any:
    """Return one part as a tf.data set of examples, one by one."""
    import tensorflow as tf

    signature = [tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in (x, y)]
    if found.weights is not None:
        signature.append(tf.TensorSpec((None,), tf.float32))

    def rows_of_part() -> Iterator[tuple[Array, ...]]:
        return (rows for _, rows in found.blocks(name))

    rows = tf.data.Dataset.from_generator(rows_of_part, output_signature=tuple(signature))
    return rows.unbatch().apply(tf.data.experimental.assert_cardinality(part.examples))


def _validates(number: int, rows: int, seed: int, fraction: float) -> Array:
    return np.random.default_rng((seed, number)).random(rows) < fraction


def _learned(spec: DataSpec, folder: Path, seed: int, missing: bool) -> _Table:
    """Return the columns, with the categories of the training part, and the labels, with all classes. Raises DataError.

    The type of a column of CSV shows only at its end: where a text comes late, reading begins anew with that column
    as texts.
    """
    options, files = dict(spec.options), files_of(folder / spec.location)
    label = options["label"]
    labels = (label,) if isinstance(label, str) else tuple(label)
    texts = set(options.get("categorical", ()))
    while True:
        chunks = table_chunks.chunks(spec.kind, files, options, frozenset(texts))
        learner = _Learner(labels, options, missing, spec.kind == "csv")
        late: set[str] = set()
        for number, chunk in enumerate(chunks()):
            late |= learner.look(chunk, _validates(number, len(chunk), seed, spec.validation))
            if late:
                break
        if not late:
            weights = options.get("weights")
            return _Table(chunks, learner.columns(), labels, learner.classes(), weights, seed, spec.validation)
        texts |= late


class _Learner:
    """Learns what the columns of a table hold, chunk by chunk."""

    def __init__(self, labels: tuple[str, ...], options: Mapping[str, Any], missing: bool, csv: bool) -> None:
        self.labels, self.options, self.missing, self.csv = labels, options, missing, csv
        self.found: dict[str, set[str] | None] = {}
        self.label_values: set[str] = set()
        self.are_classes: bool | None = None
        self.texts: dict[str, bool] = {}
        self.rows = 0

    def look(self, chunk: pd.DataFrame, validates: Array) -> set[str]:
        """Learn of a chunk; return the columns that were of another type before. Raises DataError."""
        self.rows += len(chunk)
        texts = {str(name): is_category(chunk[name]) for name in chunk.columns if not chunk[name].isna().all()}
        late = {name for name, text in texts.items() if self.texts.get(name, text) != text}
        if self.csv:
            # True may stand there as TRUE or true: what is predicted on will be written the same way.
            late |= {name for name in texts if pd.api.types.is_bool_dtype(chunk[name])}
        self.texts |= texts
        if late:
            return late
        _check_chunk(chunk, (*self.labels, *filter(None, [self.options.get("weights")])), self.missing)
        self._look_at_labels(chunk)
        for name in chunk.columns:
            if name in self.labels or name == self.options.get("weights"):
                continue
            if self.texts.get(name):
                known = self.found.get(name) or set()
                self.found[name] = known | (set(_texts(chunk[name][~validates].dropna())) - {""})
            else:
                self.found.setdefault(name, None)
        return set()

    def _look_at_labels(self, chunk: pd.DataFrame) -> None:
        weights = self.options.get("weights")
        if weights and is_category(chunk[weights]):
            raise DataError(f"column '{weights}' holds texts; expected numbers as weights")
        if len(self.labels) > 1:
            for name in self.labels:
                if is_category(chunk[name]) or not chunk[name].isin((0, 1)).all():
                    raise DataError(
                        f"column '{name}' holds more than 0 and 1; expected 0 or 1 per label for multi_label"
                    )
            return
        labels = chunk[self.labels[0]]
        self.are_classes = _are_classes(labels, self.options)
        if self.are_classes:
            self.label_values |= set(_texts(labels))

    def columns(self) -> tuple[Column, ...]:
        """Return the columns of the examples. Raises DataError."""
        if not self.found or not self.rows:
            raise DataError("there are no rows, or no column but the label")
        for name, values in self.found.items():
            if values and name not in self.options.get("categorical", ()):
                check_categories(name, values)
        return tuple(
            Column(name, "number") if values is None else Column(name, "category", tuple(sorted(values)))
            for name, values in self.found.items()
        )

    def classes(self) -> tuple[str, ...] | None:
        """Return the classes, or None. Raises DataError."""
        if not self.are_classes:
            return None
        if len(self.label_values) < 2:
            raise DataError(f"column '{self.labels[0]}' has one class only ({next(iter(self.label_values))})")
        return tuple(sorted(self.label_values))


def _are_classes(labels: pd.Series, options: Mapping[str, Any]) -> bool:
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


def _check_chunk(chunk: pd.DataFrame, needed: tuple[str, ...], missing: bool) -> None:
    counts = chunk.isna().sum()
    incomplete = [name for name in needed if counts[name]]
    if incomplete:
        raise DataError(f"labels or weights are missing in {', '.join(incomplete)}; drop these rows")
    columns = [str(name) for name, count in counts.items() if count]
    if columns and not missing:
        raise DataError(f"missing values in {', '.join(columns[:10])}; {FILL}, drop the rows, or ignore the columns")
    numbers = chunk.select_dtypes("number")
    infinite = numbers.columns[np.isinf(numbers.to_numpy(np.float64, na_value=np.nan)).any(axis=0)]
    if len(infinite):
        raise DataError(f"infinite values in {', '.join(map(str, infinite[:10]))}; drop these rows")

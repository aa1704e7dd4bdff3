"""How a table becomes one matrix of numbers: numbers as they are, categories as codes fitted on the training part."""

from __future__ import annotations

import numpy as np
import pandas as pd

from trainers.data.data import FIRST_CATEGORY, MISSING, UNKNOWN, Array, Column, DataError

LARGEST_CODE = 2**24
"""Above it float32 can't tell two whole numbers apart."""


def is_category(column: pd.Series) -> bool:
    """Return whether a column holds categories: texts, or anything else that is no number."""
    return bool(pd.api.types.is_bool_dtype(column)) or not pd.api.types.is_numeric_dtype(column)


def fitted(table: pd.DataFrame) -> tuple[Column, ...]:
    """Return what each column of the training part is, with its categories. Raises DataError."""
    columns = []
    for name in table.columns:
        present = table[name].dropna()
        if not len(present):
            raise DataError(f"column '{name}' has no value in the training part; ignore it")
        categories: tuple[str, ...] = ()
        if is_category(table[name]):
            categories = tuple(sorted(set(present.astype(str)) - {""}))
            if len(categories) > LARGEST_CODE:
                raise DataError(f"column '{name}' has {len(categories)} categories; expected at most {LARGEST_CODE}")
        columns.append(Column(str(name), "category" if categories else "number", categories))
    return tuple(columns)


def encoded(table: pd.DataFrame, columns: tuple[Column, ...]) -> Array:
    """Return the table as float32 (n, columns); missing numbers are NaN."""
    x = np.empty((len(table), len(columns)), np.float32)
    for position, column in enumerate(columns):
        values = table[column.name]
        if column.kind == "number":
            x[:, position] = values.to_numpy(dtype=np.float64, na_value=np.nan)
            continue
        # What prediction will do: keras.layers.StringLookup(mask_token="", num_oov_indices=1).
        codes = {category: code for code, category in enumerate(column.categories, start=FIRST_CATEGORY)}
        texts = values.astype(object).where(values.notna(), "").astype(str)
        x[:, position] = [MISSING if text == "" else codes.get(text, UNKNOWN) for text in texts]
    return x

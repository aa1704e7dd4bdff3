"""The data set as trainers see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from numpy.typing import NDArray

from trainers.words.metrics import Task

if TYPE_CHECKING:
    from trainers.data.stream import Stream

Array = NDArray[Any]

MISSING, UNKNOWN, FIRST_CATEGORY = 0, 1, 2
"""Codes of a category that is missing, of one that training never saw, and of the first known one."""


class DataError(Exception):
    """The data can't be used; the message says where, what was received, what was expected and the way out."""


@dataclass(frozen=True)
class Column:
    """A column of a table: numbers, or categories with those that the training part has, in the alphabet's order."""

    name: str
    kind: Literal["number", "category"]
    categories: tuple[str, ...] = ()


Examples = Array | pd.DataFrame | Sequence[Array]
"""Numbers (n, …), texts (n,), a table whose columns of texts are categories, or sequences of different lengths."""


@dataclass(frozen=True)
class Raw:
    """What a source gives: examples and labels, perhaps split, before any check. `task` None: as the labels tell.

    weights: (n,), how much each example counts in training. length and padding: see `data.sequences`.
    """

    x: Examples
    y: Array
    x_validation: Examples | None = None
    y_validation: Array | None = None
    task: Task | None = None
    class_names: tuple[str, ...] | None = None
    feature_names: tuple[str, ...] | None = None
    weights: Array | None = None
    length: int | None = None
    padding: Literal["post", "pre"] = "post"


@dataclass(frozen=True, eq=False)
class Data:
    """Training and validation part, and what a model must know of them. The arrays are read-only.

    x: uint8, float32 or int32, (n, …): images (n, height, width, channels); sequences (n, length, features), int32
    texts (n, length) as numbers of words in `vocabulary`; tables (n, columns), where NaN is a missing number (only if
    `missing`), and a category is its code: 0 missing, 1 unknown, from 2 on those of its `columns` entry.
    `columns` is None for tables of numbers alone: then what the saved model takes is x itself.
    y: int32 (n,) from 0 for classification, float32 (n,) for regression, float32 (n, classes) of 0 and 1 for
    multi_label. Division by `maximum` maps images to [0, 1], or [-1, 1]; `minimum` is 0, or below. `mean` and
    `variance` (features,) are those of a table's training part, `target_mean` and `target_deviation` those of a
    regression's training labels. `padding` says where sequences of different lengths were filled.
    `sample_weight_train` (n,) float32 says how much each training example counts. `fingerprint` (hex) differs whenever
    a value, type or shape of the arrays does, or the meaning of a code. With a `stream` the four arrays are samples of
    what it gives, while the scales are those of the whole training part where a pass has told them (`stream.moments`).
    """

    x_train: Array
    y_train: Array
    x_validation: Array
    y_validation: Array
    task: Task
    classes: int | None
    class_names: tuple[str, ...] | None
    feature_names: tuple[str, ...] | None
    minimum: float
    maximum: float
    mean: Array | None
    variance: Array | None
    target_mean: float
    target_deviation: float
    fingerprint: str
    columns: tuple[Column, ...] | None = None
    vocabulary: tuple[str, ...] | None = None
    missing: bool = False
    padding: Literal["post", "pre"] | None = None
    sample_weight_train: Array | None = None
    stream: Stream | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.x_train.shape[1:]

    @property
    def size(self) -> int:
        """Bytes of the four arrays."""
        return sum(array.nbytes for array in (self.x_train, self.y_train, self.x_validation, self.y_validation))

"""The data set as trainers see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainers.words.metrics import Task

Array = NDArray[np.generic]


class DataError(Exception):
    """The data can't be used; the message says where, what was received, what was expected and the way out."""


@dataclass(frozen=True)
class Raw:
    """What a source gives: examples and labels, perhaps split, before any check. `task` None: as the labels tell."""

    x: Array
    y: Array
    x_validation: Array | None = None
    y_validation: Array | None = None
    task: Task | None = None
    class_names: tuple[str, ...] | None = None
    feature_names: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class Data:
    """Training and validation part, and what a model must know of them. The arrays are read-only.

    x: uint8 or float32, (n, …), images (n, height, width, channels). y: int32 (n,) from 0 for classification, float32
    (n,) for regression. Division by `maximum` maps images to [0, 1], or [-1, 1]; `minimum` is 0, or below. `mean` and
    `variance` (features,) are those of a table's training part, `target_mean` and `target_deviation` those of a
    regression's training labels. `fingerprint` (hex) differs whenever a value, type or shape of the four arrays does.
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

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.x_train.shape[1:]

    @property
    def size(self) -> int:
        """Bytes of the four arrays."""
        return sum(array.nbytes for array in (self.x_train, self.y_train, self.x_validation, self.y_validation))

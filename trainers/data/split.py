"""Which examples are trained on and which are kept for validation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import train_test_split

from trainers.data.data import Array, DataError


def split(y: Array, fraction: float, seed: int, class_names: Sequence[str] | None) -> tuple[Array, Array]:
    """Return the row numbers of the training and of the validation part.

    With class names, `y` holds class numbers and every class keeps its share in both parts. Raises DataError.
    """
    if not 0 < fraction < 1:
        raise DataError(f"data.validation: received {fraction}; expected a share between 0 and 1, such as 0.2")
    rows = np.arange(len(y))
    least = len(class_names) if class_names is not None else 1
    if class_names is not None:
        counts = np.bincount(y.astype(np.int64), minlength=len(class_names))
        single = [name for name, count in zip(class_names, counts, strict=True) if count < 2]
        if single:
            raise DataError(
                f"a class needs at least 2 examples, one for training and one for validation; "
                f"only one of: {', '.join(single[:10])}. Remove these examples, or add to them"
            )
    held = math.ceil(fraction * len(rows))
    if held < least or len(rows) - held < least:
        raise DataError(
            f"data.validation: {fraction} of {len(rows)} examples leaves {held} for validation and {len(rows) - held} "
            f"for training; expected at least {least} in each (one per class). Choose another share, or add examples"
        )
    train, validation = train_test_split(
        rows, test_size=fraction, random_state=seed, stratify=None if class_names is None else y
    )
    return train, validation

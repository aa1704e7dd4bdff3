"""How sequences of different lengths become one array: cut, and filled with zeros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from trainers.data.data import Array, DataError


def are_sequences(x: Any) -> bool:
    """Return whether `x` is a list, or an array of objects, whose items are arrays or lists of numbers."""
    if isinstance(x, np.ndarray):
        return x.dtype == object and x.ndim == 1 and len(x) > 0 and _listed(x[0])
    return isinstance(x, list | tuple) and len(x) > 0 and _listed(x[0])


def _listed(item: Any) -> bool:
    return isinstance(item, list | tuple | np.ndarray)


def stacked(name: str, x: Sequence[Any]) -> list[Array]:
    """Return each sequence as float32 (steps, features); one of plain numbers has one feature. Raises DataError."""
    sequences: list[Array] = []
    for number, item in enumerate(x):
        try:
            sequence = np.asarray(item, np.float32)
        except (TypeError, ValueError):
            raise DataError(
                f"{name}[{number}] is a {type(item).__name__} that holds more than numbers; expected an array of "
                "(steps,) or (steps, features)"
            ) from None
        sequence = sequence[:, None] if sequence.ndim == 1 else sequence
        if sequence.ndim != 2 or not sequence.size:
            raise DataError(f"{name}[{number}] has shape {np.shape(item)}; expected (steps,) or (steps, features)")
        if not np.isfinite(sequence).all():
            raise DataError(f"{name}[{number}] has NaN or infinite values; fill or drop them")
        if sequences and sequence.shape[1] != sequences[0].shape[1]:
            features = sequences[0].shape[1]
            raise DataError(f"{name}[{number}] has {sequence.shape[1]} features and {name}[0] {features}")
        sequences.append(sequence)
    return sequences


def padded(sequences: Sequence[Array], length: int, padding: Literal["post", "pre"]) -> Array:
    """Return float32 (n, length, features): the first `length` steps, zeros behind; `pre`: the last, zeros before."""
    x = np.zeros((len(sequences), length, sequences[0].shape[1]), np.float32)
    for row, sequence in zip(x, sequences, strict=True):
        if padding == "post":
            row[: len(sequence)] = sequence[:length]
        else:
            row[max(0, length - len(sequence)) :] = sequence[-length:]
    return x

"""Whether two data sets are the same: one hash over every array's values, type and shape."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from trainers.data.data import Array


def fingerprint(arrays: Iterable[Array], meaning: Iterable[object] = ()) -> str:
    """Return the SHA-256 (hex) of the arrays, in their order, and of what else gives them a meaning (by its `repr`)."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    for thing in meaning:
        digest.update(repr(thing).encode())
    return digest.hexdigest()

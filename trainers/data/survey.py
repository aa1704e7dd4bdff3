"""What one pass over the examples of a stream tells of them, in bounded memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trainers.data.data import Array, DataError
from trainers.data.moments import Moments, moments, together

SAMPLE_BYTES, LEAST_SAMPLE, MOST_SAMPLE = 2**25, 256, 100_000
"""Of the training part so much is kept in memory: models are tried on it, medians and quantiles are those of it."""
MOST_CLASSES = 10_000


def sample_size(row_bytes: int) -> int:
    """Return how many examples are kept."""
    return min(MOST_SAMPLE, max(LEAST_SAMPLE, SAMPLE_BYTES // max(1, row_bytes)))


@dataclass(frozen=True)
class Survey:
    """What was seen: how many examples, some of them at random, moments, and a hash of all.

    counts: how often each class number from 0 on was there, None where labels are no whole numbers.
    """

    examples: int
    bytes: int
    x: Array
    y: Array
    counts: Array | None
    moments: Moments
    label_moments: Moments | None
    digest: str


@dataclass
class Surveyor:
    """Looks at blocks of examples as they come by. `what` names the part in messages."""

    what: str
    examples: int = 0
    bytes: int = 0
    counts: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    moments: Moments | None = None
    labels: Moments | None = None
    weights: Moments | None = None

    def __post_init__(self) -> None:
        self._digest = hashlib.sha256()
        self._kept: list[tuple[float, Any, Any]] = []
        self._places, self._last = np.random.default_rng(0), 1.0

    def see(self, x: Array, y: Array, weights: Array | None = None) -> None:
        """Look at examples (n, …), their labels and weights (n,). Raises DataError."""
        if not len(x):
            return
        for part in (x, y, *(() if weights is None else (weights,))):
            self._digest.update(np.ascontiguousarray(part).data)
            self.bytes += part.nbytes
        self.examples += len(x)
        self.moments = together(self.moments, moments(x))
        if y.dtype.kind in "iub" and y.ndim == 1:
            self._count(y)
        else:
            self.labels = together(self.labels, moments(y.reshape(len(y), -1)))
            if y.ndim == 2 and not np.isin(y, (0, 1)).all():
                raise DataError(
                    f"{self.what}: labels hold more than 0 and 1; expected 0 or 1 per label for multi_label"
                )
        if weights is not None:
            self.weights = together(self.weights, moments(weights.reshape(-1, 1)))
        self._sample(x, y)

    def _count(self, y: Array) -> None:
        if int(y.min()) < 0 or int(y.max()) >= MOST_CLASSES:
            low, high = int(y.min()), int(y.max())
            raise DataError(
                f"{self.what}: labels go from {low} to {high}; expected class numbers from 0 to {MOST_CLASSES - 1}, "
                "or task: regression with float labels"
            )
        new = np.bincount(y, minlength=len(self.counts))
        self.counts = new + np.pad(self.counts, (0, len(new) - len(self.counts)))

    def _sample(self, x: Array, y: Array) -> None:
        # The examples with the least random numbers are a sample of all, however many there are.
        most = sample_size(x[0].nbytes)
        drawn = self._places.random(len(x))
        self._kept += [(drawn[row], x[row].copy(), y[row].copy()) for row in np.flatnonzero(drawn < self._last)]
        if len(self._kept) >= 2 * most:
            self._kept = sorted(self._kept, key=lambda one: one[0])[:most]
            self._last = self._kept[-1][0]

    def result(self) -> Survey:
        """Return what was seen. Raises DataError."""
        if not self.examples or self.moments is None:
            raise DataError(f"{self.what}: there are no examples")
        self._check_numbers()
        kept = sorted(self._kept, key=lambda one: one[0])[: sample_size(self._kept[0][1].nbytes)]
        x, y = (np.stack([one[part] for one in kept]) for part in (1, 2))
        counts = self.counts if len(self.counts) else None
        return Survey(self.examples, self.bytes, x, y, counts, self.moments, self.labels, self._digest.hexdigest())

    def _check_numbers(self) -> None:
        for name, seen in (("labels", self.labels), ("weights", self.weights)):
            if seen is not None and (seen.absent.any() or not _finite(seen)):
                raise DataError(f"{self.what}: {name} have NaN or infinite values; drop these examples")
        if self.weights is not None and (self.weights.least[0] < 0 or self.weights.most[0] <= 0):
            low, high = self.weights.least[0], self.weights.most[0]
            raise DataError(f"{self.what}: weights go from {low:g} to {high:g}; expected 0 or more, not all 0")


def _finite(seen: Moments) -> bool:
    return bool(np.isfinite(seen.least).all() and np.isfinite(seen.most).all())


def check_numbers(what: str, seen: Moments, names: tuple[str, ...] | None, missing: bool) -> None:
    """Check that no example has an infinite value, nor a missing one unless `missing`. Raises DataError."""
    bad = (seen.present > 0) & ~(np.isfinite(seen.least) & np.isfinite(seen.most))
    if not missing:
        bad |= seen.absent > 0
    elif (seen.present == 0).any():
        where = np.flatnonzero(seen.present == 0)
        raise DataError(f"{what}: no values in {_named(where, names)}; ignore it")
    if bad.any():
        way_out = "" if missing else "write preprocessing: {missing: median} under space to fill missing ones, or "
        raise DataError(f"{what}: NaN or infinite values in {_named(np.flatnonzero(bad), names)}; {way_out}drop them")


def _named(features: Array, names: tuple[str, ...] | None) -> str:
    return "feature " + ", ".join(str(names[one] if names else one) for one in features[:10])

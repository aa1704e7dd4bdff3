"""What one pass over any number of examples tells of each feature: mean, variance, ends, how much is missing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from trainers.data.data import Array


@dataclass(frozen=True)
class Moments:
    """Of each feature (the last axis), all (features,) float64. NaN is missing and counts for `absent` alone.

    `log_mean` and `log_variance` are those of sign(x) * log(1 + |x|).
    """

    present: Array
    absent: Array
    mean: Array
    variance: Array
    least: Array
    most: Array
    log_mean: Array
    log_variance: Array

    def of(self, features: list[int]) -> Moments:
        """Return those of some features."""
        return Moments(*(value[features] for value in vars(self).values()))

    def logged(self, which: Array) -> Moments:
        """Return what they are where `which` (features,) features are replaced by their logarithms."""
        return replace(
            self,
            mean=np.where(which, self.log_mean, self.mean),
            variance=np.where(which, self.log_variance, self.variance),
            least=np.where(which, logarithm(self.least), self.least),
            most=np.where(which, logarithm(self.most), self.most),
        )

    def filled(self, fill: Array) -> Moments:
        """Return what they are with `fill` (features,) in place of what is missing."""
        share = self.absent / np.maximum(1, self.present + self.absent)
        mean, variance = _merged(share, self.mean, self.variance, fill, 0.0)
        log_mean, log_variance = _merged(share, self.log_mean, self.log_variance, logarithm(fill), 0.0)
        least, most = (
            np.where(share > 0, end(old, fill), old) for end, old in ((np.minimum, self.least), (np.maximum, self.most))
        )
        present = self.present + self.absent
        return Moments(present, 0 * present, mean, variance, least, most, log_mean, log_variance)


def logarithm(x: Array) -> Array:
    """Return sign(x) * log(1 + |x|)."""
    return np.asarray(np.sign(x) * np.log1p(np.abs(x)))


def moments(x: Array) -> Moments:
    """Return the moments of examples (n, …, features)."""
    features = x.reshape(-1, x.shape[-1])
    if x.dtype == np.uint8:
        return _of_bytes(features)
    rows = features.astype(np.float64)
    missing = np.isnan(rows)
    known = ~missing if missing.any() else None
    absent = missing.sum(axis=0, dtype=np.float64)
    ends = (rows, rows) if known is None else (np.where(known, rows, np.inf), np.where(known, rows, -np.inf))
    plain = _spread(rows, known)
    with np.errstate(invalid="ignore"):  # infinite values are told of elsewhere
        logs = _spread(logarithm(rows), known)
    return Moments(len(rows) - absent, absent, *plain, ends[0].min(axis=0), ends[1].max(axis=0), *logs)


def _spread(rows: Array, known: Array | None) -> tuple[Array, Array]:
    with np.errstate(invalid="ignore"):
        if known is None:
            return rows.mean(axis=0), rows.var(axis=0)
        count = np.maximum(1, known.sum(axis=0))
        mean = np.where(known, rows, 0).sum(axis=0) / count
        return mean, (np.where(known, rows - mean, 0) ** 2).sum(axis=0) / count


def _of_bytes(rows: Array) -> Moments:
    """Return the moments of bytes (n, features) by counting each value."""
    counts = np.stack([np.bincount(column, minlength=256) for column in rows.T])
    values = np.arange(256.0)
    shares = counts / len(rows)

    def spread(of: Array) -> tuple[Array, Array]:
        mean = shares @ of
        return mean, (shares * (of - mean[:, None]) ** 2).sum(axis=1)

    there = counts > 0
    least, most = there.argmax(axis=1), 255 - there[:, ::-1].argmax(axis=1)
    present = np.full(rows.shape[1], float(len(rows)))
    return Moments(present, 0 * present, *spread(values), least * 1.0, most * 1.0, *spread(logarithm(values)))


def together(first: Moments | None, second: Moments) -> Moments:
    """Return the moments of two sets of examples."""
    if first is None:
        return second
    present = first.present + second.present
    share = second.present / np.maximum(1, present)
    plain = _merged(share, first.mean, first.variance, second.mean, second.variance)
    logs = _merged(share, first.log_mean, first.log_variance, second.log_mean, second.log_variance)
    ends = np.minimum(first.least, second.least), np.maximum(first.most, second.most)
    return Moments(present, first.absent + second.absent, *plain, *ends, *logs)


def _merged(share: Array, mean: Array, variance: Array, other: Array, spread: Array | float) -> tuple[Array, Array]:
    """Return mean and variance of two sets, of which the second is `share` of both.

    https://en.wikipedia.org/wiki/Algorithms_for_calculating_variance#Parallel_algorithm
    """
    apart = other - mean
    return mean + apart * share, (1 - share) * variance + share * spread + share * (1 - share) * apart**2

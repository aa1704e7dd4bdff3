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
    rows = np.asarray(x, np.float64).reshape(-1, x.shape[-1])
    known = ~np.isnan(rows)
    absent = (~known).sum(axis=0, dtype=np.float64)
    present = len(rows) - absent
    mean, variance = _spread(rows, known, present)
    least = np.where(known, rows, np.inf).min(axis=0)
    most = np.where(known, rows, -np.inf).max(axis=0)
    with np.errstate(invalid="ignore"):
        logs = _spread(logarithm(rows), known, present)
    return Moments(present, absent, mean, variance, least, most, *logs)


def _spread(rows: Array, known: Array, present: Array) -> tuple[Array, Array]:
    count = np.maximum(1, present)
    mean = np.where(known, rows, 0).sum(axis=0) / count
    return mean, (np.where(known, rows - mean, 0) ** 2).sum(axis=0) / count


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

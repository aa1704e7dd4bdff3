"""What preprocessing learns from the data: fills, ends and scales of the training part alone, in NumPy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from trainers.data import Data, DataError
from trainers.data.data import FIRST_CATEGORY, Array
from trainers.data.moments import Moments
from trainers.words.preprocessing import TABLE_PREPROCESSING
from trainers.words.reading import one_word, read

PARTS = ("missing", "clip", "log", "scale", "discretize")


@dataclass(frozen=True)
class Fitted:
    """What was learned of the numeric features, each (features,) float32; None: that step is left out.

    In this order: NaN becomes `fill`; `absent` are the positions that had NaN; values end at `low` and `high`; where
    `log` is true they become sign(x) * log(1 + |x|); then (x - mean) / sqrt(variance), or x * factor + offset, or one
    of the bins between the edges in `bins`, a tuple for each feature.
    """

    fill: Array | None = None
    absent: tuple[int, ...] = ()
    low: Array | None = None
    high: Array | None = None
    log: Array | None = None
    mean: Array | None = None
    variance: Array | None = None
    rescale: tuple[float, float] | None = None
    bins: tuple[tuple[float, ...], ...] | None = None


def numbers(data: Data) -> list[int]:
    """Return the positions of a table's columns of numbers."""
    if data.columns is None:
        return list(range(data.input_shape[-1]))
    return [position for position, column in enumerate(data.columns) if column.kind == "number"]


def fit(words: Mapping[str, Any], data: Data, steps: bool = False) -> Fitted:
    """Return what the words ask for, of the training part; the same words are fitted once.

    Of data that is streamed, means, deviations and ends are those of the whole training part where a pass has told them
    and nothing is clipped; the rest is that of the sample.

    `steps`: examples (n, steps) are sequences of one feature, not rows of a table. Raises DataError.
    """
    return _fit(data, json.dumps({name: words.get(name) for name in PARTS}), steps)


@lru_cache(maxsize=64)
def _fit(data: Data, text: str, steps: bool) -> Fitted:
    words = json.loads(text)
    x = _seen(data, steps)
    exact = None if steps and len(data.input_shape) == 1 else _exact(data)
    fill = _fill(words.get("missing"), x, data)
    if exact is not None and words.get("missing") in ("mean", {"mean": {}}):
        fill = exact.mean.astype(np.float32)
    some = np.isnan(x).any(axis=0) if exact is None else exact.absent > 0
    absent = tuple(int(position) for position in np.flatnonzero(some))
    low, high = _ends(words.get("clip"), x)
    x = x if fill is None else np.where(np.isnan(x), fill, x)
    x = x if low is None and high is None else np.clip(x, low, high)
    log = _logged(words.get("log"), data, x.shape[1])
    x = x if log is None else np.where(log, np.sign(x) * np.log1p(np.abs(x)), x)
    if words.get("discretize") is not None:
        return Fitted(fill, absent, low, high, log, bins=_bins(words["discretize"], x))
    if exact is not None and low is None and high is None:
        exact = exact if fill is None else exact.filled(fill)
        return Fitted(
            fill, absent, low, high, log, **_scale_of(words["scale"], exact if log is None else exact.logged(log))
        )
    return Fitted(fill, absent, low, high, log, **_scale(words["scale"], x))


def _exact(data: Data) -> Moments | None:
    """Return what a pass over all of a stream told of the numeric features, where there was one."""
    if data.stream is None or data.stream.moments is None:
        return None
    return data.stream.moments if len(data.input_shape) > 1 else data.stream.moments.of(numbers(data))


def _scale_of(word: Any, exact: Moments) -> dict[str, Any]:
    """Return the part of Fitted that scales, of moments."""
    name = one_word(_kind("scale"), word)[0].name
    if name == "standardize":
        return {"mean": exact.mean.astype(np.float32), "variance": _not_zero(exact.variance)}
    if name == "min_max":
        return {"mean": exact.least.astype(np.float32), "variance": _not_zero((exact.most - exact.least) ** 2)}
    return _scale(word, exact.mean[None])


def _seen(data: Data, steps: bool) -> Array:
    """Return the training part's numbers, float64 (rows, features): of sequences the steps that aren't filling."""
    if len(data.input_shape) == 1:
        return (data.x_train.reshape(-1, 1) if steps else data.x_train[:, numbers(data)]).astype(np.float64)
    x = data.x_train.reshape(-1, data.input_shape[-1])
    return (x if data.padding is None else x[(x != 0).any(axis=1)]).astype(np.float64)


def _fill(word: Any, x: Array, data: Data) -> Array | None:
    if word is None:
        if data.missing:
            raise DataError(
                "the data has missing values and this trial doesn't say what becomes of them; "
                "write preprocessing: {missing: median} under space, without optional or null"
            )
        return None
    name, options = one_word(_kind("missing"), word)
    if name.name == "most_frequent":
        return np.array([_most_frequent(column) for column in x.T], np.float32)
    if name.name == "constant":
        return np.full(x.shape[1], options["value"], np.float32)
    return (np.nanmean if name.name == "mean" else np.nanmedian)(x, axis=0).astype(np.float32)


def _most_frequent(column: Array) -> float:
    """Return the value there most often; of several the least."""
    values, counts = np.unique(column[~np.isnan(column)], return_counts=True)
    return float(values[counts.argmax()])


def most_frequent_category(data: Data, position: int) -> int:
    """Return the code of the category that a column has most often; of several the first in the alphabet."""
    codes = data.x_train[:, position].astype(np.int64)
    return int(np.bincount(codes[codes >= FIRST_CATEGORY]).argmax())


def _ends(word: Any, x: Array) -> tuple[Array | None, Array | None]:
    """Return the least and the most of each feature."""
    if word is None:
        return None, None
    name, options = one_word(_kind("clip"), word)
    low, high = options["low"], options["high"]
    if low is not None and high is not None and low > high:
        raise DataError(f"preprocessing.clip.{name.name}: low {low} is above high {high}")
    if name.name == "quantiles":
        low, high = (np.nanquantile(x, share, axis=0) for share in (low, high))
    return tuple(  # type: ignore[return-value]
        None if end is None else np.broadcast_to(end, x.shape[1]).astype(np.float32) for end in (low, high)
    )


def _logged(word: Any, data: Data, features: int) -> Array | None:
    """Return for each feature whether its logarithm is taken; None for none."""
    if not word:
        return None
    if word is True:
        return np.full(features, True)
    named = data.feature_names if len(data.input_shape) == 1 else None
    names = [named[position] for position in numbers(data)] if named else list(map(str, range(features)))
    unknown = [column for column in word if column not in names]
    if unknown:
        raise DataError(
            f"preprocessing.log: no column of numbers '{unknown[0]}'; expected some of {', '.join(names[:20])}"
        )
    return np.array([name in word for name in names])


def _scale(word: Any, x: Array) -> dict[str, Any]:
    """Return the part of Fitted that scales."""
    name, options = one_word(_kind("scale"), word)
    if name.name == "none" or not x.size:
        return {}
    if name.name == "rescale":
        return {"rescale": (1.0 if options["factor"] is None else options["factor"], options["offset"])}
    if name.name == "min_max":
        least, most = np.nanmin(x, axis=0), np.nanmax(x, axis=0)
        return {"mean": least.astype(np.float32), "variance": _not_zero((most - least) ** 2)}
    return {"mean": np.nanmean(x, axis=0).astype(np.float32), "variance": _not_zero(np.nanvar(x, axis=0))}


def _bins(word: Mapping[str, Any], x: Array) -> tuple[tuple[float, ...], ...]:
    """Return the edges between bins that hold equally many values of each feature; fewer where values are equal."""
    shares = np.linspace(0.0, 1.0, read(_kind("discretize"), word)["bins"] + 1)[1:-1]
    return tuple(tuple(map(float, np.unique(np.nanquantile(column, shares).astype(np.float32)))) for column in x.T)


def _not_zero(variance: Array) -> Array:
    """A feature that never changes is moved, not blown up."""
    return np.where(variance > 0, variance, 1.0).astype(np.float32)


def _kind(name: str) -> Any:
    return next(option.kind for option in TABLE_PREPROCESSING.options if option.name == name)

"""How data that doesn't fit in memory is read while it is trained on: shuffled, cached and fetched ahead by tf.data."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainers.data.data import Array, DataError

SHUFFLE, PREFETCH = 10_000, 2
SAMPLE = 4096
"""Training examples that are kept in memory: preprocessing is fitted on them, and models are tried on them."""

BATCH = 256
MOST_CLASSES = 10_000


@dataclass(frozen=True, eq=False)
class Stream:
    """Examples (x, y) that are read anew for every epoch, one by one.

    items: what is shuffled, as tf.data; `decode` makes (x, y) of an item (None: it is that already). held: the
    validation part. shuffle: how many items the order is drawn from at a time. prefetch: batches that are made ahead.
    """

    items: Any
    held: Any
    examples: int
    shuffle: int = SHUFFLE
    prefetch: int = PREFETCH
    decode: Callable[..., Any] | None = None

    def training(self, seed: int, epoch: int) -> Any:
        """Return the training examples in the order of an epoch (1-based), the same for the same arguments."""
        order = (seed * 1_000_003 + epoch) % 2**31
        items = self.items.shuffle(self.shuffle, seed=order, reshuffle_each_iteration=False)
        return items if self.decode is None else items.map(self.decode, num_parallel_calls=-1)

    def validation(self) -> Any:
        """Return the validation examples in their order."""
        return self.held


def stream(
    items: Any, held: Any, examples: int, options: Mapping[str, Any], folder: Path, decode: Callable[..., Any] | None
) -> Stream:
    """Return a stream with the words `shuffle`, `cache` (true: in memory, or a file) and `prefetch` of a source.

    What is cached is what `decode` gives. `held` must be decoded already. Items of a `decode` are small:
    all of them are shuffled, unless they are cached or the words say otherwise.
    """
    cache, shuffle = options.get("cache", False), options.get("shuffle")
    if cache:
        items = items if decode is None else items.map(decode, num_parallel_calls=-1)
        names = ("", "") if cache is True else (f"{folder / cache}.train", f"{folder / cache}.validation")
        items, held, decode = items.cache(names[0]), held.cache(names[1]), None
    if shuffle is None:
        shuffle = SHUFFLE if decode is None else examples
    return Stream(items, held, examples, shuffle, options.get("prefetch", PREFETCH), decode)


@dataclass(frozen=True)
class Survey:
    """What a pass over examples has seen: how many, some of them at random, whole-number labels, and a hash."""

    examples: int
    x: Array
    y: Array
    labels: Array
    digest: str


def survey(examples: Any, what: str) -> Survey:
    """Read every example (x, y) of a tf.data set once. Raises DataError.

    `labels` are all that are whole numbers, sorted. The same data gives the same sample.
    """
    count, labels, digest = 0, np.array([], np.int64), hashlib.sha256()
    kept: list[tuple[float, Any, Any]] = []
    places, last = np.random.default_rng(0), 1.0
    for x, y in examples.batch(BATCH).as_numpy_iterator():
        digest.update(np.ascontiguousarray(x).data)
        digest.update(np.ascontiguousarray(y).data)
        if y.ndim == 1 and y.dtype.kind in "iub":
            labels = np.union1d(labels, y)
            if len(labels) > MOST_CLASSES:
                raise DataError(f"{what}: more than {MOST_CLASSES} different whole numbers are no classes")
        # The examples with the least random numbers are a sample of all, however many there are.
        drawn = places.random(len(x))
        kept += [(drawn[row], x[row].copy(), y[row].copy()) for row in np.flatnonzero(drawn < last)]
        if len(kept) >= 2 * SAMPLE:
            kept = sorted(kept, key=lambda one: one[0])[:SAMPLE]
            last = kept[-1][0]
        count += len(x)
    if not count:
        raise DataError(f"{what}: there are no examples")
    kept = sorted(kept, key=lambda one: one[0])[:SAMPLE]
    x, y = (np.stack([one[part] for one in kept]) for part in (1, 2))
    return Survey(count, x, y, labels, digest.hexdigest())

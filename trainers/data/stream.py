"""How data that doesn't fit in memory is read while it is trained on: shuffled, cached and fetched ahead by tf.data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trainers.data.data import Array
from trainers.data.moments import Moments

SHUFFLE, PREFETCH = 10_000, 2


@dataclass(frozen=True, eq=False)
class Stream:
    """Examples (x, y), or (x, y, weight) if `weighted`, that are read anew for every epoch.

    training: of a seed and an epoch (1-based) the training examples as tf.data in batches of a size, the same for the
    same arguments. validation: (x, y) in batches of a size. counts: training examples of each class, for
    classification. moments: of the whole training part; None where only the sample tells. prefetch: batches made ahead.
    """

    training: Callable[[int, int, int], Any]
    validation: Callable[[int], Any]
    examples: int
    held: int
    prefetch: int = PREFETCH
    weighted: bool = False
    counts: Array | None = None
    moments: Moments | None = None


@dataclass(frozen=True)
class Parts:
    """Training and validation examples as tf.data, one by one; `decode` makes examples of items (None: they are)."""

    items: Any
    held: Any
    examples: int
    decode: Callable[..., Any] | None = None


def from_parts(parts: Parts, options: Mapping[str, Any]) -> tuple[Callable[[int, int, int], Any], Callable[..., Any]]:
    """Return `training` and `validation` of a Stream, with the words `shuffle` and `cache: true` of a source.

    What is cached is what `decode` gives. Items of a `decode` are small: all of them are shuffled, unless they are
    cached or the words say otherwise.
    """
    items, held, decode, shuffle = parts.items, parts.held, parts.decode, options.get("shuffle")
    if options.get("cache") is True:
        items = items if decode is None else items.map(decode, num_parallel_calls=-1)
        items, held, decode = items.cache(), held.cache(), None
    if shuffle is None:
        shuffle = SHUFFLE if decode is None else parts.examples

    def training(seed: int, epoch: int, batch_size: int) -> Any:
        order = (seed * 1_000_003 + epoch) % 2**31
        drawn = items.shuffle(shuffle, seed=order, reshuffle_each_iteration=False)
        drawn = drawn if decode is None else drawn.map(decode, num_parallel_calls=-1)
        return drawn.batch(batch_size)

    return training, lambda batch_size: held.map(lambda x, y, *_: (x, y)).batch(batch_size)

"""In which order an epoch goes through the training examples."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def order(examples: int, seed: int, epoch: int) -> Any:
    """Return the row numbers 0 … examples-1 shuffled, int32.

    A function of its arguments alone, so that a resumed trial goes on as an undisturbed one would have.
    """
    return tf.random.experimental.stateless_shuffle(tf.range(examples), seed=(seed, epoch))

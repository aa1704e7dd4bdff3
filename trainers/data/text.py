"""How texts become numbers of words, once for all trials: by Keras' TextVectorization, fitted on the training part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainers.data.data import Array

MOST_WORDS = 50_000
LONGEST = 512
BATCH = 4096


@dataclass(frozen=True)
class Tokens:
    """Texts as int32 (n, length): 0 behind a text's end, 1 an unknown word, from 2 on `vocabulary` by frequency.

    So a smaller vocabulary is the same numbers with those from its size on taken for unknown.
    """

    x_train: Array
    x_validation: Array
    vocabulary: tuple[str, ...]


def tokens(train: Array, validation: Array, length: int | None = None) -> Tokens:
    """Return texts (n,) in numbers, the first `length` words of each (None: all of the longest, but at most 512).

    Upper case and punctuation don't count. The vocabulary is that of the training part, at most 50,000 words.
    """
    import keras

    fitted = keras.layers.TextVectorization(max_tokens=MOST_WORDS + 2)
    fitted.adapt(_batches(train)[0] if len(train) <= BATCH else np.asarray(train, object), batch_size=BATCH)
    vocabulary = tuple(str(word) for word in fitted.get_vocabulary()[2:])
    if length is None:
        length = min(LONGEST, max(int(fitted(batch).shape[1]) for batch in _batches(train)))
    layer = vectorizer(vocabulary, length)
    return Tokens(_numbers(layer, train), _numbers(layer, validation), vocabulary)


def vectorizer(vocabulary: Sequence[str], length: int) -> Any:
    """Return the Keras layer from texts, a string tensor (n,), to numbers (n, length), int64."""
    import keras

    # Without a word there would be nothing that the layer takes for a vocabulary.
    return keras.layers.TextVectorization(output_sequence_length=length, vocabulary=list(vocabulary) or ["a"])


def _batches(texts: Array) -> list[Any]:
    import tensorflow as tf

    return [tf.constant(texts[start : start + BATCH].astype(str)) for start in range(0, len(texts), BATCH)]


def _numbers(layer: Any, texts: Array) -> Array:
    return np.concatenate([layer(batch).numpy() for batch in _batches(texts)]).astype(np.int32)

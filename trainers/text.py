"""The built-in trainer for texts: a vector for each word, blocks over them, a head, dense blocks.

Texts were put into numbers of words when the data came in (`trainers.data.text`), once for all trials; the exported
model does it itself, by Keras' TextVectorization.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from trainers import blocks
from trainers.data import Data, DataError
from trainers.words.builtin import TEXT
from trainers.words.reading import read

UNKNOWN, FIRST_WORD = 1, 2


def build(params: Mapping[str, Any], data: Data) -> keras.Model:
    """Return a model from numbers of words (n, length), int32, to logits or targets (n, …), float32."""
    if data.vocabulary is None:
        raise DataError(
            f"the trainer 'text' received numbers of shape {data.input_shape}; expected texts. "
            "In a table, name their column: data: {csv: …, text: column, label: …}"
        )
    words = read(TEXT, params)
    ops = keras.ops
    inputs = keras.Input(data.input_shape, dtype="int32")
    length = min(words["length"], data.input_shape[0])
    size = min(words["vocabulary"], len(data.vocabulary)) + FIRST_WORD
    # Numbers go by frequency, so a smaller vocabulary is its first ones; 0 fills up what is behind a text's end.
    numbers = inputs[:, :length]
    numbers = ops.where(numbers < size, numbers, UNKNOWN)
    x = blocks.embedded(numbers, size, words["embedding"])
    if words["positions"] == "learned":
        x = blocks.positioned(x)
    real = ops.not_equal(numbers, 0)
    x = blocks.stack(x, words["layers"], default="conv", mask=real)
    x = blocks.head(x, words["head"], mask=real)
    x = blocks.stack(x, words["dense"], default="dense", name="dense")
    return keras.Model(inputs, blocks.output(x, data, params))

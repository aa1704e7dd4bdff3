"""The built-in trainer for tables of numbers and categories: dense blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from trainers import blocks, preprocessing
from trainers.data import Data, DataError
from trainers.words.builtin import TABULAR
from trainers.words.reading import read


def build(params: Mapping[str, Any], data: Data) -> keras.Model:
    """Return a model from rows (n, columns), categories as codes, to logits (n, classes) or targets (n, 1), float32."""
    if len(data.input_shape) != 1 or data.vocabulary is not None:
        raise DataError(
            f"the trainer 'tabular' received examples of shape {data.input_shape}; expected (features,). "
            "For images write trainer: image"
        )
    words = read(TABULAR, params)
    inputs = keras.Input(data.input_shape)
    x = preprocessing.table(inputs, params, data)
    x = blocks.stack(x, words["layers"], default="dense")
    return keras.Model(inputs, blocks.output(x, data, params))

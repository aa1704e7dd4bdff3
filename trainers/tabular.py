"""The built-in trainer for tables of numbers: dense blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from trainers import blocks
from trainers.data import Data, DataError
from trainers.words.builtin import TABULAR
from trainers.words.reading import read


def build(params: Mapping[str, Any], data: Data) -> keras.Model:
    """Return a model from raw rows (n, features) to logits (n, classes) or targets (n, 1), float32."""
    if data.mean is None or data.variance is None:
        raise DataError(
            f"the trainer 'tabular' received examples of shape {data.input_shape}; expected (features,). "
            "For images write trainer: image"
        )
    words = read(TABULAR, params)
    inputs = keras.Input(data.input_shape)
    x = keras.layers.Normalization(mean=data.mean, variance=data.variance)(inputs)
    x = blocks.stack(x, words["layers"], default="dense")
    return keras.Model(inputs, blocks.output(x, data))

"""The built-in trainer for images: convolution blocks, a head, dense blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from trainers import blocks
from trainers.data import Data, DataError
from trainers.words.builtin import IMAGE
from trainers.words.reading import read


def build(params: Mapping[str, Any], data: Data) -> keras.Model:
    """Return a model from raw images (n, height, width, channels) to logits (n, classes) or targets (n, 1), float32."""
    if len(data.input_shape) != 3:
        raise DataError(
            f"the trainer 'image' received examples of shape {data.input_shape}; expected (height, width, channels). "
            "For grey images add the channel: x[..., None]; for tables write trainer: tabular"
        )
    words = read(IMAGE, params)
    inputs = keras.Input(data.input_shape)
    x = keras.layers.Rescaling(1 / data.maximum)(inputs)
    for block in words["layers"] or ():
        x = blocks.conv(x, block)
    heads = {
        "flatten": keras.layers.Flatten,
        "average": keras.layers.GlobalAveragePooling2D,
        "max": keras.layers.GlobalMaxPooling2D,
    }
    x = heads[words["head"]]()(x)
    for block in words["dense"] or ():
        x = blocks.dense(x, block)
    return keras.Model(inputs, blocks.output(x, data))

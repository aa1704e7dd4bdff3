"""The built-in trainer for sequences of numbers: recurrent, convolution or transformer blocks, a head, dense blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from trainers import blocks, preprocessing
from trainers.data import Data, DataError
from trainers.words.builtin import SEQUENCE
from trainers.words.reading import read


def build(params: Mapping[str, Any], data: Data) -> keras.Model:
    """Return a model from raw sequences (n, time, features) or (n, time) to logits or targets (n, …), float32."""
    if len(data.input_shape) not in (1, 2):
        raise DataError(
            f"the trainer 'sequence' received examples of shape {data.input_shape}; expected (time, features) or "
            "(time,). For images write trainer: image"
        )
    words = read(SEQUENCE, params)
    inputs = keras.Input(data.input_shape)
    single = len(data.input_shape) == 1
    x = keras.layers.Reshape((data.input_shape[0], 1))(inputs) if single else inputs
    if words["embedding"]:
        if x.shape[-1] != 1:
            raise DataError(f"embedding: received steps of {x.shape[-1]} numbers; expected one whole number each")
        # As whole numbers, because half precision would round large ones.
        x = blocks.embedded(keras.ops.cast(x[..., 0], "int32"), words["embedding"]["values"], words["embedding"])
        real = None
    else:
        x = preprocessing.sequence(x, params, data)
        # Sequences of different lengths were filled with steps of zeros.
        real = None if data.padding is None else keras.ops.any(keras.ops.not_equal(x, 0), axis=-1)
    if words["positions"] == "learned":
        x = blocks.positioned(x)
    x = blocks.stack(x, words["layers"], default="gru", mask=real)
    x = blocks.head(x, words["head"], mask=real)
    x = blocks.stack(x, words["dense"], default="dense", name="dense")
    return keras.Model(inputs, blocks.output(x, data, params))

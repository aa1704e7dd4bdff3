"""The built-in trainer for images: perhaps a ready-made network, convolution blocks, a head, dense blocks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from trainers import blocks, preprocessing
from trainers.backbones import backbone
from trainers.data import Data, DataError
from trainers.words.builtin import IMAGE
from trainers.words.reading import read

TWO_CONVOLUTIONS = ({"filters": 32}, {"filters": 64})


def build(params: Mapping[str, Any], data: Data, folder: Path = Path()) -> keras.Model:
    """Return a model from raw images (n, height, width, channels) to logits (n, classes) or targets (n, 1), float32.

    Volumes (n, depth, height, width, channels) are fine too. Paths in `params` are relative to `folder`.
    """
    if len(data.input_shape) not in (3, 4):
        raise DataError(
            f"the trainer 'image' received examples of shape {data.input_shape}; expected (height, width, channels). "
            "For grey images add the channel: x[..., None]; for tables write trainer: tabular"
        )
    words = read(IMAGE, params)
    inputs = keras.Input(data.input_shape)
    x = preprocessing.image(inputs, params, data, scaled=not words["backbone"])
    default = () if words["backbone"] else TWO_CONVOLUTIONS
    layers = default if words["layers"] is None else words["layers"]
    if words["backbone"]:
        x = backbone(x, words["backbone"], data, folder, maps=blocks.take_maps(layers, default="conv"))
    x = blocks.stack(x, layers, default="conv")
    x = blocks.head(x, words["head"])
    x = blocks.stack(x, words["dense"], default="dense", name="dense")
    return keras.Model(inputs, blocks.output(x, data, params))

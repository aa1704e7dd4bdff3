"""The blocks that the built-in models are made of, from the words of `trainers.words.layers`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from trainers.data import Data
from trainers.words.layers import CONV, DENSE
from trainers.words.reading import read


def conv(x: Any, params: Mapping[str, Any]) -> Any:
    """Add a convolution, normalization, activation, pooling, dropout to feature maps (n, height, width, channels)."""
    words = read(CONV, params)
    x = keras.layers.Conv2D(words["filters"], words["kernel_size"], padding="same", use_bias=not words["batch_norm"])(x)
    x = _activated(x, words)
    pools = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}
    if words["pool"] in pools and min(x.shape[1:3]) >= 2:
        x = pools[words["pool"]](2)(x)
    return keras.layers.Dropout(words["dropout"])(x) if words["dropout"] else x


def dense(x: Any, params: Mapping[str, Any]) -> Any:
    """Add a fully connected layer, normalization, activation and dropout to vectors (n, features)."""
    words = read(DENSE, params)
    x = _activated(keras.layers.Dense(words["units"], use_bias=not words["batch_norm"])(x), words)
    return keras.layers.Dropout(words["dropout"])(x) if words["dropout"] else x


def _activated(x: Any, words: Mapping[str, Any]) -> Any:
    if words["batch_norm"]:
        # Keras' own momentum of 0.99 takes hundreds of steps to forget its start: on small data the first epochs would
        # look like failures, and be pruned.
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
    return keras.layers.Activation(words["activation"])(x)


def output(x: Any, data: Data) -> Any:
    """Add the last layer: logits (n, classes), or predictions (n, 1) in the unit of the labels; always float32."""
    if data.classes is not None:
        return keras.layers.Dense(data.classes, dtype="float32", name="logits")(x)
    x = keras.layers.Dense(1, dtype="float32")(x)
    # The network works on standardized targets, whatever their unit.
    return keras.layers.Rescaling(data.target_deviation, offset=data.target_mean, dtype="float32", name="prediction")(x)

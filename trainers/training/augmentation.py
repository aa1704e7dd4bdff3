"""How training images are changed at random.

Augmentation works on batches ahead of the model's train step and never becomes part of the model. So it is the same
for our models and the user's, for the compiled loop and for `fit`; a model's own `train_step` stays in charge; and what
is validated and saved takes raw images and leaves them as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from trainers.data import Data, DataError
from trainers.training.optimizer import keras_object
from trainers.words.augmentation import AUGMENTATIONS

_FLIPS = {"horizontal": "horizontal", "vertical": "vertical", "both": "horizontal_and_vertical"}


def layers(augment: Mapping[str, Any] | None, data: Data, seed: int) -> list[keras.layers.Layer]:
    """Return the Keras layers for what stands under `augment`, in the table's order; none for None.

    Each takes and gives images (n, height, width, channels) with raw values, float32. Raises DataError for other data.
    """
    chosen = {name: value for name, value in (augment or {}).items() if value not in (None, 0)}
    if not chosen:
        return []
    if len(data.input_shape) != 3:
        raise DataError(f"augment is for images; the examples have shape {data.input_shape}. Leave augment out")
    return [
        _layer(word.name, keras_object(word.target), chosen[word.name], data, seed + position)
        for position, word in enumerate(AUGMENTATIONS)
        if word.name in chosen
    ]


def _layer(name: str, kind: Callable[..., Any], value: Any, data: Data, seed: int) -> keras.layers.Layer:
    options: dict[str, Any] = {"seed": seed, "dtype": "float32"}
    if name == "flip":
        return kind(_FLIPS[value], **options)
    if name == "translation":
        return kind(value, value, **options)
    if name in ("contrast", "brightness"):
        options["value_range"] = (data.minimum, data.maximum)
    return kind(value, **options)

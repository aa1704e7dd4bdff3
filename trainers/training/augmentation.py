"""How training examples are changed at random.

Augmentation works on batches ahead of the model's train step and never becomes part of the model. So it is the same
for our models and the user's, from the device and from a stream; a model's own `train_step` stays in charge; and what
is validated and saved takes raw examples and leaves them as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import keras
import numpy as np

from spaces.vocabulary import Word
from trainers.data import Data, DataError
from trainers.training.optimizer import keras_object
from trainers.words.augmentation import AUGMENTATIONS, TABLE_AUGMENTATIONS
from trainers.words.reading import read

_FLIPS = {"horizontal": "horizontal", "vertical": "vertical", "both": "horizontal_and_vertical"}
SATURATION = (0.0, 1.0)
"""Keras cuts the saturation, a share whatever the range of the colours, off at the ends of `value_range`."""
_COLOURS = ("saturation", "hue", "grayscale", "color_jitter")


def layers(augment: Mapping[str, Any] | None, data: Data, seed: int) -> list[keras.layers.Layer]:
    """Return the Keras layers for what stands under `augment`, in the table's order; none for None.

    Call them with `augmented`. Images (n, height, width, channels) and tables (n, features) keep their shape and raw
    values, float32. Raises DataError for other data.
    """
    chosen = {name: value for name, value in (augment or {}).items() if value is not None and value != 0}
    if not chosen:
        return []
    table = _table(data)
    _check(chosen.keys(), table, data)
    return [
        _layer(word.name, keras_object(word.target), chosen[word.name], data, {"seed": seed + position})
        for position, word in enumerate(table)
        if word.name in chosen
    ]


def _table(data: Data) -> tuple[Word, ...]:
    """Return the augmentations that this kind of data can have."""
    if data.vocabulary is not None:
        return ()
    return {3: AUGMENTATIONS, 1: TABLE_AUGMENTATIONS}.get(len(data.input_shape), ())


def _check(chosen: Set[str], table: tuple[Word, ...], data: Data) -> None:
    unknown = chosen - {word.name for word in table}
    if unknown:
        what = ", ".join(word.name for word in table) or "no augmentation"
        raise DataError(
            f"augment: {', '.join(sorted(unknown))} is for images; the examples have shape {data.input_shape}. "
            f"Leave it out; for these there is {what}"
        )
    colours = chosen & set(_COLOURS)
    if colours and data.input_shape[-1] != 3:
        raise DataError(f"augment: {', '.join(sorted(colours))} needs 3 channels; received {data.input_shape[-1]}")
    if chosen & {"saturation", "color_jitter"} and data.minimum < 0:
        raise DataError(f"augment: saturation needs colours from 0 on; received values down to {data.minimum}")
    if "mixup" in chosen and data.columns is not None:
        raise DataError("augment: mixup can't blend categories, which this table has; leave it out")


def augmented(layers: Sequence[keras.layers.Layer], x: Any, y: Any) -> tuple[Any, Any]:
    """Return a training batch changed by `layers`.

    x: float32 (n, …). y: as the loss takes it; where labels are mixed (n,) or shares of the classes (n, classes).
    """
    for layer in layers:
        if isinstance(layer, keras.layers.MixUp | keras.layers.CutMix):
            x, y = _mixed(layer, x, y)
        else:
            x = layer(x, training=True)
    return x, y


def _mixed(layer: keras.layers.Layer, x: Any, y: Any) -> tuple[Any, Any]:
    """Mix examples and labels; Keras wants images and rows of labels."""
    ops = keras.ops
    table, column = len(x.shape) == 2, len(y.shape) == 1
    images = x[:, :, None, None] if table else x
    labels = ops.cast(y[:, None] if column else y, "float32")
    out = layer({"images": images, "labels": labels}, training=True)
    x, y = out["images"], out["labels"]
    return (x[:, :, 0, 0] if table else x), (y[:, 0] if column else y)


def _layer(name: str, kind: Callable[..., Any], value: Any, data: Data, seed: Mapping[str, int]) -> keras.layers.Layer:
    """Return the Keras layer for one word and its value."""
    options: dict[str, Any] = {**seed, "dtype": "float32"}
    limits = (data.minimum, data.maximum)
    match name:
        case "flip":
            return kind(_FLIPS[value], **options)
        case "translation" | "shear":
            return kind(value, value, **options)
        case "crop":
            return Crop(value, data.input_shape, **options)
        case "contrast" | "brightness" | "hue":
            return kind(value, value_range=limits, **options)
        case "saturation":
            return kind(_around(value), value_range=SATURATION, **options)
        case "color_jitter":
            layer = kind(value_range=limits, **_jitter(value), **options)
            if layer.random_saturation is not None:
                layer.random_saturation.value_range = SATURATION
            return layer
        case "rand_augment":
            words = _read("rand_augment", value)
            return kind(limits, words["operations"], words["strength"], **options)
        case "gaussian_noise":
            return Noise(value, *_range(data), **options)
        case "random_erasing":
            words = _read("random_erasing", value)
            ends = sorted((words["smallest"], words["largest"]))
            return kind((words["share"],) * 2, tuple(ends), value_range=limits, **options)
    return kind(value, **options)


def _read(name: str, value: Any) -> dict[str, Any]:
    """Return the options of a word that has some."""
    return read(next(word.kind for word in AUGMENTATIONS if word.name == name), value)  # type: ignore[arg-type]


def _around(strength: float) -> tuple[float, float]:
    """Return Keras' range for the saturation: 0.5 changes nothing, 0 is grey, 1 has no grey in it."""
    return 0.5 - strength / 2, 0.5 + strength / 2


def _jitter(value: Any) -> dict[str, Any]:
    words = _read("color_jitter", value)
    given = {f"{name}_factor": strength for name, strength in words.items() if strength}
    return given | ({"saturation_factor": _around(words["saturation"])} if words["saturation"] else {})


def _range(data: Data) -> tuple[Any, float | None, float | None]:
    """Return what noise is measured by, and the ends that it may not cross: none for tables."""
    if data.variance is not None:
        codes = [column.kind == "category" for column in data.columns or ()] or False
        return np.where(codes, 0, np.sqrt(data.variance)), None, None
    return data.maximum - data.minimum, data.minimum, data.maximum


class Noise(keras.layers.GaussianNoise):  # type: ignore[misc]
    """Keras' noise, for values of any scale, cut off at the ends of their range."""

    def __init__(self, stddev: float, scale: Any, low: float | None, high: float | None, **options: Any) -> None:
        super().__init__(stddev, **options)
        self.scale, self.low, self.high = np.asarray(scale, np.float32), low, high

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the inputs with noise, float32 and of the same shape."""
        noisy = inputs + super().call(keras.ops.zeros_like(inputs), training=training) * self.scale
        return noisy if self.low is None else keras.ops.clip(noisy, self.low, self.high)


class Crop(keras.layers.Layer):  # type: ignore[misc]
    """Keras' random crop by a share of height and width, brought back to the old size."""

    def __init__(self, share: float, shape: tuple[int, ...], seed: int, **options: Any) -> None:
        super().__init__(**options)
        height, width = (max(1, round(size * (1 - share))) for size in shape[:2])
        self.crop = keras.layers.RandomCrop(height, width, seed=seed, dtype="float32")
        self.resize = keras.layers.Resizing(shape[0], shape[1], dtype="float32")

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the inputs cropped, float32 and of the same shape."""
        return self.resize(self.crop(inputs, training=training)) if training else inputs

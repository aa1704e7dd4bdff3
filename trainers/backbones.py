"""Networks of `keras.applications` under an image model: weights, what is trained of them, and their preprocessing."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from trainers.blocks_layers import dropped, pooled
from trainers.data import Data, DataError
from trainers.training.optimizer import keras_object
from trainers.words.backbones import BACKBONE
from trainers.words.reading import one_word


def backbone(images: Any, value: Any, data: Data, folder: Path, maps: bool = False) -> Any:
    """Return vectors (n, channels) from raw images (n, height, width, channels), as the network sees them.

    If `maps`, the last feature maps (n, height, width, channels) are returned.

    `value` is a name, or `{name: options}`; a local file of weights is relative to `folder`. Raises DataError.
    """
    word, words = one_word(BACKBONE, value)
    if data.input_shape[-1] not in (1, 3):
        raise DataError(f"backbone: received images of {data.input_shape[-1]} channels; expected 1 or 3")
    build = keras_object(word.target)
    x = _pixels(images, data)
    network = _network(word.name, build, tuple(x.shape[1:]), words["weights"], folder)
    given = words["weights"] != "none"
    first = words["trainable_from"]
    if first is not None or given:
        for layer in network.layers[: len(network.layers) if first is None else first]:
            layer.trainable = False
    # Each network has the preprocessing that its weights were trained with beside it.
    x = inspect.getmodule(build).preprocess_input(x)  # type: ignore[union-attr]
    # Statistics of given weights stay those of ImageNet, as https://keras.io/guides/transfer_learning/ says.
    x = network(x, training=False) if given else network(x)
    return dropped(x if maps else pooled(x, words["pool"]), words["dropout"])


def _pixels(images: Any, data: Data) -> Any:
    """Return images as the networks were trained on: three channels, from 0 to 255."""
    factor = 255 / (data.maximum - data.minimum)
    x = keras.layers.Rescaling(factor, offset=-data.minimum * factor)(images)
    return x if data.input_shape[-1] == 3 else keras.layers.Concatenate()([x, x, x])


def _network(name: str, build: Any, shape: tuple[int, ...], weights: str, folder: Path) -> keras.Model:
    """Return the network without its classes, with its weights. Raises DataError."""
    try:
        network = build(include_top=False, weights=None, input_shape=shape)
    except ValueError as error:
        raise DataError(
            f"backbone {name}: can't take images of shape {shape}: {error}; try preprocessing: {{resize: 96}}"
        ) from error
    if weights == "none":
        return network
    if weights == "imagenet":
        return _downloaded(name, build, shape)
    path = folder / weights
    if not path.exists():
        raise DataError(f"backbone {name}: no such file of weights: {path}; expected imagenet, none or a local file")
    try:
        network.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise DataError(f"backbone {name}: {path} doesn't hold its weights without the classes: {error}") from error
    deviations = getattr(inspect.getmodule(build), "IMAGENET_STDDEV_RGB", None)
    if deviations and not path.name.endswith(".weights.h5"):
        _as_downloaded(network, deviations)
    return network


def _as_downloaded(network: keras.Model, deviations: Sequence[float]) -> None:
    """Divide EfficientNet's input by one more square root of the deviations.

    Keras does so for `imagenet`, but not for the same weights from a file that it downloaded (those that Keras 3 saved
    itself end in .weights.h5). https://github.com/tensorflow/tensorflow/issues/49930.
    """
    for layer in network.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.adapt_variance.assign(layer.adapt_variance * keras.ops.convert_to_tensor(deviations))
            layer.finalize_state()


def _downloaded(name: str, build: Any, shape: tuple[int, ...]) -> keras.Model:
    try:
        return build(include_top=False, weights="imagenet", input_shape=shape)
    except Exception as error:
        raise DataError(
            f"backbone {name}: its weights couldn't be downloaded ({error}). Without a network, download them "
            f"on another machine with keras.applications.{build.__name__}(include_top=False) and copy the file from "
            "~/.keras/models into the same folder here, or name it: weights: path/to/file.h5"
        ) from error

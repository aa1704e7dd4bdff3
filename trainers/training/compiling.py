"""Which loss and metrics a model is compiled with: from the task, and from what the model gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainers.data import Data
from trainers.words.optimizers import OPTIMIZER
from trainers.words.reading import one_word

Encode = Callable[[Any], Any]


@dataclass(frozen=True)
class Goal:
    """What is minimized and measured, and how labels are put for it."""

    loss: keras.losses.Loss
    metrics: list[keras.metrics.Metric]
    encode: Encode


def goal(model: keras.Model, data: Data, label_smoothing: float) -> Goal:
    """Return loss and metrics for this model and data; calls the model once on two examples, which builds it.

    Classification: (n, classes) or, for two classes, (n, 1); logits or probabilities. Regression: (n, 1) or (n,).
    Raises ValueError for any other output.
    """
    outputs = model(tf.constant(data.x_train[:2]), training=False)
    if not hasattr(outputs, "shape"):
        raise ValueError(f"the model gives a {type(outputs).__name__}; expected one tensor")
    width = 1 if len(outputs.shape) == 1 else outputs.shape[-1]
    expected = {1} if data.classes is None else {data.classes, 1} if data.classes == 2 else {data.classes}
    if len(outputs.shape) > 2 or width not in expected:
        raise ValueError(
            f"the model's output has shape (n{''.join(f', {size}' for size in outputs.shape[1:])}); expected "
            f"(n, {max(expected)}) for {data.task}" + (f" into {data.classes} classes" if data.classes else "")
        )
    if data.classes is None:
        return _regression()
    if width == 1:
        return _two_classes(not _ends_in_sigmoid(model), label_smoothing)
    return _classes(data.classes, not _are_probabilities(outputs), label_smoothing)


def _regression() -> Goal:
    metrics = [keras.metrics.MeanAbsoluteError(name="mae"), keras.metrics.RootMeanSquaredError(name="rmse")]
    return Goal(keras.losses.MeanSquaredError(), metrics, _as_it_is)


def _two_classes(from_logits: bool, label_smoothing: float) -> Goal:
    accuracy = keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0 if from_logits else 0.5)
    return Goal(keras.losses.BinaryCrossentropy(from_logits, label_smoothing), [accuracy], _as_it_is)


def _classes(classes: int, from_logits: bool, label_smoothing: float) -> Goal:
    if not label_smoothing:
        accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
        return Goal(keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits), [accuracy], _as_it_is)
    # Keras smooths one-hot labels alone.
    return Goal(
        keras.losses.CategoricalCrossentropy(from_logits, label_smoothing),
        [keras.metrics.CategoricalAccuracy(name="accuracy")],
        lambda labels: tf.one_hot(labels, classes),
    )


def _as_it_is(labels: Any) -> Any:
    return labels


def _are_probabilities(outputs: Any) -> bool:
    values = outputs.numpy().astype(np.float32)
    return bool((values >= 0).all() and np.allclose(values.sum(axis=-1), 1, atol=1e-2))


def _ends_in_sigmoid(model: keras.Model) -> bool:
    layer: Any = model
    while getattr(layer, "layers", None):
        layer = layer.layers[-1]
    return getattr(layer, "activation", None) is keras.activations.sigmoid


def make_state(model: keras.Model, data: Data, encode: Encode) -> None:
    """Make every variable now, also those of metrics and optimizer.

    `tf.function` traces twice when its first trace makes some.
    """
    model.test_step((tf.constant(data.x_train[:2]), encode(tf.constant(data.y_train[:2]))))
    model.reset_metrics()
    model.optimizer.build(model.trainable_variables)


def describe(model: keras.Model, words: Mapping[str, Any]) -> str:
    """Say in one line what was built."""
    kinds = [type(layer).__name__ for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    name = one_word(OPTIMIZER, words["optimizer"])[0].name
    return f"{' > '.join(kinds)}; {model.count_params():,} parameters; {name}, batches of {words['batch_size']}"

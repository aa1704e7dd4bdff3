"""One epoch as `model.fit` over `tf.data`, for data that is too large to stay on the device."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainers.data import Data
from trainers.training.compiling import Encode
from trainers.training.order import order


class Reader:
    """Copies batches out of the arrays of a data set, in an order that changes from epoch to epoch.

    One for all trials of a worker: TensorFlow never lets go of a Python function that a pipeline has called.
    """

    def __init__(self, data: Data) -> None:
        self.data, self.batch_size, self.rows = data, 1, np.arange(len(data.x_train))

    def batch(self, number: int) -> Any:
        """Return the examples and labels of a training batch."""
        rows = self.rows[number * self.batch_size : (number + 1) * self.batch_size]
        return self.data.x_train[rows], self.data.y_train[rows]

    def held(self, number: int) -> Any:
        """Return the examples and labels of a validation batch."""
        rows = slice(number * self.batch_size, (number + 1) * self.batch_size)
        return self.data.x_validation[rows], self.data.y_validation[rows]


reader = lru_cache(maxsize=1)(Reader)


class StreamedEpochs:
    """Epochs of one compiled model; the same batches in the same order as those of `loop.CompiledEpochs`."""

    def __init__(
        self,
        model: keras.Model,
        data: Data,
        augmentation: list[keras.layers.Layer],
        encode: Encode,
        batch_size: int,
        seed: int,
    ) -> None:
        self.model, self.seed, self.examples = model, seed, len(data.x_train)
        self.reader = reader(data)
        self.reader.batch_size = batch_size

        def augmented(x: Any, y: Any) -> Any:
            for layer in augmentation:
                x = layer(x, training=True)
            return x, encode(y)

        steps = -(-self.examples // batch_size)
        validation_steps = -(-len(data.x_validation) // batch_size)
        self.training = _batches(self.reader.batch, steps, data).map(augmented).prefetch(2)
        self.validation = (
            _batches(self.reader.held, validation_steps, data).map(lambda x, y: (x, encode(y))).prefetch(2)
        )

    def train(self, epoch: int) -> dict[str, float]:
        """Train one epoch (1-based) and return its metrics."""
        self.reader.rows = order(self.examples, self.seed, epoch).numpy()
        history = self.model.fit(self.training, epochs=epoch, initial_epoch=epoch - 1, verbose=0, shuffle=False)
        return {name: float(values[-1]) for name, values in history.history.items()}

    def validate(self) -> dict[str, float]:
        """Return the metrics on the validation part."""
        metrics = self.model.evaluate(self.validation, verbose=0, return_dict=True)
        return {name: float(value) for name, value in metrics.items()}


def _batches(read: Callable[[int], Any], steps: int, data: Data) -> tf.data.Dataset:
    """Return a data set of `steps` batches that `read` copies out of the arrays."""
    types = (tf.as_dtype(data.x_train.dtype), tf.as_dtype(data.y_train.dtype))

    def fetch(number: Any) -> Any:
        x, y = tf.numpy_function(read, [number], types)
        x.set_shape((None, *data.input_shape))
        y.set_shape((None,))
        return x, y

    return tf.data.Dataset.range(steps).map(fetch)

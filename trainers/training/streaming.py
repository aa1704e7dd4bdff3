"""One epoch as `model.fit` over `tf.data`, for data that is too large to stay on the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainers.data import Data
from trainers.training.compiling import Encode
from trainers.training.order import order


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
        self.rows = np.arange(self.examples)

        def augmented(x: Any, y: Any) -> Any:
            for layer in augmentation:
                x = layer(x, training=True)
            return x, encode(y)

        def batch(number: int) -> Any:
            # Read anew at each call: `train` puts another order here for every epoch.
            rows = self.rows[number * batch_size : (number + 1) * batch_size]
            return data.x_train[rows], data.y_train[rows]

        def held(number: int) -> Any:
            rows = slice(number * batch_size, (number + 1) * batch_size)
            return data.x_validation[rows], data.y_validation[rows]

        steps = -(-self.examples // batch_size)
        validation_steps = -(-len(data.x_validation) // batch_size)
        self.training = _batches(batch, steps, data).map(augmented).prefetch(2)
        self.validation = _batches(held, validation_steps, data).map(lambda x, y: (x, encode(y))).prefetch(2)

    def train(self, epoch: int) -> dict[str, float]:
        """Train one epoch (1-based) and return its metrics."""
        self.rows = order(self.examples, self.seed, epoch).numpy()
        history = self.model.fit(self.training, epochs=epoch, initial_epoch=epoch - 1, verbose=0, shuffle=False)
        return {name: float(values[-1]) for name, values in history.history.items()}

    def validate(self) -> dict[str, float]:
        """Return the metrics on the validation part."""
        metrics = self.model.evaluate(self.validation, verbose=0, return_dict=True)
        return {name: float(value) for name, value in metrics.items()}


def _batches(read: Callable[[int], Any], steps: int, data: Data) -> tf.data.Dataset:
    """Return a data set of `steps` batches that `read` copies out of the arrays, one ahead of the device."""
    types = (tf.as_dtype(data.x_train.dtype), tf.as_dtype(data.y_train.dtype))

    def fetch(number: Any) -> Any:
        x, y = tf.numpy_function(read, [number], types)
        x.set_shape((None, *data.input_shape))
        y.set_shape((None,))
        return x, y

    return tf.data.Dataset.range(steps).map(fetch)

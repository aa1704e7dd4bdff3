"""One epoch as one compiled program, over data that stays on the device.

The same arithmetic as `model.fit`: each step is the model's own `train_step`. What `fit` spends between the steps, in
Python and on moving batches, is gone.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import keras
import tensorflow as tf

from trainers.data import Data
from trainers.training.compiling import Encode
from trainers.training.order import order

VALIDATION_BATCH_BYTES = 16 * 2**20
SLICE_SECONDS = 1.0


@lru_cache(maxsize=1)
def on_device(data: Data) -> tuple[Any, Any, Any, Any]:
    """Return the four arrays of the data set as tensors; placed once per worker, shared by all trials."""
    x, y = tf.constant(data.x_train), tf.constant(data.y_train)
    if x.dtype == tf.uint8 and tf.config.list_logical_devices("GPU"):
        # TensorFlow can't gather bytes on a GPU. Half precision holds 0 to 255 exactly; each batch is cast back.
        x = tf.cast(x, tf.float16)
    return x, y, tf.constant(data.x_validation), tf.constant(data.y_validation)


class CompiledEpochs:
    """Epochs of one compiled model; everything that holds state must exist already (`compiling.make_state`)."""

    def __init__(
        self,
        model: keras.Model,
        data: Data,
        augmentation: list[keras.layers.Layer],
        encode: Encode,
        batch_size: int,
        seed: int,
    ) -> None:
        self.model, self.seed, self.batch_size = model, seed, batch_size
        self.examples, self.steps = len(data.x_train), -(-len(data.x_train) // batch_size)
        row = data.x_train.nbytes // len(data.x_train)
        # Large enough to keep the device busy; an image batch that fits in training fits here too.
        self.validation_batch = max(batch_size, min(1024, VALIDATION_BATCH_BYTES // max(1, row)))
        self.slice = 1
        x, y, x_validation, y_validation = on_device(data)
        held = len(data.x_validation)

        def train(rows: Any, batch_size: Any, first: Any, last: Any) -> Any:
            def step(number: Any) -> Any:
                batch = rows[number * batch_size : (number + 1) * batch_size]
                examples = tf.cast(tf.gather(x, batch), x_validation.dtype)
                for layer in augmentation:
                    examples = layer(examples, training=True)
                model.train_step((examples, encode(tf.gather(y, batch))))
                return number + 1

            return tf.while_loop(lambda number: number < last, step, [first], parallel_iterations=1)

        def validate(batch_size: Any) -> Any:
            def step(start: Any) -> Any:
                end = start + batch_size
                model.test_step((x_validation[start:end], encode(y_validation[start:end])))
                return end

            tf.while_loop(lambda start: start < held, step, [tf.constant(0)], parallel_iterations=1)
            return model.get_metrics_result()

        # The batch size is a tensor, so that another one needs no new trace.
        self._train = tf.function(train, autograph=False)
        self._validate = tf.function(validate, autograph=False)

    def train(self, epoch: int) -> dict[str, float]:
        """Train one epoch (1-based) and return its metrics."""
        self.model.reset_metrics()
        rows, batch_size = order(self.examples, self.seed, epoch), tf.constant(self.batch_size)
        first = 0
        while first < self.steps:
            # A signal is answered between two calls, so a call should last about a second.
            last = min(first + self.slice, self.steps)
            start = time.perf_counter()
            self._train(rows, batch_size, tf.constant(first), tf.constant(last))[0].numpy()
            elapsed = max(1e-6, time.perf_counter() - start)
            self.slice = max(1, int((last - first) * SLICE_SECONDS / elapsed))
            first = last
        return _floats(self.model.get_metrics_result())

    def validate(self) -> dict[str, float]:
        """Return the metrics on the validation part."""
        self.model.reset_metrics()
        return _floats(self._validate(tf.constant(self.validation_batch)))


def _floats(metrics: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items()}

"""One epoch as one compiled program, over data that stays on the device.

The same arithmetic as `model.fit`: each step is the model's own `train_step`. What `fit` spends between the steps, in
Python and on moving batches, is gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainers.data import Data
from trainers.training.augmentation import augmented
from trainers.training.compiling import Encode
from trainers.training.one_vector import OneVector
from trainers.training.order import order
from trainers.training.scalars import Scalar, arguments, bound

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
    """Epochs of one compiled model; everything that holds state must exist already (`compiling.make_state`).

    What trials of one structure differ in are arguments of the programs: batch size, order, learning rates, `scalars`
    and the examples' weights, float32 (n,) or None for all alike; `weighted` says which.
    """

    def __init__(
        self,
        model: keras.Model,
        data: Data,
        augmentation: Sequence[keras.layers.Layer],
        encode: Encode,
        scalars: Sequence[Scalar] = (),
        weighted: bool = False,
        vector: OneVector | None = None,
    ) -> None:
        self.model, self.augmentation, self.scalars, self.slice = model, augmentation, scalars, 1
        self.examples = len(data.x_train)
        self.row = max(1, data.x_train.nbytes // len(data.x_train))
        x, y, x_validation, y_validation = on_device(data)
        held = len(data.x_validation)

        def train(rows: Any, batch_size: Any, first: Any, last: Any, rates: Any, values: Any, weights: Any) -> Any:
            def step(number: Any) -> Any:
                batch = rows[number * batch_size : (number + 1) * batch_size]
                examples, labels = tf.cast(tf.gather(x, batch), x_validation.dtype), encode(tf.gather(y, batch))
                examples, labels = augmented(augmentation, examples, labels)
                model.optimizer.learning_rate.assign(rates[number])
                weight = (tf.gather(weights, batch),) if weighted else ()
                model.train_step((examples, labels, *weight))
                return number + 1

            with bound(scalars, values), nullcontext() if vector is None else vector.updated():
                tf.while_loop(lambda number: number < last, step, [first], parallel_iterations=1)
            return model.get_metrics_result()

        def validate(batch_size: Any, values: Any) -> Any:
            def step(start: Any) -> Any:
                end = start + batch_size
                model.test_step((x_validation[start:end], encode(y_validation[start:end])))
                return end

            model.reset_metrics()
            with bound(scalars, values):
                if held <= self._most_at_once():  # a loop takes its time to trace
                    step(tf.constant(0))
                else:
                    tf.while_loop(lambda start: start < held, step, [tf.constant(0)], parallel_iterations=1)
            metrics = model.get_metrics_result()
            model.reset_metrics()
            return metrics

        # Signatures leave the number of steps and of weights open: another one needs no new trace.
        number, numbers = tf.TensorSpec((), tf.int32), tf.TensorSpec((None,), tf.float32)
        values = tf.TensorSpec((len(scalars), 2), tf.float32)
        order_of_rows = tf.TensorSpec((None,), tf.int32)
        signature = (order_of_rows, number, number, number, numbers, values, numbers)
        self._train = tf.function(train, signature, autograph=False)
        self._validate = tf.function(validate, (number, values), autograph=False)

    def begin(self, batch_size: int, seed: int, weights: Any = None) -> None:
        """Make ready for a trial: 1 <= batch_size; seed of the order; weights (n,) if the epochs are weighted."""
        self.seed, self.batch_size = seed, batch_size
        self.steps = -(-self.examples // batch_size)
        # Large enough to keep the device busy; an image batch that fits in training fits here too.
        self.validation_batch = max(batch_size, self._most_at_once())
        self.values = tf.constant(arguments(self.scalars))
        self.weights = tf.constant(() if weights is None else weights, tf.float32)
        self.measured = True

    def _most_at_once(self) -> int:
        """Return how many examples are validated at a time, whatever the batch size."""
        return min(1024, VALIDATION_BATCH_BYTES // self.row)

    def train(self, epoch: int, rates: Any, between: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Train one epoch (1-based) with a learning rate for each step, float32 (steps,), and return its metrics.

        A long epoch is run in slices of about a second; `between` is called after each but the last.
        """
        if self.measured:  # what was validated since left the metrics at their start
            self.model.reset_metrics()
        self.measured = True
        rows, batch_size = order(self.examples, self.seed, epoch), tf.constant(self.batch_size)
        rates = tf.constant(np.asarray(rates, np.float32))
        first = 0
        while True:
            last = min(first + self.slice, self.steps)
            start = time.perf_counter()
            slice_ = (tf.constant(first), tf.constant(last))
            metrics = _floats(self._train(rows, batch_size, *slice_, rates, self.values, self.weights))
            elapsed = max(1e-6, time.perf_counter() - start)
            self.slice = max(1, int((last - first) * SLICE_SECONDS / elapsed))
            first = last
            if first == self.steps:
                return metrics
            between()

    def validate(self) -> dict[str, float]:
        """Return the metrics on the validation part."""
        self.measured = False
        return _floats(self._validate(tf.constant(self.validation_batch), self.values))


def _floats(metrics: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items()}

"""One epoch as `model.fit` over `tf.data`, for data that is too large to stay on the device."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainers.contract import DataLost
from trainers.data import Data
from trainers.training.augmentation import augmented
from trainers.training.compiling import Encode
from trainers.training.order import order

TICK_SECONDS = 1.0


class Reader:
    """Copies batches out of the arrays of a data set, in an order that changes from epoch to epoch.

    One for all trials of a worker: TensorFlow never lets go of a Python function that a pipeline has called.
    """

    def __init__(self, data: Data) -> None:
        self.data, self.batch_size, self.rows = data, 1, np.arange(len(data.x_train))
        self.weights: Any = None

    def batch(self, number: int) -> Any:
        """Return the examples, labels and, if there are any, weights of a training batch."""
        rows = self.rows[number * self.batch_size : (number + 1) * self.batch_size]
        weights = () if self.weights is None else (self.weights[rows],)
        return self.data.x_train[rows], self.data.y_train[rows], *weights

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
        augmentation: Sequence[keras.layers.Layer],
        encode: Encode,
        weighted: bool = False,
    ) -> None:
        self.model, self.data, self.augmentation, self.encode = model, data, augmentation, encode
        self.weighted = weighted

    def begin(self, batch_size: int, seed: int, weights: Any = None) -> None:
        """Make ready for a trial: 1 <= batch_size; seed of the order; weights as of `example_weights`."""
        self.seed, self.batch_size = seed, batch_size
        begin = self._begin_arrays if self.data.stream is None else self._begin_stream
        begin(weights)

    def _begin_arrays(self, weights: Any) -> None:
        data, batch_size = self.data, self.batch_size
        self.examples, self.reader = len(data.x_train), reader(data)
        self.reader.batch_size = batch_size
        self.reader.weights = np.asarray(weights, np.float32) if self.weighted else None
        self.steps = -(-self.examples // batch_size)
        validation_steps = -(-len(data.x_validation) // batch_size)
        training = _batches(self.reader.batch, self.steps, data, self.weighted).map(self._prepared).prefetch(2)
        self.validation = _batches(self.reader.held, validation_steps, data).map(self._encoded).prefetch(2)

        def of_epoch(epoch: int) -> Any:
            self.reader.rows = order(self.examples, self.seed, epoch).numpy()
            return training

        self.of_epoch = of_epoch

    def _begin_stream(self, weights: Any) -> None:
        source, batch_size = self.data.stream, self.batch_size
        assert source is not None
        self.steps = -(-source.examples // batch_size)
        of_classes = tf.constant(weights, tf.float32) if self.weighted else None

        def weighed(x: Any, y: Any, *own: Any) -> Any:
            if of_classes is None:
                return x, y
            weight = tf.gather(of_classes, y) if self.data.task == "classification" else tf.ones(tf.shape(y)[:1])
            return x, y, weight * own[0] if own else weight

        self.validation = source.validation(batch_size).map(self._encoded).prefetch(source.prefetch)
        self.of_epoch = lambda epoch: (
            source.training(self.seed, epoch, batch_size).map(weighed).map(self._prepared).prefetch(source.prefetch)
        )

    def _prepared(self, x: Any, y: Any, *weight: Any) -> Any:
        return *augmented(self.augmentation, x, self.encode(y)), *weight

    def _encoded(self, x: Any, y: Any) -> Any:
        return x, self.encode(y)

    def train(self, epoch: int, rates: Any, between: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Train one epoch (1-based) with a learning rate for each step, float32 (steps,), and return its metrics.

        `between` is called between two steps, about every second.
        """
        with _blamed():
            history = self.model.fit(
                self.of_epoch(epoch),
                epochs=epoch,
                initial_epoch=epoch - 1,
                verbose=0,
                shuffle=False,
                callbacks=[_Steps(np.asarray(rates, np.float32), between)],
            )
        return {name: float(values[-1]) for name, values in history.history.items()}

    def validate(self) -> dict[str, float]:
        """Return the metrics on the validation part."""
        with _blamed():
            metrics = self.model.evaluate(self.validation, verbose=0, return_dict=True)
        return {name: float(value) for name, value in metrics.items()}


@contextmanager
def _blamed() -> Iterator[None]:
    """Turn what goes wrong while examples are read into DataLost: the trial is not to blame."""
    try:
        yield
    except tf.errors.OpError as error:
        if "IteratorGetNext" not in str(error):
            raise
        raise DataLost(f"the data can't be read any more: {_told(str(error.message))}") from error


def _told(message: str) -> str:
    """Return the one line of TensorFlow's many that says what happened: ours, or the one above the operation's name."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    ours = [line.partition("DataError: ")[2] for line in lines if "DataError: " in line]
    above = [line for line, below in pairwise(lines) if below.startswith("[[")]
    return [*ours, *above, *lines][0][:300]


class _Steps(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets each step's learning rate, and asks now and then whether to go on."""

    def __init__(self, rates: Any, between: Callable[[], None]) -> None:
        super().__init__()
        self.rates, self.between, self.asked = rates, between, time.monotonic()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        # Keras begins one step more where only the end of the data tells how many there are.
        if batch < len(self.rates) and (batch == 0 or self.rates[batch] != self.rates[batch - 1]):
            self.model.optimizer.learning_rate.assign(self.rates[batch])
        if time.monotonic() - self.asked > TICK_SECONDS:
            self.between()
            self.asked = time.monotonic()


def _batches(read: Callable[[int], Any], steps: int, data: Data, weighted: bool = False) -> tf.data.Dataset:
    """Return a data set of `steps` batches that `read` copies out of the arrays."""
    types = (tf.as_dtype(data.x_train.dtype), tf.as_dtype(data.y_train.dtype), *((tf.float32,) if weighted else ()))
    shapes = ((None, *data.input_shape), (None, *data.y_train.shape[1:]), (None,))

    def fetch(number: Any) -> Any:
        batch = tf.numpy_function(read, [number], types)
        for part, shape in zip(batch, shapes, strict=False):
            part.set_shape(shape)
        return tuple(batch)

    return tf.data.Dataset.range(steps).map(fetch)

"""One epoch as one compiled program that reads its batches from `tf.data`, for data too large to stay on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import tensorflow as tf

from trainers.contract import DataLost
from trainers.data import Data
from trainers.training.loop import NUMBER, NUMBERS, Epochs
from trainers.training.order import order


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


class StreamedEpochs(Epochs):
    """Epochs over a stream; of arrays, the same batches in the same order as those of `loop.CompiledEpochs`."""

    def _begin(self, weights: Any) -> None:
        begin = self._begin_arrays if self.data.stream is None else self._begin_stream
        begin(weights)

    def _begin_arrays(self, weights: Any) -> None:
        data, batch_size, copied = self.data, self.batch_size, reader(self.data)
        copied.batch_size = batch_size
        copied.weights = np.asarray(weights, np.float32) if self.weighted else None
        self.steps, self.held_steps = (-(-len(x) // batch_size) for x in (data.x_train, data.x_validation))
        training = _batches(copied.batch, self.steps, data, self.weighted).prefetch(2)
        self.validation = _batches(copied.held, self.held_steps, data).prefetch(2)

        def of_epoch(epoch: int) -> Any:
            copied.rows = order(len(data.x_train), self.seed, epoch).numpy()
            return training

        self.of_epoch = of_epoch

    def _begin_stream(self, weights: Any) -> None:
        source, batch_size = self.data.stream, self.batch_size
        assert source is not None
        self.steps, self.held_steps = (-(-examples // batch_size) for examples in (source.examples, source.held))
        of_classes = tf.constant(weights, tf.float32) if self.weighted else None

        def weighed(x: Any, y: Any, *own: Any) -> Any:
            if of_classes is None:
                return x, y
            weight = tf.gather(of_classes, y) if self.data.task == "classification" else tf.ones(tf.shape(y)[:1])
            return x, y, weight * own[0] if own else weight

        self.validation = source.validation(batch_size).prefetch(source.prefetch)
        self.of_epoch = lambda epoch: (
            source.training(self.seed, epoch, batch_size).map(weighed).prefetch(source.prefetch)
        )

    def _compile(self) -> None:
        def train(first: Any, last: Any, rates: Any, batches: Any, values: Any) -> Any:
            return self._trained(lambda number: next(batches), first, last, rates, values)

        def validate(batches: Any, steps: Any, values: Any) -> Any:
            return self._tested(lambda number: next(batches), steps, values)

        training, held = (tf.data.IteratorSpec(one.element_spec) for one in (self.of_epoch(1), self.validation))
        values = self._values
        self._train = tf.function(train, (NUMBER, NUMBER, NUMBERS, training, values), autograph=False)
        self._validate = self._validate or tf.function(validate, (held, NUMBER, values[0]), autograph=False)

    def _epoch(self, epoch: int) -> Callable[[Any, Any, Any], Any]:
        batches = iter(self.of_epoch(epoch))

        def program(first: Any, last: Any, rates: Any) -> Any:
            with _blamed():
                return self._train(first, last, rates, batches, self.values)

        return program

    def _measure(self) -> Any:
        with _blamed():
            return self._validate(iter(self.validation), tf.constant(self.held_steps), self.values[0])


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

"""One epoch as one compiled program: what `fit` spends between the steps, in Python and on moving batches, is gone.

The same arithmetic as `model.fit`: each step is the model's own `train_step`. Here is what all epochs are made of, and
those over data that stays on the device; `streaming` has those over data that doesn't.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from copy import copy
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainers.data import Data
from trainers.training.augmentation import augmented
from trainers.training.compiling import Encode
from trainers.training.fused import fused
from trainers.training.layers_of import is_plain
from trainers.training.one_vector import OneVector, Steps
from trainers.training.order import order
from trainers.training.scalars import NOWHERE, Place, Places, arguments, bound, unpacked
from trainers.training.tracing import operations, shared_constants, short_stacks

VALIDATION_BATCH_BYTES = 16 * 2**20
SLICE_SECONDS = 1.0

NUMBER, NUMBERS = tf.TensorSpec((), tf.int32), tf.TensorSpec((None,), tf.float32)
"""Signatures leave the number of steps and of weights open: another one needs no new trace."""


class Epochs(ABC):
    """Epochs of one compiled model; everything that holds state must exist already (`compiling.make_state`).

    What trials of one structure differ in are arguments of the programs: batch size, order, learning rates, the numbers
    that stand at `places`, and the examples' weights; `weighted` says whether there are some.
    """

    def __init__(
        self,
        model: keras.Model,
        data: Data,
        augmentation: Sequence[keras.layers.Layer],
        encode: Encode,
        places: Places = NOWHERE,
        weighted: bool = False,
        vector: OneVector | None = None,
        jit_compile: bool = False,
    ) -> None:
        self.model, self.data, self.augmentation, self.encode = model, data, augmentation, encode
        self.optimizer, self.places, self.vector = model.optimizer, places, vector
        self.weighted, self.jit_compile = weighted, jit_compile
        self.shared = None if vector is None else Steps(model, places.model)  # with the epochs that `of` returns
        self.slice, self.measured = 1, True
        self.steps = 0  # of an epoch
        self.operations = 0  # of the programs, once they are traced
        self._train: Any = None  # the programs, which the first trial needs
        self._validate: Any = None

    def of(self, vector: OneVector, augmentation: Sequence[keras.layers.Layer], rest: Sequence[Place]) -> Epochs:
        """Return epochs of the same model with another optimizer: what has nothing to do with it is compiled once."""
        other = copy(self)
        other.vector, other.optimizer, other.augmentation = vector, vector.optimizer, augmentation
        other.places = Places(self.places.model, rest)
        # TensorFlow makes its own of what is shared, half of what an operation takes.
        other.operations = 0 if self.shared is None else self.shared.operations // 2
        other._train = None
        return other

    def begin(self, batch_size: int, seed: int, weights: Any = None, places: Places | None = None) -> None:
        """Make ready for a trial: 1 <= batch_size; seed of the order; weights as of `example_weights`; its places."""
        self.batch_size, self.seed, self.measured = batch_size, seed, True
        given = self.places if places is None else places
        self.values = tuple(tf.constant(arguments(part)) for part in (given.model, given.rest))
        self._begin(weights)
        if self._train is None:
            self._compile()

    @abstractmethod
    def _begin(self, weights: Any) -> None:
        """Set `steps`, and whatever else depends on the batch size."""

    @abstractmethod
    def _compile(self) -> None:
        """Make the programs, of `_trained` and `_tested`."""

    @abstractmethod
    def _epoch(self, epoch: int) -> Callable[[Any, Any, Any], Any]:
        """Return the program that trains steps of an epoch: from one to another, with a learning rate for each."""

    @abstractmethod
    def _measure(self) -> Any:
        """Return the metrics on the validation part."""

    def train(self, epoch: int, rates: Any, between: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Train one epoch (1-based) with a learning rate for each step, float32 (steps,), and return its metrics.

        A long epoch is run in slices of about a second; `between` is called after each but the last.
        """
        if self.measured:  # what was validated since left the metrics at their start
            self.model.reset_metrics()
        self.measured = True
        program, rates, first = self._epoch(epoch), tf.constant(np.asarray(rates, np.float32)), 0
        while True:
            last = min(first + self.slice, self.steps)
            start = time.perf_counter()
            metrics = _floats(program(tf.constant(first), tf.constant(last), rates))
            elapsed = max(1e-6, time.perf_counter() - start)
            self.slice = max(1, int((last - first) * SLICE_SECONDS / elapsed))
            first = last
            if first == self.steps:
                return metrics
            between()

    def validate(self) -> dict[str, float]:
        """Return the metrics on the validation part."""
        self.measured = False
        return _floats(self._measure())

    def _trained(self, batch: Callable[[Any], Any], first: Any, last: Any, rates: Any, values: Any) -> Any:
        """Trace the steps of a training program; `batch` gives the examples, labels and perhaps weights of a step."""

        def step(number: Any) -> Any:
            x, y, *weight = batch(number)
            x, y = augmented(self.augmentation, x, self.encode(y))
            self.optimizer.learning_rate.assign(rates[number])
            update((x, y, *weight))
            self.operations += operations()
            return number + 1

        with self._traced():
            of_model, of_rest = map(unpacked, (self.places.model, self.places.rest), values)
            with bound(self.places.rest, of_rest), self._updating(of_model) as update:
                tf.while_loop(lambda number: number < last, step, [first], parallel_iterations=1)
        return self.model.get_metrics_result()

    @contextmanager
    def _updating(self, numbers: Any) -> Iterator[Callable[[Any], Any]]:
        """While steps are traced: give what trains the model on a batch."""
        vector, shared = self.vector, self.shared
        if vector is None or shared is None:  # both or neither
            with bound(self.places.model, numbers):
                yield self._step(self.model.train_step)
        else:
            known = shared.operations
            vector.variable.assign(shared.flat())
            yield self._step(lambda batch: vector.update(shared, numbers, batch))
            self.operations += shared.operations - known

    def _tested(self, batch: Callable[[Any], Any], steps: Any, values: Any) -> Any:
        """Trace the steps of a validation program; `steps` is a number, or a tensor."""
        test_step = self._step(self.model.test_step)

        def step(number: Any) -> Any:
            x, y = batch(number)
            test_step((x, self.encode(y)))
            self.operations += operations()
            return number + 1

        self.model.reset_metrics()
        with self._traced(), bound(self.places.model, unpacked(self.places.model, values)):
            if isinstance(steps, int) and steps == 1:  # a loop takes its time to trace
                step(0)
            else:
                tf.while_loop(lambda number: number < steps, step, [tf.constant(0)], parallel_iterations=1)
        metrics = self.model.get_metrics_result()
        self.model.reset_metrics()
        return metrics

    @contextmanager
    def _traced(self) -> Iterator[None]:
        """While a graph is traced: take what is cheaper than Keras' usual."""
        whole = nullcontext() if self.jit_compile else fused()
        plain = is_plain(self.model) and not tf.config.list_logical_devices("GPU")
        with short_stacks(), whole, shared_constants() if plain else nullcontext():
            yield

    def _step(self, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return a step of the model, compiled by XLA if that is asked for: once for every size of a batch."""
        if not self.jit_compile:
            return step
        compiled: Callable[[Any], Any] = tf.function(step, autograph=False, jit_compile=True)
        return compiled

    @property
    def _values(self) -> Any:
        """The signature of `values`: what stands at the model's places, and at the rest."""
        return tuple(tf.TensorSpec.from_tensor(part) for part in self.values)


@lru_cache(maxsize=1)
def on_device(data: Data) -> tuple[Any, Any, Any, Any]:
    """Return the four arrays of the data set as tensors; placed once per worker, shared by all trials."""
    x, y = tf.constant(data.x_train), tf.constant(data.y_train)
    if x.dtype == tf.uint8 and tf.config.list_logical_devices("GPU"):
        # TensorFlow can't gather bytes on a GPU. Half precision holds 0 to 255 exactly; each batch is cast back.
        x = tf.cast(x, tf.float16)
    return x, y, tf.constant(data.x_validation), tf.constant(data.y_validation)


class CompiledEpochs(Epochs):
    """Epochs over data that stays on the device, where a step gathers its batch; weights are float32 (n,)."""

    def _begin(self, weights: Any) -> None:
        self.steps = -(-len(self.data.x_train) // self.batch_size)
        self.weights = tf.constant(() if weights is None else weights, tf.float32)

    def _compile(self) -> None:
        x, y, x_validation, y_validation = on_device(self.data)
        is_one_batch = len(self.data.x_validation) <= self._most_at_once()

        def train(first: Any, last: Any, rates: Any, rows: Any, size: Any, values: Any, weights: Any) -> Any:
            def batch(number: Any) -> Any:
                chosen = rows[number * size : (number + 1) * size]
                weight = (tf.gather(weights, chosen),) if self.weighted else ()
                return tf.cast(tf.gather(x, chosen), x_validation.dtype), tf.gather(y, chosen), *weight

            return self._trained(batch, first, last, rates, values)

        def validate(size: Any, steps: Any, values: Any) -> Any:
            def batch(number: Any) -> Any:
                start = number * size
                return x_validation[start : start + size], y_validation[start : start + size]

            return self._tested(batch, 1 if is_one_batch else steps, values)

        rows, values = tf.TensorSpec((None,), tf.int32), self._values
        self._train = tf.function(train, (NUMBER, NUMBER, NUMBERS, rows, NUMBER, values, NUMBERS), autograph=False)
        self._validate = self._validate or tf.function(validate, (NUMBER, NUMBER, values[0]), autograph=False)

    def _most_at_once(self) -> int:
        """Return how many examples are validated at a time, whatever the batch size: the device is kept busy."""
        row = max(1, self.data.x_train.nbytes // len(self.data.x_train))
        return min(1024, VALIDATION_BATCH_BYTES // row)

    def _epoch(self, epoch: int) -> Callable[[Any, Any, Any], Any]:
        rows, size = order(len(self.data.x_train), self.seed, epoch), tf.constant(self.batch_size)
        rest = (rows, size, self.values, self.weights)
        return lambda first, last, rates: self._train(first, last, rates, *rest)

    def _measure(self) -> Any:
        size = max(self.batch_size, self._most_at_once())  # an image batch that fits in training fits here too
        steps = -(-len(self.data.x_validation) // size)
        return self._validate(tf.constant(size), tf.constant(steps), self.values[0])


def _floats(metrics: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items()}

"""One epoch as one compiled program: what `fit` spends between the steps, in Python and on moving batches, is gone.

The same arithmetic as `model.fit`: each step is the model's own `train_step`. Here is what all epochs are made of, and
those over data that stays on the device; `streaming` has those over data that doesn't.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache, partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainers.data import Data
from trainers.training.augmentation import augmented
from trainers.training.compiling import Encode
from trainers.training.fused import fused
from trainers.training.layers_of import is_plain
from trainers.training.one_vector import Steps
from trainers.training.order import order
from trainers.training.scalars import NOWHERE, Places, arguments, bound, unpacked
from trainers.training.tracing import one_stack, operations, shared_constants, short_stacks
from trainers.training.updates import ROWS, UNUSED_STEPS, Update

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
        jit_compile: bool = False,
    ) -> None:
        self.model, self.data, self.augmentation, self.encode = model, data, augmentation, encode
        self.places, self.weighted, self.jit_compile = places, weighted, jit_compile
        self.shared = Steps(model, places.model)
        self.known: Sequence[Update] = ()  # if weights are updated as one vector; that of the next trial is the last
        self.updates: Sequence[Update] = ()  # that the training program can choose from
        self.replaced = 0  # training programs, by such as choose from others
        self.slice, self.measured = 1, True
        self.steps = 0  # of an epoch
        self.operations = Counter[str]()  # of the parts of the programs, once they are traced
        self._train: Any = None  # the programs, which the first trial needs
        self._validate: Any = None

    def begin(
        self, batch_size: int, seed: int, weights: Any = None, places: Places | None = None, epochs: int = 1
    ) -> None:
        """Make ready for a trial: 1 <= batch_size; seed of the order; weights as of `example_weights`; its places."""
        self.batch_size, self.seed, self.measured = batch_size, seed, True
        self._begin(weights)
        self._choose(epochs * self.steps)
        given, rows = self.places if places is None else places, ROWS if self.known else 0
        numbers = arguments(given.model), arguments(given.augmentation), arguments(given.optimizer, rows)
        chosen = self.updates.index(self.known[-1]) if self.known else 0
        self.values = tuple(map(tf.constant, (*numbers, chosen)))
        if self._train is None:
            self._compile()

    def _choose(self, steps: int) -> None:
        """See to it that the program has the trial's update, and not so many others that another trace is cheaper."""
        most = 1 + UNUSED_STEPS // steps
        if self.known and (self.known[-1] not in self.updates or len(self.updates) > most):
            self.replaced += self._train is not None
            self.updates, self._train = self.known[-most:], None

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
            update((x, y, *weight), rates[number])
            self.operations["train"] = operations()
            return number + 1

        with self._traced():
            of_model, of_augmentation, of_optimizer, chosen = values
            vector = partial(self._updating_vector, chosen)
            updating = (vector if self.updates else self._updating)(unpacked(of_model), of_optimizer)
            with bound(self.places.augmentation, unpacked(of_augmentation)), updating as update:
                tf.while_loop(lambda number: number < last, step, [first], parallel_iterations=1)
        return self.model.get_metrics_result()

    @contextmanager
    def _updating(self, of_model: Any, of_optimizer: Any) -> Iterator[Callable[[Any, Any], Any]]:
        """While steps are traced: give what trains the model on a batch with a learning rate."""
        train_step, optimizer = self._step(self.model.train_step), self.model.optimizer

        def update(batch: Any, rate: Any) -> None:
            optimizer.learning_rate.assign(rate)
            train_step(batch)

        with bound(self.places.model, of_model), bound(self.places.optimizer, unpacked(of_optimizer)):
            yield update

    @contextmanager
    def _updating_vector(self, chosen: Any, of_model: Any, of_optimizer: Any) -> Iterator[Callable[[Any, Any], Any]]:
        """Likewise, with the model's weights as one vector; `chosen` is the place of an update among `updates`."""
        shared, known = self.shared, self.updates[0]  # all have the memory of one

        def update(batch: Any, rate: Any) -> None:
            gradients = shared.gradients(of_model, batch)
            branches = [partial(one.apply, gradients, rate, of_optimizer) for one in self.updates]
            if len(branches) > 1:
                tf.switch_case(chosen, branches)
            else:
                branches[0]()
            shared.put(known.weights.value, known.sizes.value)

        known.weights.value.assign(shared.flat())
        yield self._step(update)
        self.operations["shared"] = shared.operations
        self.operations["updates"] = sum(one.operations for one in self.updates)

    def _tested(self, batch: Callable[[Any], Any], steps: Any, values: Any) -> Any:
        """Trace the steps of a validation program; `steps` is a number, or a tensor."""
        test_step = self._step(self.model.test_step)

        def step(number: Any) -> Any:
            x, y = batch(number)
            test_step((x, self.encode(y)))
            self.operations["validate"] = operations()
            return number + 1

        self.model.reset_metrics()
        with self._traced(), bound(self.places.model, unpacked(values)):
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
        plain = is_plain(self.model)
        sharing = shared_constants() if plain and not tf.config.list_logical_devices("GPU") else nullcontext()
        with short_stacks(), one_stack() if plain else nullcontext(), whole, sharing:
            yield

    def _step(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """Return a step of the model, compiled by XLA if that is asked for: once for every size of a batch."""
        if not self.jit_compile:
            return step
        compiled: Callable[..., Any] = tf.function(step, autograph=False, jit_compile=True)
        return compiled

    @property
    def _values(self) -> Any:
        """The signature of `values`: what stands at the places, and which of `updates` is chosen."""
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
                its = rows[number * size : (number + 1) * size]
                weight = (tf.gather(weights, its),) if self.weighted else ()
                return tf.cast(tf.gather(x, its), x_validation.dtype), tf.gather(y, its), *weight

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

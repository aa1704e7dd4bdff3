"""All weights of a small model as one vector, which its optimizer updates as if it were one variable.

An optimizer's update is a dozen operations or two for every variable, together more than a small model has itself, and
tracing them takes a quarter of all that tracing takes. An optimizer that treats every number by itself gives the same
numbers, to the last bit, for the vector.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import keras
import numpy as np
import tensorflow as tf

from trainers.training.layers_of import layers_of, overrides
from trainers.training.variables import of_any_size

MOST = 2**20  # weights; a larger model's arithmetic takes longer than what this saves

BY_NUMBER = ("SGD", "RMSprop", "Adam", "AdamW", "Adamax", "Adagrad", "Adadelta", "Lion")
"""Keras' optimizers that never look at more than one number at a time. Nadam and Ftrl don't either, but their last bit
depends on how long a variable is."""


class OneVector:
    """The weights of a model as one variable, float32 (weights,), for the time of an epoch.

    The optimizer must be built on `variable`; `sizes` are those of its parts, int32 (variables,).
    """

    def __init__(self, model: keras.Model) -> None:
        self.optimizer, self.weights = model.optimizer, list(model.trainable_variables)

    def build(self) -> None:
        """Make `sizes` and `variable`."""
        sizes = np.asarray([_size(weight) for weight in self.weights], np.int32)
        # From functions: a variable of open size can't tell Keras its own shape.
        self.sizes = keras.Variable(lambda shape, dtype: sizes, sizes.shape, "int32", trainable=False, name="sizes")
        self.variable = keras.Variable("zeros", (int(sizes.sum()),), name="weights")

    @contextmanager
    def updated(self) -> Iterator[None]:
        """While a graph is traced: begin with the model's weights, and let its steps update the vector."""
        self.variable.assign(_flat(weight.value for weight in self.weights))
        with patch.object(self.optimizer, "apply_gradients", self._apply_gradients):
            yield

    def _apply_gradients(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        gradients = [gradient for gradient, _ in pairs]
        known = zip(gradients, self.weights, strict=True)
        self.optimizer.apply([_flat(tf.zeros_like(w.value) if g is None else g for g, w in known)], [self.variable])
        for gradient, weight, part in zip(gradients, self.weights, self._parts(self.variable), strict=True):
            if gradient is not None:  # else weight decay would change it, which Keras leaves alone then
                weight.assign(part)

    def _parts(self, vector: keras.Variable) -> list[Any]:
        """Return what a vector holds for each weight, in the weight's shape."""
        parts = tf.split(vector.value, self.sizes.value, num=len(self.weights))
        return [tf.reshape(part, _shape(weight)) for part, weight in zip(parts, self.weights, strict=True)]

    def optimizer_of_variables(self) -> keras.optimizers.Optimizer:
        """Return the optimizer as it would be without the vector, built on the model's weights, in the same state."""
        mine, theirs = self.optimizer, type(self.optimizer).from_config(self.optimizer.get_config())
        with of_any_size():
            theirs.build(self.weights)
        for name, value in vars(mine).items():
            if isinstance(value, keras.Variable):
                getattr(theirs, name).assign(value)
            elif isinstance(value, list) and len(value) == 1 and self._is_slot(value[0]):
                for variable, part in zip(getattr(theirs, name), self._parts(value[0]), strict=True):
                    variable.assign(part)
        return theirs

    def _is_slot(self, thing: Any) -> bool:
        """Tell whether it is what the optimizer keeps for each number of the vector."""
        return isinstance(thing, keras.Variable) and thing.shape == self.variable.shape and thing is not self.variable


def one_vector(model: keras.Model) -> OneVector | None:
    """Return the vector of a compiled model, if it and its optimizer allow for one."""
    optimizer, weights = model.optimizer, model.trainable_variables
    if not is_by_number(optimizer):
        return None
    by_variable = (optimizer.use_ema, optimizer.clipnorm, optimizer.global_clipnorm)
    if any(by_variable) or overrides(model, "train_step"):
        return None
    if any(weight.dtype != "float32" or weight.constraint is not None for weight in weights):
        return None
    # The gradient of an embedding is that of the few rows that a batch names.
    if any(isinstance(layer, keras.layers.Embedding) for layer in layers_of(model)):
        return None
    return OneVector(model) if len(weights) > 1 and sum(map(_size, weights)) <= MOST else None


def is_by_number(optimizer: keras.optimizers.Optimizer) -> bool:
    """Tell whether an optimizer is one of Keras' that treat every number by itself."""
    return type(optimizer) in [getattr(keras.optimizers, name) for name in BY_NUMBER]


def _flat(tensors: Iterable[Any]) -> Any:
    return tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], 0)


def _shape(weight: Any) -> Any:
    """Return a weight's shape: as a tensor where a program leaves it open."""
    return weight.shape if weight.value.shape.is_fully_defined() else tf.shape(weight.value)


def _size(variable: Any) -> int:
    return int(np.prod(variable.shape))

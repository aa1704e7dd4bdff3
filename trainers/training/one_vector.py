"""All weights of a small model as one vector, which its optimizer updates as if it were one variable.

An optimizer's update is a dozen operations or two for every variable, together more than a small model has itself, and
tracing them takes a quarter of all that tracing takes. An optimizer that treats every number by itself gives the same
numbers, to the last bit, for the vector. What comes before and after the update is then the same for all of these
optimizers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from unittest.mock import patch

import keras
import numpy as np
import tensorflow as tf

from trainers.training.layers_of import layers_of, overrides
from trainers.training.scalars import Place, bound
from trainers.training.tracing import operations
from trainers.training.variables import of_any_size

MOST = 2**20  # weights; a larger model's arithmetic takes longer than what this saves

BY_NUMBER = ("SGD", "RMSprop", "Adam", "AdamW", "Adamax", "Adagrad", "Adadelta", "Lion")
"""Keras' optimizers that never look at more than one number at a time. Nadam and Ftrl don't either, but their last bit
depends on how long a variable is."""


class OneVector:
    """The weights of a trial's model as one variable, float32 (weights,), which its optimizer must be built on.

    `sizes` are those of its parts, int32 (variables,).
    """

    def __init__(self, model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
        self.optimizer, self.weights = optimizer, list(model.trainable_variables)

    def build(self) -> None:
        """Make `sizes` and `variable`."""
        sizes = np.asarray([_size(weight) for weight in self.weights], np.int32)
        # From functions: a variable of open size can't tell Keras its own shape.
        self.sizes = keras.Variable(lambda shape, dtype: sizes, sizes.shape, "int32", trainable=False, name="sizes")
        self.variable = keras.Variable("zeros", (int(sizes.sum()),), name="weights")

    def optimizer_of_variables(self) -> keras.optimizers.Optimizer:
        """Return the optimizer as it would be without the vector, built on the model's weights, in the same state."""
        mine, theirs = self.optimizer, type(self.optimizer).from_config(self.optimizer.get_config())
        with of_any_size():
            theirs.build(self.weights)
        for name, value in vars(mine).items():
            if isinstance(value, keras.Variable):
                getattr(theirs, name).assign(value)
            elif isinstance(value, list) and len(value) == 1 and self._is_slot(value[0]):
                parts = _parts(value[0].value, self.sizes.value, self.weights)
                for variable, part in zip(getattr(theirs, name), parts, strict=True):
                    variable.assign(part)
        return theirs

    def _is_slot(self, thing: Any) -> bool:
        """Tell whether it is what the optimizer keeps for each number of the vector."""
        return isinstance(thing, keras.Variable) and thing.shape == self.variable.shape and thing is not self.variable


class Steps:
    """What the steps of a model have in common, whatever its optimizer. Its gradients are traced once for all of them.

    `places` are where its trials differ in a number. `gradients` comes before `put`, which goes by what it has found.
    """

    def __init__(self, model: keras.Model, places: Sequence[Place]) -> None:
        self.model, self.places, self.weights = model, places, list(model.trainable_variables)
        self.moving: Sequence[bool] = ()  # whether the weights have gradients
        self.operations = 0  # of what was traced
        self.gradients = tf.function(self._gradients, autograph=False)

    def flat(self) -> Any:
        """Return the model's weights as a vector."""
        return _flat(weight.value for weight in self.weights)

    def _gradients(self, numbers: Any, batch: Any) -> Any:
        """Return the gradients of all weights on a batch as a vector: 0 where a weight has none."""
        found: list[Any] = []

        def note(pairs: Iterable[tuple[Any, keras.Variable]]) -> None:
            found.extend(gradient for gradient, _ in pairs)

        with bound(self.places, numbers), patch.object(self.model.optimizer, "apply_gradients", note):
            self.model.train_step(batch)
        self.moving = [gradient is not None for gradient in found]
        known = zip(found, self.weights, strict=True)
        vector = _flat(tf.zeros_like(weight.value) if one is None else one for one, weight in known)
        self.operations += operations()
        return vector

    def put(self, vector: Any, sizes: Any) -> None:
        """Give the model's weights the values of a vector, but not those that Keras would leave alone."""
        parts = _parts(vector, sizes, self.weights)
        for weight, part, moves in zip(self.weights, parts, self.moving, strict=True):
            if moves:
                weight.value.assign(part)


def one_vector(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> OneVector | None:
    """Return the vector of a model, if it and its optimizer allow for one."""
    weights = model.trainable_variables
    if not is_by_number(optimizer):
        return None
    by_variable = (optimizer.use_ema, optimizer.clipnorm, optimizer.global_clipnorm)
    # Of half precision by an optimizer that Keras puts around this one; either way gradients depend on the optimizer.
    scales_losses = optimizer.loss_scale_factor or model.dtype_policy.name == "mixed_float16"
    # Keras begins to accumulate anew with zeros of the shape that a variable had while this was traced.
    accumulates = optimizer.gradient_accumulation_steps
    if any(by_variable) or scales_losses or accumulates or overrides(model, "train_step"):
        return None
    if any(weight.dtype != "float32" or weight.constraint is not None for weight in weights):
        return None
    # The gradient of an embedding is that of the few rows that a batch names.
    if any(isinstance(layer, keras.layers.Embedding) for layer in layers_of(model)):
        return None
    return OneVector(model, optimizer) if len(weights) > 1 and sum(map(_size, weights)) <= MOST else None


def is_by_number(optimizer: keras.optimizers.Optimizer) -> bool:
    """Tell whether an optimizer is one of Keras' that treat every number by itself."""
    return type(optimizer) in [getattr(keras.optimizers, name) for name in BY_NUMBER]


def _flat(tensors: Iterable[Any]) -> Any:
    return tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], 0)


def _parts(vector: Any, sizes: Any, weights: Sequence[keras.Variable]) -> list[Any]:
    """Return what a vector holds for each weight, in the weight's shape."""
    parts = tf.split(vector, sizes, num=len(weights))
    return [tf.reshape(part, _shape(weight)) for part, weight in zip(parts, weights, strict=True)]


def _shape(weight: Any) -> Any:
    """Return a weight's shape: as a tensor where a program leaves it open."""
    return weight.shape if weight.value.shape.is_fully_defined() else tf.shape(weight.value)


def _size(variable: Any) -> int:
    return int(np.prod(variable.shape))

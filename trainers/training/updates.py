"""The optimizers that update small models as one vector: a program holds those that its worker met last, and chooses.

Trials of a model with different optimizers so share one program. An optimizer's own part of it is traced once for all
models, and all keep their state in the same variables: a worker trains one trial at a time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf

from trainers.training.one_vector import OneVector
from trainers.training.scalars import bound, places, unpacked
from trainers.training.tracing import operations
from trainers.training.variables import give, of_any_size, reused, size_of
from trainers.training.widths import OpenShape

MOST = 16  # optimizers that are kept
UNUSED_STEPS = 30_000  # of a trial, through an update that is not its own: they take as long as another trace, 0.1 s
ROWS = 12  # of an optimizer that stand at places, at most


class Update:
    """What one kind of optimizer does to the vector."""

    def __init__(self, optimizer: keras.optimizers.Optimizer, weights: keras.Variable, sizes: keras.Variable) -> None:
        self.optimizer, self.weights, self.sizes = optimizer, weights, sizes  # of the vector and its parts
        self.operations = 0  # of `apply`, once it is traced
        signature = [tf.TensorSpec(shape) for shape in ((None,), (), (ROWS, 2))]
        self.apply = tf.function(self._applied, signature, autograph=False)

    def _applied(self, gradients: Any, rate: Any, numbers: Any) -> None:
        """Change the vector by its gradients, float32 (weights,); numbers as of `scalars.arguments`."""
        variables = [*self.optimizer.variables, self.weights]
        shapes = [OpenShape(one, "_shape", one._shape, shape=(None,) * len(one.shape)) for one in variables]
        with bound([*places([self.optimizer]), *shapes], unpacked(numbers)):
            self.optimizer.learning_rate.assign(rate)
            self.optimizer.apply([gradients], [self.weights])
        self.operations = operations()


@dataclass
class Updates:
    """All kinds of optimizers that a worker has met last, by `Structure.optimizer`, and the variables of all."""

    kinds: OrderedDict[str, Update] = field(default_factory=OrderedDict)
    vector: list[tf.Variable] = field(default_factory=list)
    unbuilt: list[tf.Variable] = field(default_factory=list)  # what an optimizer has before it is built
    slots: list[tf.Variable] = field(default_factory=list)  # what it has for each weight
    bytes: int = 0  # of the variables, in the last trial

    @property
    def known(self) -> list[Update]:
        """Return the updates, that of the last trial at the end."""
        return [*self.kinds.values()]

    def of(self, kind: str, vector: OneVector, unbuilt: Sequence[keras.Variable]) -> Update:
        """Build the optimizer of a vector, which is of this kind; return the update that programs know it by."""
        with of_any_size(), reused(self.vector):
            vector.build()
        if kind not in self.kinds:
            self.kinds[kind] = self._made(vector)
        self.kinds.move_to_end(kind)
        if len(self.kinds) > MOST:
            self.kinds.popitem(last=False)
        for variable, memory in zip(unbuilt, self.unbuilt, strict=True):
            give(memory, variable)
        with of_any_size(), reused(self.slots):
            vector.optimizer.build([vector.variable])
        self.bytes = size_of([*vector.optimizer.variables, vector.variable])
        return self.kinds[kind]

    def _made(self, vector: OneVector) -> Update:
        """Return an update with an optimizer of its own, which no trial's callback can change."""
        config = vector.optimizer.get_config()
        with reused(self.unbuilt):
            optimizer = type(vector.optimizer).from_config(config)
        with of_any_size(), reused(self.slots):
            optimizer.build([vector.variable])
        return Update(optimizer, vector.variable, vector.sizes)

"""Which compiled programs does a trial train with: those of a trial of the same structure, or new ones?

A worker keeps the programs of its last structures. A trial whose structure is known takes over the variables that the
program works on, with its own initial weights and random states in them, and hands over its numbers as arguments.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from unittest.mock import patch

import keras
import tensorflow as tf

from trainers.data import Data
from trainers.training.compiling import Goal, plain
from trainers.training.loop import Epochs
from trainers.training.one_vector import OneVector
from trainers.training.scalars import Place
from trainers.training.structure import Parts, loss_places
from trainers.training.variables import lend, made_of

KERNELS_KEPT = 100  # trials; TensorFlow keeps kernels for each new shape of a variable, half a megabyte a trial
MOST_BYTES = 2**28  # of the programs that are kept, with their variables; the newest is kept in any case
OPERATION_BYTES = 20_000  # what TensorFlow and we keep for an operation of a program, as measured


@dataclass(frozen=True)
class Trial:
    """A trial's model, compiled, and what it is trained with."""

    parts: Parts
    aim: Goal
    vector: OneVector | None
    unbuilt: Sequence[keras.Variable]  # what the optimizer has before it is built

    @property
    def model(self) -> keras.Model:
        """The model that is trained."""
        return self.parts.model

    @property
    def places(self) -> list[Place]:
        """The places of all numbers that a program takes as arguments, and of all widths."""
        return [*self.parts.places, *loss_places(self.aim.loss)]

    @property
    def variables(self) -> dict[str, Any]:
        """Every variable that the rest of the training depends on, by a name that the next process will give too."""
        groups = {
            "model": self.model.variables,
            "optimizer": self.model.optimizer.variables,
            "augmentation": [variable for layer in self.parts.augmentation for variable in layer.variables],
        }
        return {f"{group}.{i}": variable for group, variables in groups.items() for i, variable in enumerate(variables)}

    @property
    def bytes(self) -> int:
        """Return how much its variables take."""
        return sum(int(v.value.dtype.size) * int(v.shape.num_elements()) for v in self.variables.values())

    def build_optimizer(self) -> None:
        """Make the optimizer's variables."""
        if self.vector is not None:
            self.vector.build()
        self.model.optimizer.build(self.model.trainable_variables if self.vector is None else [self.vector.variable])

    @contextmanager
    def saved(self) -> Iterator[None]:
        """While the model is saved, let it be what anybody's is: known to Keras, and with a usual optimizer."""
        optimizer = self.model.optimizer if self.vector is None else self.vector.optimizer_of_variables()
        with patch.object(self.model, "optimizer", optimizer), plain(self.model, self.aim):
            yield


@dataclass
class Program:
    """Compiled epochs, and the trial that they were made for: all others of its structure take over its variables."""

    first: Trial
    built: Sequence[tf.Variable]  # made when its optimizer was built, in their order
    epochs: Epochs
    weights: int  # bytes of the variables of the trial that it trains

    @property
    def bytes(self) -> int:
        """Return about how much it takes in memory, once it has trained."""
        return self.weights + OPERATION_BYTES * self.epochs.operations

    def lend(self, trial: Trial) -> None:
        """Let a trial have the variables that the program works on; they take the values that the trial begins with."""
        lend([*self.first.parts.start, *self.first.unbuilt], [*trial.parts.start, *trial.unbuilt])
        with made_of(self.built):
            trial.build_optimizer()
        self.weights = trial.bytes


@dataclass
class Programs:
    """The programs of one data set, by structure; those that were used least lately go first."""

    kept: OrderedDict[str, Program] = field(default_factory=OrderedDict)
    garbage: bool = False  # whether there is enough of it that it should be collected now
    random: bool = False  # whether anything has drawn from `tf.random`
    trials: int = 0

    @property
    def may_keep_kernels(self) -> bool:
        """Whether TensorFlow's kernels may stay for the next trial.

        Those of programs that were let go must go with them, and those that draw random numbers must begin anew.
        """
        return not self.garbage and not self.random and (self.trials + 1) % KERNELS_KEPT > 0

    def draw(self) -> None:
        """Note that something has drawn from `tf.random`."""
        self.random = True

    def find(self, structure: str | None) -> Program | None:
        """Return the program of this structure, if it is kept."""
        if structure is None or structure not in self.kept:
            return None
        self.kept.move_to_end(structure)
        return self.kept[structure]

    def keep(self, structure: str | None, program: Program) -> None:
        """Keep a new program. If there are too many, let go of half of them: each time, garbage is to be collected."""
        if structure is None:
            self.garbage = True
            return
        self.kept[structure] = program
        taken = sum(kept.bytes for kept in self.kept.values())
        if taken > MOST_BYTES:
            while len(self.kept) > 1 and taken > MOST_BYTES // 2:
                taken -= self.kept.popitem(last=False)[1].bytes
                self.garbage = True

    def forget(self, program: Program) -> None:
        """Don't keep a program whose training ended in an error."""
        self.kept = OrderedDict((name, kept) for name, kept in self.kept.items() if kept is not program)
        self.garbage = True


@lru_cache(maxsize=1)
def programs(data: Data) -> Programs:
    """Return the programs that this worker keeps for a data set."""
    return Programs()

"""Which compiled programs does a trial train with: those of a trial of the same structure, or new ones?

A worker keeps the programs of its last models. A trial whose model is of a known structure takes over the variables
that the program works on, with its own initial weights and random states in them, and hands over its numbers as
arguments. If its optimizer is of another kind than all before, its steps are compiled; the model's own part of them is
known.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
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
from trainers.training.scalars import Places
from trainers.training.structure import Parts, Structure, loss_places
from trainers.training.variables import lend, made_of, noted, of_any_size, size_of

KERNELS_KEPT = 100  # trials; TensorFlow keeps kernels for each new shape of a variable, half a megabyte a trial
MOST_BYTES = 2**28  # of the programs that are kept, with their variables; one with one optimizer is kept in any case
OPERATION_BYTES = 20_000  # what TensorFlow and we keep for an operation of a program, as measured


@dataclass(frozen=True)
class Trial:
    """A trial's model, compiled, and what it is trained with."""

    parts: Parts
    aim: Goal
    unbuilt: Sequence[keras.Variable]  # what the optimizer has before it is built

    @property
    def model(self) -> keras.Model:
        """The model that is trained."""
        return self.parts.model

    @property
    def vector(self) -> OneVector | None:
        """Its weights as one variable, if they are updated so."""
        return self.parts.vector

    @property
    def places(self) -> Places:
        """The places of all numbers that a program takes as arguments, and of all widths."""
        known = self.parts.places
        return Places([*known.model, *loss_places(self.aim.loss)], known.rest)

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
    def updated(self) -> list[keras.Variable]:
        """Return what its optimizer works on besides the model, once it is built."""
        return [*self.model.optimizer.variables, *([] if self.vector is None else [self.vector.variable])]

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
class Optimized:
    """Compiled epochs with one kind of optimizer, whose variables all its trials take over."""

    unbuilt: Sequence[keras.Variable]
    built: Sequence[tf.Variable]  # made when it was built, in their order
    epochs: Epochs
    state: int  # bytes of the optimizer's variables, in the trial that used it last


def optimized(trial: Trial, epochs: Epochs) -> Optimized:
    """Return epochs with the optimizer of a trial, whose variables are made now."""
    with noted() as built, of_any_size() if trial.parts.widths.places else nullcontext():
        trial.build_optimizer()
    return Optimized(trial.unbuilt, built, epochs, size_of(trial.updated))


@dataclass
class Program:
    """What trains a model, and the trial that it was made for: all others of its structure take over its variables.

    `by_optimizer` has what differs, by `Structure.optimizer`.
    """

    first: Trial
    by_optimizer: dict[str, Optimized]
    weights: int  # bytes of the variables of the model, in the trial that used it last

    @property
    def bytes(self) -> int:
        """Return about how much it takes in memory, once it has trained."""
        kinds = self.by_optimizer.values()
        return self.weights + sum(one.state + OPERATION_BYTES * one.epochs.operations for one in kinds)

    def lend(self, trial: Trial, kind: str) -> None:
        """Let a trial have the variables that the program works on; they take the values that the trial begins with.

        `kind` is the `Structure.optimizer` of the trial.
        """
        lend(self.first.parts.start, trial.parts.start)
        self.weights = size_of(trial.parts.start)
        known = self.by_optimizer.get(kind)
        if known is not None:
            lend(known.unbuilt, trial.unbuilt)
            with made_of(known.built):
                trial.build_optimizer()
            known.state = size_of(trial.updated)
        else:
            assert trial.vector is not None  # or its optimizer would belong to the model's structure
            last = next(reversed(self.by_optimizer.values())).epochs  # the first may never have begun
            epochs = last.of(trial.vector, trial.parts.augmentation, trial.places.rest)
            self.by_optimizer[kind] = optimized(trial, epochs)


@dataclass
class Programs:
    """The programs of one data set, by `Structure.model`; those that were used least lately go first."""

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

    def find(self, structure: Structure | None) -> Program | None:
        """Return the program of a model of this structure, if it is kept."""
        if structure is None or structure.model not in self.kept:
            return None
        self.kept.move_to_end(structure.model)
        return self.kept[structure.model]

    def keep(self, structure: Structure | None, program: Program) -> None:
        """Keep a program. If all take too much, let go of half of them: each time, garbage is to be collected."""
        if structure is None:
            self.garbage = True
            return
        self.kept[structure.model] = program
        taken = sum(kept.bytes for kept in self.kept.values())
        if taken > MOST_BYTES:
            while len(self.kept) > 1 and taken > MOST_BYTES // 2:
                taken -= self.kept.popitem(last=False)[1].bytes
                self.garbage = True
        if taken > MOST_BYTES and len(program.by_optimizer) > 1:  # it is made anew for the next trial
            self.forget(program)

    def forget(self, program: Program) -> None:
        """Don't keep a program, such as one whose training ended in an error."""
        self.kept = OrderedDict((name, kept) for name, kept in self.kept.items() if kept is not program)
        self.garbage = True


@lru_cache(maxsize=1)
def programs(data: Data) -> Programs:
    """Return the programs that this worker keeps for a data set."""
    return Programs()

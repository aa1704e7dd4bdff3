"""Which compiled programs does a trial train with: those of a trial of the same structure, or new ones?

A worker keeps the programs of its last models. A trial whose model is of a known structure takes over the variables
that the program works on, with its own initial weights and random states in them, and hands over its numbers as
arguments. If its optimizer is of a kind that the program doesn't hold (`updates`), its steps are compiled anew; the
model's own part of them is known.
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
from trainers.training import primitives
from trainers.training.compiling import Goal, plain
from trainers.training.loop import Epochs
from trainers.training.one_vector import OneVector
from trainers.training.scalars import Places
from trainers.training.structure import Parts, Structure, loss_places
from trainers.training.updates import Updates
from trainers.training.variables import lend, of_any_size, reused, size_of

KERNELS_KEPT = 100  # trials; TensorFlow keeps kernels for each new shape of a variable, half a megabyte a trial
SHAPES_KEPT = 20  # trials of different shapes; it keeps a megabyte or two for the convolutions of each
MOST_BYTES = 2**28  # of the programs that are kept, with their variables; the last one is kept in any case
MOST_REPLACED = 8  # programs; until garbage is collected they take their memory
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
        return Places([*known.model, *loss_places(self.aim.loss)], known.augmentation, known.optimizer)

    @property
    def variables(self) -> dict[str, Any]:
        """Every variable that the rest of the training depends on, by a name that the next process will give too."""
        groups = {
            "model": self.model.variables,
            "optimizer": self.model.optimizer.variables,
            "augmentation": [variable for layer in self.parts.augmentation for variable in layer.variables],
        }
        return {f"{group}.{i}": variable for group, variables in groups.items() for i, variable in enumerate(variables)}

    @contextmanager
    def saved(self) -> Iterator[None]:
        """While the model is saved, let it be what anybody's is: known to Keras, and with a usual optimizer."""
        optimizer = self.model.optimizer if self.vector is None else self.vector.optimizer_of_variables()
        with patch.object(self.model, "optimizer", optimizer), plain(self.model, self.aim):
            yield


@dataclass
class Program:
    """What trains a model, and the trial that it was made for: all others of its structure take over its variables."""

    first: Trial
    epochs: Epochs
    built: list[tf.Variable] = field(default_factory=list)  # by the optimizer, if it doesn't update a vector
    state: int = 0  # bytes of the variables of the model and its own optimizer, in the trial that used it last

    @property
    def bytes(self) -> int:
        """Return about how much it takes in memory, once it has trained."""
        return self.state + OPERATION_BYTES * self.epochs.operations.total()

    def lend(self, trial: Trial, kind: str, updates: Updates) -> None:
        """Let a trial have the variables that the program works on; they take the values that the trial begins with.

        `kind` is the `Structure.optimizer` of the trial.
        """
        lend(self.first.parts.start, trial.parts.start)
        self.build_optimizer(trial, kind, updates)

    def build_optimizer(self, trial: Trial, kind: str, updates: Updates) -> None:
        """Make the variables of a trial's optimizer, or let it have those that are known; likewise."""
        model, vector = trial.model, trial.vector
        self.state = size_of(trial.parts.start)
        if vector is not None:
            update = updates.of(kind, vector, trial.unbuilt)
            self.epochs.known = [update] if self.epochs.jit_compile else updates.known  # XLA compiles all of them
            return
        if trial is not self.first:
            lend(self.first.unbuilt, trial.unbuilt)
        with of_any_size() if trial.parts.widths.places else nullcontext(), reused(self.built):
            model.optimizer.build(model.trainable_variables)
        self.state += size_of(model.optimizer.variables)


@dataclass
class Programs:
    """The programs of one data set, by `Structure.model`; those that were used least lately go first."""

    kept: OrderedDict[str, Program] = field(default_factory=OrderedDict)
    updates: Updates = field(default_factory=Updates)
    garbage: bool = False  # whether there is enough of it that it should be collected now
    random: bool = False  # whether anything has drawn from `tf.random`
    trials: int = 0
    shapes: set[Any] = field(default_factory=set)  # of the last trials, of batches and variables

    def note_replaced(self) -> None:
        """If many programs were replaced by others of the same models, let garbage be collected."""
        epochs = [program.epochs for program in self.kept.values()]
        if sum(one.replaced for one in epochs) >= MOST_REPLACED:
            self.garbage = True
            for one in epochs:
                one.replaced = 0

    def note_shapes(self, *shapes: Any) -> None:
        """Note the shapes that a trial is going to calculate with. If there are many, let go of those before."""
        if shapes not in self.shapes and len(self.shapes) >= SHAPES_KEPT:
            primitives.forget()
            self.shapes.clear()
        self.shapes.add(shapes)

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
        taken = self.updates.bytes + sum(kept.bytes for kept in self.kept.values())
        if taken > MOST_BYTES:
            while len(self.kept) > 1 and taken > MOST_BYTES // 2:
                taken -= self.kept.popitem(last=False)[1].bytes
                self.garbage = True

    def forget(self, program: Program) -> None:
        """Don't keep a program whose training ended in an error, nor what it shares with others."""
        self.kept = OrderedDict((name, kept) for name, kept in self.kept.items() if kept is not program)
        self.updates = Updates()
        self.garbage = True


@lru_cache(maxsize=1)
def programs(data: Data) -> Programs:
    """Return the programs that this worker keeps for a data set."""
    return Programs()

"""Which compiled programs does a trial train with: those of a trial of the same structure, or new ones?

A worker keeps the programs of its last structures. A trial whose structure is known takes over the variables that the
program works on, with its own initial weights and random states in them, and hands over its numbers as arguments. What
differs in anything that could be part of a graph is another structure; see `structure_of`.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Any
from unittest.mock import patch

import keras
import tensorflow as tf

from trainers.data import Data
from trainers.training.compiling import Goal, plain
from trainers.training.layers_of import PENALIZED, is_keras, is_plain, layers_of
from trainers.training.loop import Epochs
from trainers.training.one_vector import MOST as MOST_WEIGHTS
from trainers.training.one_vector import OneVector
from trainers.training.scalars import Place, Scalar, places
from trainers.training.widths import Widths, widths

KERNELS_KEPT = 100  # trials; TensorFlow keeps kernels for each new shape of a variable, half a megabyte a trial
MOST_BYTES = 2**28  # of the programs that are kept, with their variables; the newest is kept in any case
OPERATION_BYTES = 20_000  # what TensorFlow and we keep for an operation of a program, as measured

NO_PART_OF_A_PROGRAM = (
    *("learning_rate", "schedule", "schedule_by", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "ema"),
    *("optimizer", "batch_size", "label_smoothing", "class_weight", "augment", "preprocessing", "callbacks"),
)
"""Words that programs take as arguments, or that the objects which are looked at anyway tell of."""

ONCE = ("seed", "learning_rate")
UNTOLD = (*ONCE, "shape", "build_config")
"""Names in configurations that don't count; where widths are open, neither do shapes, which follow from them."""


@dataclass(frozen=True)
class Parts:
    """What a trial is made of before anything is compiled, as its seed makes it."""

    model: keras.Model
    optimizer: keras.optimizers.Optimizer
    augmentation: Sequence[keras.layers.Layer]
    numbers: Sequence[Place]
    widths: Widths

    @property
    def places(self) -> list[Place]:
        """Return where a program has something that stands for the numbers of any trial."""
        return [*self.widths.places, *self.numbers]

    @property
    def start(self) -> list[Any]:
        """Return the variables that begin with values of the trial's own: weights and random states."""
        return [*self.model.variables, *chain.from_iterable(layer.variables for layer in self.augmentation)]


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


@dataclass(frozen=True)
class Program:
    """Compiled epochs, and the trial that they were made for: all others of its structure take over its variables."""

    first: Trial
    built: Sequence[tf.Variable]  # made when its optimizer was built, in their order
    epochs: Epochs

    @property
    def bytes(self) -> int:
        """Return about how much it takes in memory, once it has trained."""
        variables = [*self.first.parts.start, *self.first.model.optimizer.variables]
        weights = sum(int(tf.size(variable.value)) * int(variable.value.dtype.size) for variable in variables)
        return weights + OPERATION_BYTES * self.epochs.operations

    def lend(self, trial: Trial) -> None:
        """Let a trial have the variables that the program works on; they take the values that the trial begins with."""
        mine, theirs = ([*one.parts.start, *one.unbuilt] for one in (self.first, trial))
        for lent, taken in zip(mine, theirs, strict=True):
            lent.value.assign(taken.value)
            taken._initialize(lent.value)  # what its constructor does with a variable that it is given
        with made_of(self.built):
            trial.build_optimizer()


@contextmanager
def made_of(variables: Iterable[tf.Variable]) -> Iterator[None]:
    """Whoever makes a variable inside gets the next of these, with the value that it was to begin with."""
    given = iter(variables)

    def next_one(make: Any, initial_value: Any, **named: Any) -> tf.Variable:
        variable = next(given)
        variable.assign(initial_value() if callable(initial_value) else initial_value)
        return variable

    with tf.variable_creator_scope(next_one):
        yield


@contextmanager
def noted() -> Iterator[list[tf.Variable]]:
    """Give a list of the variables that are made inside, in their order."""
    made: list[tf.Variable] = []

    def note(make: Any, **named: Any) -> tf.Variable:
        made.append(make(**named))
        return made[-1]

    with tf.variable_creator_scope(note):
        yield made


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


def parts(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    augmentation: Sequence[keras.layers.Layer],
) -> Parts:
    """Return the parts of a trial with the places of what may differ in a program."""
    layers = list(layers_of(model))
    penalties = [getattr(layer, f"{name}_regularizer", None) for layer in layers for name in PENALIZED]
    numbers = places([*layers, *penalties, optimizer, *augmentation])
    return Parts(model, optimizer, augmentation, numbers, widths(model, optimizer))


def loss_places(loss: Any) -> list[Place]:
    """Return the place of a loss' label smoothing, if it has one."""
    options = getattr(loss, "_fn_kwargs", {})
    smoothing = options.get("label_smoothing")
    return [Place(options, "label_smoothing", smoothing, [Scalar(smoothing)])] if smoothing else []


def structure_of(made: Parts, words: Mapping[str, Any], objectives: Sequence[str], weighted: bool) -> str | None:
    """Return a text that is equal for two trials exactly if they can share programs.

    None if that can't be told: the configurations of Keras' own layers tell all about them, those of others may not.
    """
    # The averages of this optimizer begin with the weights of its trial.
    if not is_plain(made.model) or isinstance(made.optimizer, keras.optimizers.ScheduleFreeAdamW):
        return None
    for place in made.places:
        place.hide()
    try:
        configs = [one.get_config() for one in (made.model, made.optimizer, *made.augmentation)]
    except NotImplementedError:
        return None
    finally:
        for place in made.places:
            place.fasten()
    shape = made.widths.shape
    told = [
        _told(configs, UNTOLD if made.widths.places else ONCE),
        [type(made.optimizer).__qualname__, *(type(layer).__qualname__ for layer in made.augmentation)],
        [(variable.path, shape(variable), variable.dtype, variable.trainable) for variable in made.start],
        made.model.count_params() <= MOST_WEIGHTS,  # whether they are updated as one vector
        [(type(place.owner).__name__, place.attribute, len(place.scalars)) for place in made.places],
        {name: value for name, value in words.items() if name not in NO_PART_OF_A_PROGRAM},
        None if all(is_keras(layer) for layer in made.augmentation) else words["augment"],
        [bool(words["label_smoothing"]), weighted, list(objectives)],
    ]
    return json.dumps(told, default=_number, sort_keys=True)


def _number(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else repr(value)


def _told(config: Any, untold: Sequence[str]) -> Any:
    """Return a configuration without what is over once the variables are made, and without the names in `untold`."""
    if isinstance(config, Mapping):
        return {
            str(name): _told(value, untold)
            for name, value in config.items()
            if name not in untold and not str(name).endswith("_initializer")
        }
    return [_told(one, untold) for one in config] if isinstance(config, list | tuple) else config

"""Which compiled programs does a trial train with: those of a trial of the same structure, or new ones?

A worker keeps the programs of its last structures. A trial whose structure is known copies its own initial weights and
random states into the variables of the kept model, and hands over its numbers as arguments. What differs in anything
that could be part of a graph is another structure; see `structure_of`.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Any
from unittest.mock import patch

import keras

from trainers.data import Data
from trainers.training.compiling import Goal
from trainers.training.layers_of import PENALIZED, is_keras, is_plain, layers_of
from trainers.training.loop import Epochs
from trainers.training.one_vector import OneVector
from trainers.training.scalars import Place, Scalar, places

MOST = 8  # structures whose programs are kept
MOST_BYTES = 2**28  # of their weights and optimizers; the newest is kept in any case
COLLECTED_BYTES = 2**24  # of weights that aren't left to the next round of the garbage collection

NO_PART_OF_A_PROGRAM = (
    *("learning_rate", "schedule", "schedule_by", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "ema"),
    *("optimizer", "batch_size", "label_smoothing", "class_weight", "augment", "preprocessing", "callbacks"),
)
"""Words that programs take as arguments, or that the objects which are looked at anyway tell of."""


@dataclass(frozen=True)
class Parts:
    """What a trial is made of before anything is compiled, as its seed makes it."""

    model: keras.Model
    optimizer: keras.optimizers.Optimizer
    augmentation: Sequence[keras.layers.Layer]
    places: Sequence[Place]

    @property
    def start(self) -> list[Any]:
        """Return the variables that begin with values of the trial's own: weights and random states."""
        return [*self.model.variables, *chain.from_iterable(layer.variables for layer in self.augmentation)]


@dataclass(frozen=True)
class Program:
    """A model compiled for training, and what it takes to begin again with another trial of its structure."""

    parts: Parts
    aim: Goal
    loss: Sequence[Place]
    epochs: Epochs
    fresh: Sequence[Any]  # the optimizer's variables before the first step
    vector: OneVector | None = None

    @property
    def model(self) -> keras.Model:
        """The model whose variables are trained."""
        return self.parts.model

    @property
    def places(self) -> list[Place]:
        """The places of all its scalars."""
        return [*self.parts.places, *self.loss]

    @property
    def bytes(self) -> int:
        """Return how much its variables take."""
        return _bytes([*self.parts.start, *self.model.optimizer.variables])

    def take(self, parts: Parts, label_smoothing: float) -> None:
        """Begin anew as the trial that `parts` is made of."""
        for mine, theirs in zip(self.parts.start, parts.start, strict=True):
            mine.assign(theirs.value)
        for variable, value in zip(self.model.optimizer.variables, self.fresh, strict=True):
            variable.assign(value)
        for place, other in zip(self.parts.places, parts.places, strict=True):
            place.take(other)
        for place in self.loss:
            place.plain = place.scalars[0].number = label_smoothing
            self.aim.loss.label_smoothing = label_smoothing  # what is saved
        self.model.stop_training = False
        self.loosen()

    def loosen(self) -> None:
        """Make ready for training."""
        for place in self.places:
            place.loosen()

    def fasten(self) -> None:
        """Make the model what anybody's Keras model is, with the numbers of its trial."""
        for place in self.places:
            place.fasten()

    @contextmanager
    def saved(self) -> Iterator[None]:
        """While the fastened model is saved, let its optimizer be what anybody's is, too."""
        if self.vector is None:
            yield
        else:
            with patch.object(self.model, "optimizer", self.vector.optimizer_of_variables()):
                yield


@dataclass
class Programs:
    """The programs of one data set, by structure; those that were used least lately go first."""

    kept: OrderedDict[str, Program] = field(default_factory=OrderedDict)
    garbage: bool = False  # whether there is enough of it that it should be collected now
    random: bool = False  # whether anything has drawn from `tf.random`

    @property
    def may_keep_kernels(self) -> bool:
        """Whether TensorFlow's kernels may stay for the next trial.

        Those of programs that were let go must go with them, and those that draw random numbers must begin anew.
        """
        return not self.garbage and not self.random

    def draw(self) -> None:
        """Note that something has drawn from `tf.random`."""
        self.random = True

    def find(self, structure: str | None) -> Program | None:
        """Return the program of this structure, if it is kept."""
        if structure is None or structure not in self.kept:
            return None
        self.kept.move_to_end(structure)
        program = self.kept[structure]
        self.garbage |= program.bytes > COLLECTED_BYTES  # the weights that the trial begins with are copied
        return program

    def keep(self, structure: str | None, program: Program) -> None:
        """Keep a new program. If there are too many, let go of half of them: each time, garbage is to be collected."""
        if structure is None:
            self.garbage = True
            return
        self.kept[structure] = program
        if not self._have_room(MOST, MOST_BYTES):
            while len(self.kept) > 1 and not self._have_room(MOST // 2, MOST_BYTES // 2):
                self.kept.popitem(last=False)
                self.garbage = True

    def _have_room(self, most: int, most_bytes: int) -> bool:
        return len(self.kept) <= most and sum(kept.bytes for kept in self.kept.values()) <= most_bytes

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
    """Return the parts of a trial with the places of their scalars."""
    layers = list(layers_of(model))
    penalties = [getattr(layer, f"{name}_regularizer", None) for layer in layers for name in PENALIZED]
    return Parts(model, optimizer, augmentation, places([*layers, *penalties, optimizer, *augmentation]))


def scalars_in(found: Sequence[Place]) -> list[Scalar]:
    """Return the scalars of these places, in their order."""
    return [scalar for place in found for scalar in place.scalars]


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
    told = [
        _told(configs),
        [type(made.optimizer).__qualname__, *(type(layer).__qualname__ for layer in made.augmentation)],
        [(variable.path, variable.shape, variable.dtype, variable.trainable) for variable in made.start],
        [(type(place.owner).__name__, place.attribute, len(place.scalars)) for place in made.places],
        {name: value for name, value in words.items() if name not in NO_PART_OF_A_PROGRAM},
        None if all(is_keras(layer) for layer in made.augmentation) else words["augment"],
        [bool(words["label_smoothing"]), weighted, list(objectives)],
    ]
    return json.dumps(told, default=_number, sort_keys=True)


def _number(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else repr(value)


def _told(config: Any) -> Any:
    """Return a configuration without what is over once the variables are made."""
    if isinstance(config, Mapping):
        return {
            str(name): _told(value)
            for name, value in config.items()
            if name not in ("seed", "learning_rate") and not str(name).endswith("_initializer")
        }
    return [_told(one) for one in config] if isinstance(config, list | tuple) else config


def _bytes(variables: Sequence[Any]) -> int:
    return sum(variable.value.dtype.size * variable.value.shape.num_elements() for variable in variables)

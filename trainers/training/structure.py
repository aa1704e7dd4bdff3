"""What is a trial made of, and which trials are of one structure, so that they can share programs?

What differs in anything that could be part of a graph is another structure. Left open are the numbers that programs
take as arguments (`scalars`), and the widths that nothing asks for (`widths`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import keras

from trainers.training.layers_of import PENALIZED, is_keras, is_plain, layers_of
from trainers.training.one_vector import OneVector, one_vector
from trainers.training.scalars import Place, Places, Scalar, places
from trainers.training.widths import Widths, widths

NO_PART_OF_A_PROGRAM = (
    *("learning_rate", "schedule", "schedule_by", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "ema"),
    *("optimizer", "batch_size", "label_smoothing", "class_weight", "augment", "preprocessing", "callbacks"),
)
"""Words that programs take as arguments, or that the objects which are looked at anyway tell of."""

ONCE = ("seed", "learning_rate", "initial_accumulator_value")
UNTOLD = (*ONCE, "shape", "build_config")
"""Names in configurations that don't count; where widths are open, neither do shapes, which follow from them."""


@dataclass(frozen=True)
class Parts:
    """What a trial is made of before anything is compiled, as its seed makes it."""

    model: keras.Model
    optimizer: keras.optimizers.Optimizer
    augmentation: Sequence[keras.layers.Layer]
    places: Places  # where a program has something that stands for the numbers of any trial
    widths: Widths
    vector: OneVector | None
    plain: bool  # Keras' own through and through

    @property
    def start(self) -> list[Any]:
        """Return the variables that begin with values of the trial's own: weights and random states."""
        return [*self.model.variables, *chain.from_iterable(layer.variables for layer in self.augmentation)]


def parts(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    augmentation: Sequence[keras.layers.Layer],
) -> Parts:
    """Return the parts of a trial with the places of what may differ in a program."""
    layers = list(layers_of(model))
    penalties = [getattr(layer, f"{name}_regularizer", None) for layer in layers for name in PENALIZED]
    # Whatever isn't Keras' own may look at the layers and ask them anything.
    plain = is_plain(model)
    wide = widths(model, optimizer) if plain else Widths()
    of_all = Places([*wide.places, *places([*layers, *penalties])], places(augmentation), places([optimizer]))
    return Parts(model, optimizer, augmentation, of_all, wide, one_vector(model, optimizer), plain)


def loss_places(loss: Any) -> list[Place]:
    """Return the place of a loss' label smoothing, if it has one."""
    options = getattr(loss, "_fn_kwargs", {})
    smoothing = options.get("label_smoothing")
    return [Place(options, "label_smoothing", smoothing, [Scalar(smoothing)])] if smoothing else []


@dataclass(frozen=True)
class Structure:
    """Two texts, each equal for two trials exactly if they can share what it tells of."""

    model: str  # and all that it is trained and validated with
    optimizer: str


def structure_of(made: Parts, words: Mapping[str, Any], objectives: Sequence[str], weighted: bool) -> Structure | None:
    """Return what two trials must have in common to share programs.

    None if that can't be told: the configurations of Keras' own layers tell all about them, those of others may not.
    """
    # The averages of this optimizer begin with the weights of its trial.
    if not made.plain or isinstance(made.optimizer, keras.optimizers.ScheduleFreeAdamW):
        return None
    of_others, mine = [*made.places.model, *made.places.augmentation], made.places.optimizer
    for place in (*of_others, *mine):
        place.hide()
    try:
        configs = [one.get_config() for one in (made.model, *made.augmentation)]
        config = _told(made.optimizer.get_config(), ONCE)
    except NotImplementedError:
        return None
    finally:
        for place in (*of_others, *mine):
            place.fasten()
    shape, shares = made.widths.shape, made.vector is not None and not words["jit_compile"]
    of_optimizer = [type(made.optimizer).__qualname__, config, [_told_of(place) for place in mine]]
    of_model = [
        _told(configs, UNTOLD if made.widths.places else ONCE),
        [type(layer).__qualname__ for layer in made.augmentation],
        [(variable.path, shape(variable), variable.dtype, variable.trainable) for variable in made.start],
        [_told_of(place) for place in of_others],
        {name: value for name, value in words.items() if name not in NO_PART_OF_A_PROGRAM},
        None if all(is_keras(layer) for layer in made.augmentation) else words["augment"],
        [bool(words["label_smoothing"]), weighted, list(objectives)],
        None if shares else of_optimizer,  # it updates variables one by one, or XLA compiles all that a program has
    ]
    return Structure(*(json.dumps(told, default=_number, sort_keys=True) for told in (of_model, of_optimizer)))


def _told_of(place: Place) -> Any:
    return type(place.owner).__name__, place.attribute, len(place.scalars)


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

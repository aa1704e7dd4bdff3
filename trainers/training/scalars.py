"""Which numbers of a model, its optimizer, loss and augmentation a compiled program takes as arguments.

Keras keeps them as Python floats, which become constants of a graph. Where it only calculates with them, a `Scalar` can
stand in their place, and trials that differ in nothing else share one program.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

_MOMENTS = ("beta_1", "beta_2", "epsilon")

OF_EVERY_OPTIMIZER = ("weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "ema_momentum")
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "SGD": ("momentum",),
    "RMSprop": ("rho", "momentum", "epsilon"),
    "Adam": _MOMENTS,
    "AdamW": _MOMENTS,
    "Nadam": _MOMENTS,
    "Adamax": _MOMENTS,
    "Adagrad": ("epsilon",),
    "Adadelta": ("rho", "epsilon"),
    "Adafactor": ("beta_2_decay", "clip_threshold"),
    "Ftrl": ("l2_regularization_strength",),
    "Lion": ("beta_1", "beta_2"),
    "Lamb": _MOMENTS,
    "Muon": ("momentum", "epsilon"),
    "Dropout": ("rate",),
    "SpatialDropout1D": ("rate",),
    "SpatialDropout2D": ("rate",),
    "L1": ("l1",),
    "L2": ("l2",),
    "L1L2": ("l1", "l2"),
    "RandomRotation": ("factor",),
    "RandomZoom": ("height_factor", "height_lower", "height_upper"),
    "RandomTranslation": (
        "height_factor",
        "height_lower",
        "height_upper",
        "width_factor",
        "width_lower",
        "width_upper",
    ),
    "RandomContrast": ("factor",),
    "RandomBrightness": ("factor",),
}
"""By Keras class: the attributes that it only calculates with, if they aren't 0. One more class is one more row."""


class Scalar:
    """A number other than 0 in the place of a float attribute: in a graph the argument that `bound` names."""

    dtype = "float32"

    def __init__(self, number: float) -> None:
        self.number = number
        self.tensors: Any = None

    @property
    def pair(self) -> tuple[float, float]:
        """Return the number and 1 minus it, which Keras calculates in double precision."""
        return self.number, 1 - self.number

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> Any:
        """Be a tensor wherever TensorFlow expects one."""
        tensor = tf.constant(self.number, tf.float32) if self.tensors is None else self.tensors[0]
        return tf.cast(tensor, dtype or tf.float32)

    def __rsub__(self, other: Any) -> Any:
        if isinstance(other, int | float) and other == 1:
            return tf.constant(self.pair[1], tf.float32) if self.tensors is None else self.tensors[1]
        return other - self.__tf_tensor__()

    def __gt__(self, other: Any) -> bool:
        """Answer `> 0`, with which Keras asks whether there is anything to do."""
        return True

    def __lt__(self, other: Any) -> bool:
        """Answer `< 0`, with which TensorFlow checks the rate of a dropout."""
        return False

    def __ge__(self, other: Any) -> bool:
        """Answer `>= 1`, likewise."""
        return False

    def __neg__(self) -> Any:
        return -self.__tf_tensor__()

    def __add__(self, other: Any) -> Any:
        return self.__tf_tensor__() + other

    __radd__ = __add__

    def __mul__(self, other: Any) -> Any:
        return self.__tf_tensor__() * other

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self.__tf_tensor__() / other

    def __rtruediv__(self, other: Any) -> Any:
        return other / self.__tf_tensor__()

    def __sub__(self, other: Any) -> Any:
        return self.__tf_tensor__() - other


numbers.Real.register(Scalar)  # a rate that is no number must be a tensor to TensorFlow, but then it can't be `> 0`


@dataclass
class Place:
    """An attribute with a number, or several, and the scalars that stand for them in a program."""

    owner: Any
    attribute: str
    plain: Any
    scalars: list[Scalar] = field(default_factory=list)

    def hide(self) -> None:
        """Put one and the same number there, whatever it was, so that a configuration doesn't tell."""
        self._fill([0.5] * len(self.scalars))

    def loosen(self) -> None:
        """Put the scalars in the place of the numbers."""
        self._fill(self.scalars)

    def fasten(self) -> None:
        """Put the numbers back."""
        self._put(self.plain)

    def _fill(self, given: Sequence[Any]) -> None:
        rest = iter(given)
        several = isinstance(self.plain, tuple | list)
        self._put(tuple(next(rest) if one else one for one in self.plain) if several else next(rest))

    def _put(self, value: Any) -> None:
        if isinstance(self.owner, dict):
            self.owner[self.attribute] = value
        else:
            setattr(self.owner, self.attribute, value)


@dataclass(frozen=True)
class Places:
    """The places of all that trials of one structure differ in."""

    model: Sequence[Place] = ()  # its numbers and widths and, once it is compiled, the numbers of its loss
    augmentation: Sequence[Place] = ()
    optimizer: Sequence[Place] = ()


NOWHERE = Places()


def places(owners: Iterable[Any]) -> list[Place]:
    """Return every attribute of these Keras objects that scalars can stand for, in a fixed order."""
    found = []
    for owner in {id(owner): owner for owner in owners}.values():
        for attribute in _attributes(owner):
            value = getattr(owner, attribute, None)
            numbers = [one for one in (value if isinstance(value, tuple | list) else [value]) if one]
            if numbers and all(isinstance(one, float) for one in numbers):
                found.append(Place(owner, attribute, value, [Scalar(number) for number in numbers]))
    return found


def _attributes(owner: Any) -> tuple[str, ...]:
    if not type(owner).__module__.startswith("keras."):
        return ()
    own = ATTRIBUTES.get(type(owner).__name__, ())
    if getattr(owner, "compute_dtype", "float32") != "float32":
        return ()  # TensorFlow mixes types with numbers only
    return own + OF_EVERY_OPTIMIZER if own and isinstance(owner, keras.optimizers.Optimizer) else own


def arguments(places: Iterable[Place], rows: int = 0) -> Any:
    """Return what a program takes for the scalars of these places: float32, (number of scalars, or `rows`, 2)."""
    pairs = [scalar.pair for scalar in scalars_in(places)]
    return np.asarray([*pairs, *[(0.0, 1.0)] * (rows - len(pairs))], np.float32).reshape(-1, 2)


def scalars_in(places: Iterable[Place]) -> list[Scalar]:
    """Return the scalars of these places, in their order."""
    return [scalar for place in places for scalar in place.scalars]


def unpacked(values: Any) -> list[list[Any]]:
    """Return what stands for each scalar in a graph, from `arguments`: the two tensors of its pair."""
    return [tf.unstack(row) for row in tf.unstack(values)]


@contextmanager
def bound(places: Sequence[Place], pairs: Sequence[Any]) -> Iterator[None]:
    """While a graph is traced, put scalars in their places, which stand for tensors as `unpacked` gives them.

    There may be more pairs than scalars.
    """
    scalars = scalars_in(places)
    for scalar, tensors in zip(scalars, pairs[: len(scalars)], strict=True):
        scalar.tensors = tensors
    for place in places:
        place.loosen()
    try:
        yield
    finally:
        for place in places:
            place.fasten()
        for scalar in scalars:
            scalar.tensors = None

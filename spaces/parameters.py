"""What can be searched: the tree of a space, and drawing one configuration from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from spaces.errors import Place

Scalar = bool | int | float | str | None


@dataclass(frozen=True)
class Fixed:
    """A plain value (a scalar), or what stands under `const` (any lists and maps of scalars)."""

    value: Any
    place: Place


@dataclass(frozen=True)
class Float:
    """`{float: [low, high], log: …, step: …, prior: …}`; both ends inclusive."""

    low: float
    high: float
    place: Place
    log: bool = False
    step: float | None = None
    prior: float | None = None


@dataclass(frozen=True)
class Int:
    """`{int: [low, high], log: …, step: …, prior: …}`; both ends inclusive."""

    low: int
    high: int
    place: Place
    log: bool = False
    step: int = 1
    prior: int | None = None


@dataclass(frozen=True)
class Choice:
    """`{choice: [a, b]}`: the drawn value is the scalar (or list) itself.

    `options` are what is suggested and stored. A list option is suggested under its flow-style text (`"[32, 64]"`), and
    `values` gives the value that is drawn for each option.
    """

    options: tuple[Scalar, ...]
    values: tuple[Any, ...]
    place: Place
    places: tuple[Place, ...] = ()
    prior: Scalar = None
    has_prior: bool = False


@dataclass(frozen=True)
class Branches:
    """`{choice: {adam: {…}, sgd: {…}}}`: the drawn value is the one-key map `{"adam": {…}}`.

    What stands under a branch is any node; an empty branch is an empty Map.
    """

    branches: Mapping[str, Node]
    place: Place
    places: Mapping[str, Place]
    prior: str | None = None


@dataclass(frozen=True)
class Optional:
    """`{optional: …}`: drawn as None, or as what stands under it."""

    body: Node
    place: Place
    prior: bool | None = None


@dataclass(frozen=True)
class Repeat:
    """`{repeat: [low, high], each: …}`: drawn as a list of low to high draws of `each`."""

    low: int
    high: int
    each: Node
    place: Place
    prior: int | None = None


@dataclass(frozen=True)
class Map:
    """Any other map: it nests. `places` holds the place of each key."""

    items: Mapping[str, Node]
    place: Place
    places: Mapping[str, Place]


Node = Fixed | Float | Int | Choice | Branches | Optional | Repeat | Map


class Suggest(Protocol):
    """What a configuration is drawn from; `optuna.Trial` fits."""

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None, log: bool) -> float:
        """Return a value in [low, high]."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        """Return a value in [low, high]."""

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        """Return one of the choices."""


def draw(space: Node, suggest: Suggest, name: str = "") -> Any:
    """Draw one configuration: nested dicts and lists of plain values.

    Names of what is suggested are dotted paths: `optimizer` for the choice of a branch, `optimizer.sgd.momentum` below
    it, `augment` (a bool) for an optional, `layers.n` for a repeat's count and `layers.0.filters` below it.
    """
    raise NotImplementedError

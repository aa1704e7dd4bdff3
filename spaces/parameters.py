"""What can be searched: the tree of a space, and drawing one configuration from it.

Nodes are equal when they say the same, wherever it stands: places don't count.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from spaces.errors import Place

Scalar = bool | int | float | str | None


@dataclass(frozen=True)
class Fixed:
    """A plain value (a scalar), or what stands under `const` (any lists and maps of scalars)."""

    value: Any
    place: Place = field(compare=False)


@dataclass(frozen=True)
class Float:
    """`{float: [low, high], log: …, step: …, prior: …}`; both ends inclusive."""

    low: float
    high: float
    place: Place = field(compare=False)
    log: bool = False
    step: float | None = None
    prior: float | None = None


@dataclass(frozen=True)
class Int:
    """`{int: [low, high], log: …, step: …, prior: …}`; both ends inclusive."""

    low: int
    high: int
    place: Place = field(compare=False)
    log: bool = False
    step: int = 1
    prior: int | None = None


@dataclass(frozen=True)
class Choice:
    """`{choice: [a, b]}`: the drawn value is the scalar (or list) itself.

    `options` are what is suggested and stored. A list option is suggested under its flow-style text (`"[32, 64]"`), and
    `values` gives the value that is drawn for each option, `places` the place of each. `prior` is one of `options`.
    """

    options: tuple[Scalar, ...]
    values: tuple[Any, ...]
    place: Place = field(compare=False)
    places: tuple[Place, ...] = field(default=(), compare=False)
    prior: Scalar = None
    has_prior: bool = False


@dataclass(frozen=True)
class Branches:
    """`{choice: {adam: {…}, sgd: {…}}}`: the drawn value is the one-key map `{"adam": {…}}`.

    What stands under a branch is any node; an empty branch is an empty Map.
    """

    branches: Mapping[str, Node]
    place: Place = field(compare=False)
    places: Mapping[str, Place] = field(compare=False)
    prior: str | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """What is suggested: the words, sorted, so that their order in the file means nothing."""
        return tuple(sorted(self.branches))


@dataclass(frozen=True)
class Optional:
    """`{optional: …}`: drawn as None, or as what stands under it.

    `name` itself is the bool; a body that is no map of its own has its parameters under `name.value`.
    """

    body: Node
    place: Place = field(compare=False)
    prior: bool | None = None


@dataclass(frozen=True)
class Repeat:
    """`{repeat: [low, high], each: …}`: drawn as a list of low to high draws of `each`."""

    low: int
    high: int
    each: Node
    place: Place = field(compare=False)
    prior: int | None = None


@dataclass(frozen=True)
class Map:
    """Any other map: it nests. `places` holds the place of each key."""

    items: Mapping[str, Node]
    place: Place = field(compare=False)
    places: Mapping[str, Place] = field(compare=False)


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
    """Draw one configuration: nested dicts and lists of plain values, the caller's own to change.

    Names of what is suggested are dotted paths: `optimizer` for the choice of a branch, `optimizer.sgd.momentum` below
    it, `augment` (a bool) for an optional, `layers.n` for a repeat's count and `layers.0.filters` below it.
    """
    match space:
        case Fixed(value):
            return copy.deepcopy(value)
        case Float():
            return suggest.suggest_float(name, space.low, space.high, step=space.step, log=space.log)
        case Int():
            return suggest.suggest_int(name, space.low, space.high, step=space.step, log=space.log)
        case Choice():
            option = suggest.suggest_categorical(name, space.options)
            return copy.deepcopy(space.values[space.options.index(option)])
        case Branches():
            word = str(suggest.suggest_categorical(name, space.options))
            return {word: draw(space.branches[word], suggest, below(name, word))}
        case Optional():
            chosen = suggest.suggest_categorical(name, (False, True))
            return draw(space.body, suggest, body_name(space, name)) if chosen else None
        case Repeat():
            count = suggest.suggest_int(below(name, "n"), space.low, space.high, step=1, log=False)
            return [draw(space.each, suggest, below(name, str(index))) for index in range(count)]
        case Map():
            return {key: draw(node, suggest, below(name, key)) for key, node in space.items.items()}


def below(name: str, key: str) -> str:
    """Return the name of `key` under `name`: a dotted path, without a dot in front at the top."""
    return f"{name}.{key}" if name else key


def body_name(space: Optional, name: str) -> str:
    """Return the name under which an optional's body is drawn, different from that of the bool itself."""
    return name if isinstance(space.body, Map | Repeat | Fixed) else below(name, "value")


def searched(space: Node, name: str = "") -> Iterator[tuple[str, Node]]:
    """Give every name that can be suggested, with the node that suggests it, in the order of the file."""
    match space:
        case Float() | Int() | Choice():
            yield name, space
        case Branches():
            yield name, space
            for word, node in space.branches.items():
                yield from searched(node, below(name, word))
        case Optional():
            yield name, space
            yield from searched(space.body, body_name(space, name))
        case Repeat():
            yield below(name, "n"), space
            for index in range(space.high):
                yield from searched(space.each, below(name, str(index)))
        case Map():
            for key, node in space.items.items():
                yield from searched(node, below(name, key))


def names(space: Node) -> tuple[str, ...]:
    """Return all names that can be suggested, in the order of the file; they are unique."""
    return tuple(name for name, _ in searched(space))


def size(space: Node) -> int:
    """Return how many names can be suggested, without making them; a repeat counts at least its items."""
    match space:
        case Float() | Int() | Choice():
            return 1
        case Branches():
            return 1 + sum(map(size, space.branches.values()))
        case Optional():
            return 1 + size(space.body)
        case Repeat():
            return 1 + space.high * max(1, size(space.each))
        case Map():
            return sum(map(size, space.items.values()))
        case Fixed():
            return 0


def priors(space: Node, name: str = "") -> dict[str, Scalar]:
    """Return the prior values by name: the first trial's parameters, as far as the file gives them.

    What a prior further up leaves out (another branch, an optional that is off, a later item) is not in it. Where
    nothing further up decides, the priors of every branch are.
    """
    found: dict[str, Scalar] = {}
    match space:
        case Float() | Int():
            if space.prior is not None:
                found[name] = space.prior
        case Choice():
            if space.has_prior:
                found[name] = space.prior
        case Branches():
            if space.prior is not None:
                found[name] = space.prior
            for word, node in space.branches.items():
                if space.prior in (None, word):
                    found |= priors(node, below(name, word))
        case Optional():
            if space.prior is not None:
                found[name] = space.prior
            if space.prior is not False:
                found |= priors(space.body, body_name(space, name))
        case Repeat():
            if space.prior is not None:
                found[below(name, "n")] = space.prior
            for index in range(space.high if space.prior is None else space.prior):
                found |= priors(space.each, below(name, str(index)))
        case Map():
            for key, node in space.items.items():
                found |= priors(node, below(name, key))
    return found


class MissingParameterError(LookupError):
    """Stored values lack a parameter that the space needs, or hold a value that the space doesn't have."""


@dataclass(frozen=True)
class Stored:
    """A Suggest that gives the values of a finished trial: flat names to values."""

    values: Mapping[str, Any]

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None, log: bool) -> float:
        """Return the stored number."""
        return float(self._value(name))

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        """Return the stored whole number."""
        return int(self._value(name))

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        """Return the stored option."""
        value: Scalar = self._value(name)
        if value not in choices:
            raise MissingParameterError(
                f"'{name}' is {value!r} in the stored values; expected one of {list(choices)!r}"
            )
        return value

    def _value(self, name: str) -> Any:
        if name not in self.values:
            raise MissingParameterError(
                f"'{name}' is not among the stored values: {', '.join(sorted(self.values)) or 'none'}"
            )
        return self.values[name]


def rebuild(space: Node, values: Mapping[str, Any]) -> Any:
    """Return the nested configuration whose flat values were stored.

    Raises MissingParameterError where `values` is not complete for `space` or holds an option that it doesn't have.
    """
    return draw(space, Stored(values))

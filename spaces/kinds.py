"""What may stand at a place of the file: the kinds of which tables of words are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spaces.parameters import Scalar


@dataclass(frozen=True)
class Real:
    """A number between `low` and `high` (None: no end); an open end is excluded."""

    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False


@dataclass(frozen=True)
class Whole:
    """A whole number between `low` and `high`, both inclusive."""

    low: int | None = None
    high: int | None = None


@dataclass(frozen=True)
class Flag:
    """true or false."""


@dataclass(frozen=True)
class Text:
    """Any word or text."""


@dataclass(frozen=True)
class OneOf:
    """One of these scalars."""

    values: tuple[Scalar, ...]


@dataclass(frozen=True)
class Listed:
    """A list (in the file: below `const`, or an option of a `choice`) of `least` to `most` items."""

    item: Kind
    least: int = 0
    most: int | None = None


@dataclass(frozen=True)
class Option:
    """One key of a map: its name, what it accepts, what holds when it is left out, and a sentence."""

    name: str
    kind: Kind
    default: Any = None
    doc: str = ""
    required: bool = False


@dataclass(frozen=True)
class Options:
    """A map with these keys. `open`: other keys belong to somebody else and are let through."""

    options: tuple[Option, ...] = ()
    open: bool = False


@dataclass(frozen=True)
class Word:
    """One word of a table, what may stand under it, the Keras name that it maps to, and a sentence."""

    name: str
    kind: Kind = Options()
    target: str = ""
    doc: str = ""


@dataclass(frozen=True)
class OneWord:
    """Exactly one word: `adam`, `{adam: {beta_1: 0.9}}`, or a choice of them."""

    words: tuple[Word, ...]


@dataclass(frozen=True)
class Many:
    """A `repeat`, or a list below `const`, of items."""

    item: Kind


@dataclass(frozen=True)
class Either:
    """Any of these kinds; `doc` says in words what is expected."""

    kinds: tuple[Kind, ...]
    doc: str = ""


@dataclass(frozen=True)
class Anything:
    """Whatever the file says."""


Kind = Real | Whole | Flag | Text | OneOf | Listed | Options | OneWord | Many | Either | Anything

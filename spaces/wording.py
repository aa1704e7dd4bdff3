"""How is a message worded: what a kind accepts, and that something of another sort, or an unknown word, stands here?"""

from __future__ import annotations

from typing import Any

from spaces.errors import Place, Problem, did_you_mean
from spaces.kinds import Anything, Either, Flag, Kind, Listed, Many, OneOf, OneWord, Options, Real, Text, Whole
from spaces.parameters import Fixed, Float, Int, Map, Node, Repeat
from spaces.plain import plain
from spaces.scalars import written


def expected(kind: Kind) -> str:
    """Return in words what `kind` accepts."""
    match kind:
        case Real() | Whole():
            return ("a number" if isinstance(kind, Real) else "a whole number") + _between(kind)
        case Flag():
            return "true or false"
        case Text():
            return "a text"
        case OneOf():
            return "one of " + ", ".join(map(written, kind.values))
        case OneWord():
            return "one of " + ", ".join(word.name for word in kind.words)
        case Options():
            return "a map of " + (", ".join(option.name for option in kind.options) or "nothing")
        case Listed():
            return "a list" if kind.most is None else f"a list of {kind.least} to {kind.most} items"
        case Many():
            return "{repeat: [low, high], each: …} or {const: [...]}"
        case Either():
            return kind.doc or " or ".join(map(expected, kind.kinds))
        case Anything():
            return "anything"


def _between(kind: Real | Whole) -> str:
    """Return the ends of a number in words."""
    low_open, high_open = (kind.low_open, kind.high_open) if isinstance(kind, Real) else (False, False)
    parts = []
    if kind.low is not None:
        parts.append(f"above {written(kind.low)}" if low_open else f"at least {written(kind.low)}")
    if kind.high is not None:
        parts.append(f"below {written(kind.high)}" if high_open else f"at most {written(kind.high)}")
    return " " + " and ".join(parts) if parts else ""


def unknown(word: str, known: list[str], place: Place, name: str) -> Problem:
    """Tell about a word that isn't in the table."""
    expected_words = "one of " + ", ".join(known) if known else "nothing"
    return Problem(place, f"{name}: '{word}' is not known here{did_you_mean(word, known)}", f"'{word}'", expected_words)


def unexpected(kind: Kind, node: Node, name: str) -> Problem:
    """Tell that something of another sort stands here."""
    received = written(plain(node, priors=False))
    shown = received if len(received) <= 80 else received[:79] + "…"
    hint = None
    if isinstance(node, Fixed) and isinstance(node.value, str) and isinstance(kind, Flag):
        meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(node.value.lower())
        hint = f"write {meant}" if meant else None
    if (
        isinstance(node, Fixed)
        and isinstance(node.value, float)
        and isinstance(kind, Whole)
        and node.value.is_integer()
    ):
        hint = f"write {int(node.value)}"
    return Problem(node.place, f"{name}: {_sort(node)} where {_sort_of(kind)} is expected", shown, expected(kind), hint)


def _sort(node: Node) -> str:
    """Return a person's word for the sort of a node."""
    match node:
        case Map():
            return "a map"
        case Repeat():
            return "a repeat"
        case Float() | Int():
            return "a range of numbers"
        case Fixed(value):
            sorts: list[tuple[type, str]] = [
                (bool, "true or false"),
                (int, "a number"),
                (float, "a number"),
                (str, "a text"),
            ]
            sorts += [(list, "a list"), (tuple, "a list"), (dict, "a map")]
            return next((sort for python, sort in sorts if isinstance(value, python)), "nothing (null)")
    return "something else"


def _sort_of(kind: Kind) -> str:
    """Return a person's word for the sort of thing that a kind is."""
    match kind:
        case Real():
            return "a number"
        case Whole():
            return "a whole number"
        case Flag():
            return "true or false"
        case OneOf() | OneWord():
            return "one word" if all(isinstance(value, str) for value in _words(kind)) else "one of a few values"
        case Options():
            return "a map"
        case Many() | Listed():
            return "a list"
        case Text():
            return "a text"
    return "something else"


def _words(kind: OneOf | OneWord) -> tuple[Any, ...]:
    return kind.values if isinstance(kind, OneOf) else tuple(word.name for word in kind.words)

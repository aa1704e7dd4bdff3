"""Is what stands at a place of the file a word that is known there? The door to kinds, their check and their schema."""

from __future__ import annotations

import math
from collections.abc import Mapping

from spaces.errors import Place, Problem
from spaces.kinds import (
    Anything,
    Either,
    Flag,
    Kind,
    Listed,
    Many,
    OneOf,
    OneWord,
    Option,
    Options,
    Real,
    Text,
    Whole,
    Word,
)
from spaces.parameters import Branches, Choice, Fixed, Float, Int, Map, Node, Optional, Repeat
from spaces.scalars import written
from spaces.schema import schema
from spaces.wording import expected, unexpected, unknown

__all__ = [
    "Anything",
    "Either",
    "Flag",
    "Kind",
    "Listed",
    "Many",
    "OneOf",
    "OneWord",
    "Option",
    "Options",
    "Real",
    "Text",
    "Whole",
    "Word",
    "check",
    "expected",
    "schema",
]


def check(kind: Kind, node: Node, name: str) -> list[Problem]:
    """Return what is wrong with `node` (called `name`, a dotted path, in messages) if `kind` is expected there.

    Everything that can be drawn from `node` is judged: both ends of a range, each option of a choice at its own place,
    what stands under an optional, each item of a repeat, and the values below a `const`.
    """
    match node:
        case _ if isinstance(kind, Anything):
            return []
        case Choice():
            options = [Fixed(value, place) for value, place in zip(node.values, _places(node), strict=True)]
            return [problem for option in options for problem in check(kind, option, name)]
        case Branches():
            return _unique([problem for word in node.branches for problem in check(kind, _branch(node, word), name)])
        case Optional():
            return check(kind, node.body, name)
        case Fixed(value) if isinstance(value, Mapping):
            items = {str(key): Fixed(item, node.place) for key, item in value.items()}
            return check(kind, Map(items, node.place, dict.fromkeys(items, node.place)), name)
    match kind:
        case Either():
            return _either(kind, node, name)
        case Options():
            return _options(kind, node, name)
        case OneWord():
            return _one_word(kind, node, name)
        case Many() | Listed():
            return _list(kind, node, name)
        case Real() | Whole():
            return _number(kind, node, name)
    return _value(kind, node, name)


def _places(node: Choice) -> tuple[Place, ...]:
    return node.places or (node.place,) * len(node.values)


def _branch(node: Branches, word: str) -> Map:
    """Return what is drawn for one branch: a one-key map."""
    place = node.places.get(word, node.place)
    return Map({word: node.branches[word]}, place, {word: place})


def _unique(problems: list[Problem]) -> list[Problem]:
    """Return each problem once: what is missing is missing in every branch."""
    return list(dict.fromkeys(problems))


def _either(kind: Either, node: Node, name: str) -> list[Problem]:
    """Accept what any of the kinds accepts; otherwise judge by the only one that has this shape."""
    attempts = [check(choice, node, name) for choice in kind.kinds]
    if not all(attempts):
        return []
    judged = list(zip(kind.kinds, attempts, strict=True))
    fitting = [found for choice, found in judged if _has_shape(choice, node)]
    if isinstance(node, Map) and len(fitting) != 1:
        # A map within a map is a word and its options; other maps are options, even if one is called like a word.
        inner = list(node.items.values())
        sort = OneWord if len(inner) == 1 and _is_map(inner[0]) else Options
        fitting = [found for choice, found in judged if isinstance(choice, sort)]
    return fitting[0] if len(fitting) == 1 else [unexpected(kind, node, name)]


def _is_map(node: Node) -> bool:
    return isinstance(node, Map) or (isinstance(node, Fixed) and isinstance(node.value, Mapping))


def _has_shape(kind: Kind, node: Node) -> bool:
    """Tell whether a node could be meant as this kind at all."""
    match node:
        case Map():
            words = kind.words if isinstance(kind, OneWord) else kind.options if isinstance(kind, Options) else ()
            return any(word.name in node.items for word in words)
        case Repeat():
            return isinstance(kind, Many | Listed)
        case Float() | Int():
            return isinstance(kind, Real | Whole)
        case Fixed(value):
            if isinstance(value, list):
                return isinstance(kind, Many | Listed)
            if isinstance(value, bool):
                return isinstance(kind, Flag)
            return (
                isinstance(kind, OneWord | Text | OneOf) if isinstance(value, str) else isinstance(kind, Real | Whole)
            )
    return False


def _options(kind: Options, node: Node, name: str) -> list[Problem]:
    """Check a map: every key known, its value fitting, nothing missing."""
    if not isinstance(node, Map):
        return [unexpected(kind, node, name)]
    known = {option.name: option for option in kind.options}
    problems = []
    for key, item in node.items.items():
        if key in known:
            problems += _option(known[key], item, f"{name}.{key}")
        elif not kind.open:
            problems.append(unknown(key, list(known), node.places.get(key, node.place), name))
    for option in kind.options:
        if option.required and option.name not in node.items:
            message = f"{name}: '{option.name}' is missing"
            problems.append(Problem(node.place, message, expected=expected(option.kind), hint=option.doc or None))
    return problems


def _option(option: Option, node: Node, name: str) -> list[Problem]:
    """Check one option; drawn as null it is as good as left out, which a required one can't be."""
    if option.required:
        if isinstance(node, Optional):
            return [Problem(node.place, f"{name}: can't be switched off", hint="take optional out")]
        return check(option.kind, node, name)
    return _or_nothing(option.kind, node, name)


def _or_nothing(kind: Kind, node: Node, name: str) -> list[Problem]:
    """Check what may be null."""
    if isinstance(node, Fixed) and node.value is None:
        return []
    if isinstance(node, Choice) and None in node.values:
        kept = [(value, place) for value, place in zip(node.values, _places(node), strict=True) if value is not None]
        return [problem for value, place in kept for problem in check(kind, Fixed(value, place), name)]
    return check(kind, node, name)


def _one_word(kind: OneWord, node: Node, name: str) -> list[Problem]:
    """Check `word`, or `{word: body}`."""
    words = {word.name: word for word in kind.words}
    if isinstance(node, Fixed) and isinstance(node.value, str):
        if node.value not in words:
            return [unknown(node.value, list(words), node.place, name)]
        # The bare word leaves everything at its default: nothing required may be missing.
        body: Node = Map({}, node.place, {})
        return check(words[node.value].kind, body, f"{name}.{node.value}") if _takes_options(words[node.value]) else []
    if not isinstance(node, Map):
        return [unexpected(kind, node, name)]
    if len(node.items) != 1:
        message = f"{name}: {len(node.items)} words where one is expected"
        received = ", ".join(node.items) or "an empty map"
        return [
            Problem(
                node.place,
                message,
                received,
                expected(kind),
                "write choice: above them to search which one is best" if node.items else None,
            )
        ]
    word, body = next(iter(node.items.items()))
    if word not in words:
        return [unknown(word, list(words), node.places.get(word, node.place), name)]
    if isinstance(body, Fixed) and body.value is None:
        body = Map({}, body.place, {})
    return check(words[word].kind, body, f"{name}.{word}")


def _takes_options(word: Word) -> bool:
    return isinstance(word.kind, Options)


def _list(kind: Many | Listed, node: Node, name: str) -> list[Problem]:
    """Check a repeat, or a list below `const` or in a choice: how many items, and each of them.

    A block that is null isn't there.
    """
    least, most = (kind.least, kind.most) if isinstance(kind, Listed) else (0, None)
    of_item = _or_nothing if isinstance(kind, Many) else check
    if isinstance(node, Repeat):
        low, high = node.low, node.high
        found = of_item(kind.item, node.each, f"{name}.each")
    elif isinstance(node, Fixed) and isinstance(node.value, list | tuple):
        low = high = len(node.value)
        items = [of_item(kind.item, Fixed(item, node.place), f"{name}.{at}") for at, item in enumerate(node.value)]
        found = [problem for problems in items for problem in problems]
    else:
        return [unexpected(kind, node, name)]
    if low < least or (most is not None and high > most):
        received = f"{low} items" if low == high else f"{low} to {high} items"
        return [Problem(node.place, f"{name}: not the right number of items", received, expected(kind)), *found]
    return found


def _number(kind: Real | Whole, node: Node, name: str) -> list[Problem]:
    """Check a number, or both ends of a range of numbers."""
    if isinstance(node, Float) and isinstance(kind, Whole):
        hint = f"write int: {written([math.floor(node.low), math.ceil(node.high)])}"
        return [Problem(node.place, f"{name}: a float range where whole numbers are expected", hint=hint)]
    if isinstance(node, Float | Int):
        ends = {"low": node.low, "high": node.high}
        return [
            Problem(node.place, f"{name}: {end} {written(value)} {wrong}", expected=expected(kind))
            for end, value in ends.items()
            if (wrong := _outside(kind, value))
        ]
    value = node.value if isinstance(node, Fixed) else None
    right = isinstance(value, int) or (isinstance(value, float) and isinstance(kind, Real))
    if isinstance(value, bool) or not right or value is None:
        return [unexpected(kind, node, name)]
    wrong = _outside(kind, value)
    return [Problem(node.place, f"{name}: {written(value)} {wrong}", expected=expected(kind))] if wrong else []


def _outside(kind: Real | Whole, value: float) -> str | None:
    """Return in words on which side `value` lies outside."""
    low_open, high_open = (kind.low_open, kind.high_open) if isinstance(kind, Real) else (False, False)
    if kind.low is not None and (value < kind.low or (low_open and value == kind.low)):
        return f"is not above {written(kind.low)}" if low_open else f"is below {written(kind.low)}"
    if kind.high is not None and (value > kind.high or (high_open and value == kind.high)):
        return f"is not below {written(kind.high)}" if high_open else f"is above {written(kind.high)}"
    return None


def _value(kind: Kind, node: Node, name: str) -> list[Problem]:
    """Check what can only be a plain value: a flag, a text, one of several scalars."""
    value = node.value if isinstance(node, Fixed) else None
    if isinstance(node, Fixed):
        match kind:
            case Flag() if isinstance(value, bool):
                return []
            case Text() if isinstance(value, str):
                return []
            case OneOf() if any(
                value == known and isinstance(value, bool) == isinstance(known, bool) for known in kind.values
            ):
                return []
            case OneOf() if isinstance(value, str):
                return [unknown(value, list(map(str, kind.values)), node.place, name)]
    return [unexpected(kind, node, name)]

"""Which numbers does a `float` or `int` range of the file hold?"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction

from spaces.document import Entry, Items, Leaf, Tree, plain
from spaces.errors import Place, Problems
from spaces.parameters import Float, Int, Node
from spaces.scalars import resolve, written

LARGEST_WHOLE = 2**53
"""Beyond it samplers, which reckon in doubles, can't tell neighbours apart."""

_RANGE = "[low, high] with low < high"


def read_float(tree: Tree, options: Mapping[str, Entry], place: Place, name: str, problems: Problems) -> Node:
    """Return `{float: [low, high], log: …, step: …, prior: …}`; anything valid stands in where the file is wrong."""
    found = len(problems)
    ends = _ends(tree, name, problems)
    numbers = [number(item, name, problems) for item in ends]
    log = flag(options["log"].value, f"{name}.log", problems) if "log" in options else False
    step = number(options["step"].value, f"{name}.step", problems) if "step" in options else None
    prior = number(options["prior"].value, f"{name}.prior", problems) if "prior" in options else None
    low, high = (numbers[0], numbers[1]) if len(numbers) == 2 else (None, None)
    if len(problems) > found or low is None or high is None:
        return Float(0.0, 1.0, place)
    if not math.isfinite(high - low):
        problems.add(tree.place, f"{name}: the range is too wide for a double")
    _check_range(tree, low, high, bool(log), options, step, prior, name, problems)
    return Float(low, high, place, bool(log), step, prior)


def read_int(tree: Tree, options: Mapping[str, Entry], place: Place, name: str, problems: Problems) -> Node:
    """Return `{int: [low, high], log: …, step: …, prior: …}`; anything valid stands in where the file is wrong."""
    found = len(problems)
    ends = _ends(tree, name, problems)
    numbers = [whole(item, name, problems) for item in ends]
    log = flag(options["log"].value, f"{name}.log", problems) if "log" in options else False
    step = whole(options["step"].value, f"{name}.step", problems) if "step" in options else None
    prior = whole(options["prior"].value, f"{name}.prior", problems) if "prior" in options else None
    low, high = (numbers[0], numbers[1]) if len(numbers) == 2 else (None, None)
    if len(problems) > found or low is None or high is None:
        return Int(0, 1, place)
    _check_range(tree, low, high, bool(log), options, step, prior, name, problems)
    return Int(low, high, place, bool(log), 1 if step is None else step, prior)


def number(tree: Tree, name: str, problems: Problems) -> float | None:
    """Return a finite number, or None after telling that it is none."""
    if isinstance(tree, Leaf) and isinstance(tree.value, int | float) and not isinstance(tree.value, bool):
        try:
            value = float(tree.value)
        except OverflowError:
            value = math.inf
        if math.isfinite(value):
            return value
        problems.add(tree.place, f"{name}: {tree.text} is not a finite number")
        return None
    _not_a_number(tree, name, "a number", problems)
    return None


def whole(tree: Tree, name: str, problems: Problems) -> int | None:
    """Return a whole number, or None after telling that it is none."""
    if isinstance(tree, Leaf) and isinstance(tree.value, int) and not isinstance(tree.value, bool):
        if abs(tree.value) <= LARGEST_WHOLE:
            return tree.value
        problems.add(tree.place, f"{name}: {tree.text} is too large", expected="at most 2^53 either way")
        return None
    if isinstance(tree, Leaf) and isinstance(tree.value, float):
        exact = math.isfinite(tree.value) and tree.value.is_integer() and abs(tree.value) <= LARGEST_WHOLE
        hint = f"write {int(tree.value)}" if exact else "write float instead of int, or a whole number"
        problems.add(tree.place, f"{name}: {tree.text} is not a whole number", hint=hint)
        return None
    _not_a_number(tree, name, "a whole number", problems)
    return None


def flag(tree: Tree, name: str, problems: Problems) -> bool | None:
    """Return true or false, or None after telling that it is neither."""
    if isinstance(tree, Leaf) and isinstance(tree.value, bool):
        return tree.value
    received = written(plain(tree))
    meant = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}
    word = tree.text.lower() if isinstance(tree, Leaf) else ""
    word = meant.get(word, word)
    hint = f"write {word}" if word in ("true", "false") else None
    problems.add(tree.place, f"{name}: expected true or false", received, "true or false", hint)
    return None


def _ends(tree: Tree, name: str, problems: Problems) -> tuple[Tree, ...]:
    """Return the two ends of a range, or nothing after telling that there aren't two."""
    if isinstance(tree, Items) and len(tree.items) == 2:
        return tree.items
    hint = None
    if isinstance(tree, Items) and len(tree.items) > 2:
        hint = f"write choice: {written(plain(tree))} to choose between values, or step: for equal steps"
    problems.add(tree.place, f"{name}: a range is a list of two numbers", written(plain(tree)), _RANGE, hint)
    return ()


def _not_a_number(tree: Tree, name: str, expected: str, problems: Problems) -> None:
    """Tell what stands where a number should, and how to write the number that was meant."""
    hint = None
    if isinstance(tree, Leaf) and isinstance(tree.value, str):
        meant = _meant(tree.text)
        hint = f"write {meant}{' without quotes' if tree.quoted and meant == tree.text else ''}" if meant else None
    problems.add(tree.place, f"{name}: {written(plain(tree))} is not {expected}", hint=hint)


def _meant(text: str) -> str | None:
    """Return the number that a text looks like, as YAML 1.2 writes it."""
    bare = re.sub(r"(?<=\d)_(?=\d)", "", text.strip())
    try:
        value = resolve(bare)
    except ValueError:
        return None
    return bare if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None


def _check_range(
    tree: Tree,
    low: float,
    high: float,
    log: bool,
    options: Mapping[str, Entry],
    step: float | None,
    prior: float | None,
    name: str,
    problems: Problems,
) -> None:
    """Check what float and int ranges have in common."""
    received = written([low, high])
    if low == high:
        problems.add(tree.place, f"{name}: both ends are {written(low)}", hint=f"write {written(low)} itself to fix it")
        return
    if low > high:
        problems.add(
            tree.place,
            f"{name}: low is above high",
            received,
            _RANGE,
            f"write {written([high, low])}",
        )
        return
    if log and low <= 0:
        hint = "raise low above 0, or leave log out"
        problems.add(tree.place, f"{name}: a log range starts above 0", received, "[low, high] with 0 < low", hint)
    if log and step is not None:
        problems.add(options["step"].place, f"{name}: log and step exclude each other", hint="leave one of them out")
    elif step is not None:
        _check_step(options["step"].value.place, low, high, step, name, problems)
    if prior is not None:
        place = options["prior"].value.place
        if not low <= prior <= high:
            message = f"{name}: the prior {written(prior)} is outside of the range"
            problems.add(place, message, written(prior), f"{written(low)} to {written(high)}")
        elif step and step > 0 and not log and _steps(low, prior, step).denominator != 1:
            before = _at(low, step, math.floor(_steps(low, prior, step)))
            after = _at(low, step, math.ceil(_steps(low, prior, step)))
            ways = " or ".join(written(value) for value in (before, after) if value <= high)
            problems.add(place, f"{name}: the prior {written(prior)} is between two steps", hint=f"write {ways}")


def _check_step(place: Place, low: float, high: float, step: float, name: str, problems: Problems) -> None:
    """Check that whole steps lead from one end to the other."""
    if step <= 0:
        problems.add(place, f"{name}: a step is above 0", received=written(step))
        return
    steps = _steps(low, high, step)
    if steps < 1:
        message = f"{name}: the step is larger than the range"
        problems.add(place, message, written(step), f"at most {written(_difference(low, high))}")
    elif steps.denominator != 1:
        below, above = (_at(low, step, math.floor(steps)), _at(low, step, math.ceil(steps)))
        hint = f"write {written([low, below])} or {written([low, above])}"
        problems.add(
            place, f"{name}: steps of {written(step)} don't lead from {written(low)} to {written(high)}", hint=hint
        )


def _exact(value: float) -> Fraction:
    """Return the number that people mean by `value`: 0.1 is a tenth, not the double next to it."""
    return Fraction(repr(value))


def _steps(low: float, value: float, step: float) -> Fraction:
    return (_exact(value) - _exact(low)) / _exact(step)


def _at(low: float, step: float, steps: int) -> float:
    value = _exact(low) + steps * _exact(step)
    return int(value) if isinstance(low, int) and isinstance(step, int) else float(value)


def _difference(low: float, high: float) -> float:
    value = _exact(high) - _exact(low)
    return int(value) if isinstance(low, int) else float(value)

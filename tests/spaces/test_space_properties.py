"""What holds for every space that the reader accepts."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from space_strategies import RAW, SPACES

from spaces.errors import Problem, SpaceError
from spaces.parameters import (
    Branches,
    Choice,
    Float,
    Int,
    Map,
    Node,
    Optional,
    Repeat,
    draw,
    names,
    priors,
    rebuild,
    searched,
    size,
)
from spaces.plain import plain
from spaces.reader import parse
from spaces.scalars import written
from spaces.spec import StudySpec, difference, digest
from spaces.writer import dump, fragment

# Bounded by examples, not by time: the machine may be busy.
PROPERTY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

HEAD = "trainer: my.py:train\nobjective: {maximize: a}\nbudget: {trials: 5}\n"


def read(space: str) -> StudySpec:
    return parse(f"{HEAD}space:{space}", "space.yaml", Path("."))


@dataclass
class Recorded:
    """Draws at random, and notes every name with its value. The ends are drawn often."""

    chance: random.Random
    values: dict[str, Any] = field(default_factory=dict)
    preset: dict[str, Any] = field(default_factory=dict)

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None, log: bool) -> float:
        assert low < high
        assert not log or low > 0
        if step is not None:
            count = round((high - low) / step)
            return float(self._note(name, low + step * self.chance.randint(0, count)))
        return float(
            self._note(name, self.chance.choice([low, high, min(high, max(low, self.chance.uniform(low, high)))]))
        )

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        assert (high - low) % step == 0
        return int(self._note(name, self.chance.choice([low, high, self.chance.randrange(low, high + 1, step)])))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        assert len(choices) >= 2
        return self._note(name, self.chance.choice(list(choices)))

    def _note(self, name: str, value: Any) -> Any:
        assert name not in self.values, f"{name} was suggested twice"
        return self.values.setdefault(name, self.preset.get(name, value))


def same(first: Any, second: Any) -> bool:
    """Equal, with types: 1, 1.0 and true differ."""
    return repr(first) == repr(second)


def active(node: Node, values: dict[str, Any], name: str = "") -> set[str]:
    """Which names a configuration has, worked out from its own values: what `draw` must have suggested."""
    below = (lambda key: f"{name}.{key}") if name else str
    match node:
        case Float() | Int() | Choice():
            return {name}
        case Branches():
            return {name} | active(node.branches[values[name]], values, below(values[name]))
        case Optional():
            body = below("value") if isinstance(node.body, Float | Int | Choice | Branches | Optional) else name
            return {name} | (active(node.body, values, body) if values[name] else set())
        case Repeat():
            items = range(values[below("n")])
            return {below("n")}.union(*(active(node.each, values, below(str(item))) for item in items))
        case Map():
            return set().union(*(active(item, values, below(key)) for key, item in node.items.items()))
    return set()


@PROPERTY
@given(SPACES, st.randoms(use_true_random=False))
def test_what_is_drawn_is_active_known_within_its_range_and_can_be_rebuilt(
    form: dict[str, Any], chance: random.Random
) -> None:
    space = read(f" {written(form)}\n").space
    recorded = Recorded(chance)
    configuration = draw(space, recorded)

    known = dict(searched(space))
    assert tuple(known) == names(space)
    assert len(known) == len(names(space)) <= size(space)
    assert set(recorded.values) == active(space, recorded.values)
    for name, value in recorded.values.items():
        node = known[name]
        if isinstance(node, Float):
            assert node.low <= value <= node.high or math.isclose(value, node.high)
        elif isinstance(node, Int):
            assert node.low <= value <= node.high
        elif isinstance(node, Choice | Branches):
            assert value in node.options
    assert same(rebuild(space, recorded.values), configuration)


@PROPERTY
@given(SPACES)
def test_reading_what_was_written_gives_the_same_space(form: dict[str, Any]) -> None:
    spec = read(f" {written(form)}\n")
    again = parse(dump(spec), "again.yaml", Path("."))
    assert again.space == spec.space
    assert same(plain(again.space), plain(spec.space))
    indented = "".join(f"  {line}\n" for line in dump(spec.space).splitlines())
    assert read("\n" + indented).space == spec.space
    assert digest(again) == digest(spec)
    assert difference(spec, again) == []


@PROPERTY
@given(SPACES, st.randoms(use_true_random=False))
def test_fragment_of_a_configuration_fixes_its_values(form: dict[str, Any], chance: random.Random) -> None:
    space = read(f" {written(form)}\n").space
    configuration = draw(space, Recorded(chance))
    fixed = read(f"\n{fragment(configuration)}  searched: {{choice: [1, 2]}}\n").space
    again = draw(fixed, Recorded(chance))
    assert again.pop("searched") in (1, 2)
    assert same(again, configuration)


@PROPERTY
@given(SPACES, st.randoms(use_true_random=False))
def test_first_trial_can_take_every_prior(form: dict[str, Any], chance: random.Random) -> None:
    space = read(f" {written(form)}\n").space
    given_values = priors(space)
    known = dict(searched(space))
    for name, value in given_values.items():
        node = known[name]
        if isinstance(node, Float | Int | Repeat):
            assert node.low <= value <= node.high  # type: ignore[operator]
    baseline = Recorded(chance, preset=given_values)
    draw(space, baseline)
    assert all(same(baseline.values[name], value) for name, value in given_values.items() if name in baseline.values)


@PROPERTY
@given(SPACES, st.randoms(use_true_random=False))
def test_order_of_keys_and_priors_do_not_change_the_identity(form: dict[str, Any], chance: random.Random) -> None:
    def shuffled(value: Any, const: bool = False) -> Any:
        if isinstance(value, list):
            return [shuffled(item, const) for item in value]
        if not isinstance(value, dict):
            return value
        keys = list(value)
        chance.shuffle(keys)
        parameter = keys if any(key in ("float", "int", "choice", "optional", "repeat") for key in keys) else []
        return {key: shuffled(value[key]) for key in keys if const or not (key == "prior" and parameter)}

    spec = read(f" {written(form)}\n")
    assert digest(read(f" {written(shuffled(form))}\n")) == digest(spec)


@PROPERTY
@given(RAW)
def test_any_value_reads_back_as_it_was_written(value: Any) -> None:
    space = read(f"\n  a: {{const: {written(value)}}}\n  b: {{choice: [1, 2]}}\n").space
    assert same(draw(space, Recorded(random.Random(0)))["a"], value)


WORDS = (
    "space study data trainer: {float: choice: optional: repeat: each: const: prior: 1 1e-5 .inf .nan true null << é"
)
PIECES = st.sampled_from([*WORDS.split(), *"[]{},:-&*!|>'\"%@`#~? \t\n\ufeff\u2028\x00", "\n  ", ": ", "- ", "\r\n"])
VALID = f"""{HEAD}space:
  a: {{float: [1e-5, 1e-1], log: true}}
  b:
    choice:
      c: {{d: {{int: [1, 8], step: 7}}}}
      e: {{}}
"""


def problems_of(text: str) -> tuple[Problem, ...]:
    """What is wrong with a text; nothing if it is a study."""
    try:
        parse(text, "space.yaml", Path("."))
    except SpaceError as error:
        return error.problems
    return ()


@PROPERTY
@given(st.text(max_size=60) | st.lists(PIECES, max_size=25).map("".join))
def test_any_text_gives_a_study_or_a_space_error(text: str) -> None:
    for whole in (text, f"{HEAD}space:\n  a: {text}"):
        problems = problems_of(whole)
        lines = whole.count("\n") + whole.count("\r") + 1
        assert all(1 <= problem.place.line <= lines and problem.place.column >= 1 for problem in problems)
        assert all(str(problem).startswith("space.yaml:") for problem in problems)


@PROPERTY
@given(st.integers(0, len(VALID)), st.integers(0, 6), st.lists(PIECES, max_size=3).map("".join), st.randoms())
def test_a_valid_file_with_a_slip_gives_a_study_that_can_be_drawn_from_or_a_space_error(
    at: int, removed: int, piece: str, chance: random.Random
) -> None:
    try:
        spec = parse(VALID[:at] + piece + VALID[at + removed :], "space.yaml", Path("."))
    except SpaceError:
        return
    draw(spec.space, Recorded(chance))
    assert parse(dump(spec), "space.yaml", Path(".")).space == spec.space

"""A wrong option of any word, and a wrong value of any option, is told at its place with what exists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from spaces.kinds import Anything, Either, Kind, Listed, Many, OneWord, Option, Options, Text
from spaces.reader import parse
from trainers import words
from trainers.words.builtin import BUILTIN

HEAD = """study: s
trainer: {trainer}
data: {{source: function.py:load}}
objective: {{maximize: val_accuracy}}
budget: {{trials: 3, epochs: 2}}
space:
  batch_size: {{int: [8, 16]}}
  """
LINE = 8


def tables(kind: Kind, shape: str) -> Iterator[tuple[str, Options]]:
    """Give every map of options below a kind, with the file's text around it (`@` stands for the map)."""
    match kind:
        case Options():
            yield shape, kind
            for option in kind.options:
                yield from tables(option.kind, shape.replace("@", f"{{{option.name}: @}}"))
        case OneWord():
            for word in kind.words:
                yield from tables(word.kind, shape.replace("@", f"{{{word.name}: @}}"))
        case Many():
            yield from tables(kind.item, shape.replace("@", "{repeat: [1, 1], each: @}"))
        case Either():
            for inner in kind.kinds:
                if not isinstance(inner, Listed):
                    yield from tables(inner, shape)


def cases() -> dict[str, tuple[str, str, Options]]:
    """Every map of options of every trainer, each shape once."""
    found: dict[str, tuple[str, str, Options]] = {}
    for trainer, vocabulary in BUILTIN.items():
        for option in vocabulary.options:
            for shape, options in tables(option.kind, f"{option.name}: @"):
                if not options.open:
                    found.setdefault(shape, (trainer, shape, options))
    return found


CASES = cases()


def told(trainer: str, line: str) -> list[tuple[int, int, str, str]]:
    """Return line, column, message and what is expected for each problem of a file with this line in its space."""
    spec = parse(HEAD.format(trainer=trainer) + line + "\n", "space.yaml", Path())
    return [
        (problem.place.line, problem.place.column, problem.message, problem.expected or "")
        for problem in words.check(spec)
    ]


def test_there_are_tables_of_every_kind() -> None:
    wanted = (
        "optimizer: {muon: @}",
        "schedule: {one_cycle: @}",
        "loss: {focal: @}",
        "callbacks: {csv_log: @}",
        "ema: @",
    )
    assert set(wanted) <= set(CASES)
    assert len(CASES) > 80


@pytest.mark.parametrize("shape", CASES)
def test_a_wrong_option_is_told_with_line_and_column_and_the_options_that_exist(shape: str) -> None:
    trainer, _, options = CASES[shape]
    line = shape.replace("@", "{zzz: 1}")
    problems = [problem for problem in told(trainer, line) if "'zzz' is not known here" in problem[2]]
    assert [(row, column) for row, column, _, _ in problems] == [(LINE, line.index("zzz") + 3)]
    for option in options.options:
        assert option.name in problems[0][3]


VALUED = [
    (shape, option)
    for shape, (_, _, options) in CASES.items()
    for option in options.options
    if not isinstance(option.kind, Text | Anything) and not (isinstance(option.kind, Options) and option.kind.open)
]


def test_a_wrong_value_of_every_option_is_told_at_its_line() -> None:
    silent = [(shape, option.name) for shape, option in VALUED if not _told_about(shape, option)]
    assert silent == []
    assert len(VALUED) > 200


def _told_about(shape: str, option: Option) -> bool:
    trainer = CASES[shape][0]
    line = shape.replace("@", f"{{{option.name}: no_such_value}}")
    return any(row == LINE and f".{option.name}" in message for row, _, message, _ in told(trainer, line))

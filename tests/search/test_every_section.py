"""A wrong option of any section beside the trainer's words is told with line and column and the options that exist."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from search.plan import checked
from search.study.words import PRUNERS, SAMPLERS
from spaces.errors import Problem, SpaceError
from spaces.kinds import Either, Kind, Listed, OneWord, Option, Options, Text
from spaces.reference import BESIDE, FILE
from spaces.sources import SOURCES, VALIDATION
from trainers.words.builtin import BUILTIN
from trainers.words.datasets import KERAS_SETS, SETS
from trainers.words.metrics import measured, reported

LINES = {
    "trainer": "trainer: image",
    "data": "data: {source: function.py:load}",
    "objective": "objective: {maximize: val_accuracy}",
    "budget": "budget: {trials: 3}",
    "space": "space: {batch_size: {int: [8, 16]}}",
}


def told(line: str, folder: Path) -> list[Problem]:
    """The problems of a file with this line in place of the right one."""
    lines = LINES | {line.split(":")[0]: line}
    file = folder / "space.yaml"
    file.write_text("\n".join(lines.values()) + "\n")
    with pytest.raises(SpaceError) as caught:
        checked(file)
    number = list(lines.values()).index(line) + 1
    return [problem for problem in caught.value.problems if problem.place.line == number]


def algorithms(kind: Kind, shape: str) -> Iterator[tuple[str, tuple[str, ...], tuple[Option, ...]]]:
    """Each place below `algorithm:`: the line (`@` stands for what is wrong), what exists there, and its options."""
    if isinstance(kind, OneWord):
        yield shape, tuple(word.name for word in kind.words), ()
        for word in kind.words:
            yield from algorithms(word.kind, shape.replace("@", f"{{{word.name}: @}}"))
    elif isinstance(kind, Options):
        required = "".join(f"{option.name}: 1, " for option in kind.options if option.required)
        yield shape.replace("@", f"{{{required}@: 1}}"), tuple(option.name for option in kind.options), kind.options
        for option in kind.options:
            others = "".join(f"{other.name}: 1, " for other in kind.options if other.required)
            yield from algorithms(option.kind, shape.replace("@", f"{{{others}{option.name}: @}}"))


def needed(options: tuple[Option, ...]) -> str:
    return "".join(f"{option.name}: some, " for option in options if option.required)


def below(section: str) -> tuple[str, ...]:
    """The keys of a section, from the table of the reference page."""
    found = [option.name.split(".") for option in FILE]
    return tuple(name[-1] for name in found if name[:-1] == ([section] if section else []) or name[0] == section == "")


KEYS: dict[str, tuple[str, ...]] = {
    "@: 1": tuple(dict.fromkeys(option.name.split(".")[0] for option in FILE)),
    "trainer: @": tuple(BUILTIN),
    "data: {source: @}": tuple(known.name for known in SETS),
    "data: {keras: @}": tuple(known.name for known in KERAS_SETS),
    **{
        f"data: {{{source.name}: some, {needed(source.options)}@: 1}}": (
            *(option.name for option in (*source.options, VALIDATION)),
            *(other.name for other in SOURCES),
        )
        for source in SOURCES
    },
    "objective: {@: val_accuracy}": ("maximize", "minimize"),
    "objective: {maximize: @}": (*reported(None), *measured()),
    "constraints: {@: {max: 1}}": (*reported(None), *measured()),
    "constraints: {loss: {@: 1}}": ("min", "max"),
    "budget: {trials: 3, @: 1}": below("budget"),
    "algorithm: {@: 1}": below("algorithm"),
    **{shape: names for shape, names, _ in algorithms(SAMPLERS, "algorithm: {sampler: @}")},
    **{shape: names for shape, names, _ in algorithms(PRUNERS, "algorithm: {pruner: @}")},
    "space: {batch_size: {float: [0, 1], @: 1}}": tuple(option.name for option in BESIDE["float"]),
    "space: {batch_size: {int: [1, 2], @: 1}}": tuple(option.name for option in BESIDE["int"]),
    "space: {batch_size: {choice: [1, 2], @: 1}}": tuple(option.name for option in BESIDE["choice"]),
    "space: {batch_size: {optional: 3, @: 1}}": tuple(option.name for option in BESIDE["optional"]),
    "space: {layers: {repeat: [1, 2], each: {}, @: 1}}": tuple(option.name for option in BESIDE["repeat"]),
}


def test_every_section_is_there() -> None:
    sections = {option.name.split(".")[0] for option in FILE} - {"study", "model"}  # these are texts of your own
    assert {shape.split(":")[0] for shape in KEYS} - {"@"} == sections
    assert len(KEYS) > 40


@pytest.mark.parametrize("shape", KEYS)
def test_a_wrong_word_or_option_is_told_at_its_place_with_those_that_exist(shape: str, tmp_path: Path) -> None:
    line = shape.replace("@", "zzz")
    problems = [problem for problem in told(line, tmp_path) if "'zzz'" in str(problem)]
    assert [problem.place.column for problem in problems] == [line.index("zzz") + 1]
    text = problems[0].expected or ""
    missing = [name for name in KEYS[shape] if name not in text.replace(",", " ").split()]
    assert missing == [], text


def wrong(kind: Kind) -> str:
    """A value that this kind doesn't take."""
    match kind:
        case Text():
            return "{a: 1}"
        case Either() | Listed(Text()):
            return "3"
    return "no_such_value"


VALUES = [
    *(
        (
            f"data: {{{source.name}: some, {needed(tuple(o for o in source.options if o != option))}{option.name}: @}}",
            option,
        )
        for source in SOURCES
        for option in (*source.options, VALIDATION)
    ),
    *((f"budget: {{trials: 3, {name}: @}}", Option(name, OneWord(()))) for name in ("epochs", "time", "trial_time")),
    ("budget: {trials: @}", Option("trials", OneWord(()))),
    ("algorithm: {seed: @}", Option("seed", OneWord(()))),
    ("constraints: {loss: {max: @}}", Option("max", OneWord(()))),
    ("constraints: {loss: {min: @}}", Option("min", OneWord(()))),
    *(
        (shape.replace("@: 1", f"{option.name}: @").replace(f"{option.name}: 1, {option.name}", option.name), option)
        for kind, key in ((SAMPLERS, "sampler"), (PRUNERS, "pruner"))
        for shape, _, options in algorithms(kind, f"algorithm: {{{key}: @}}")
        for option in options
    ),
]


def test_a_wrong_value_of_every_option_is_told_at_its_line(tmp_path: Path) -> None:
    silent = []
    for shape, option in VALUES:
        line = shape.replace("@", wrong(option.kind))
        at = shape.index("@") + 1
        if at not in [problem.place.column for problem in told(line, tmp_path)]:
            silent.append(line)
    assert silent == []
    assert len(VALUES) > 100

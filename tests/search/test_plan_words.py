"""What `check` says of a broken file: everything at once, whoever knows about it, and never anything but that."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from search.plan import checked
from spaces.errors import Problem, SpaceError

SHIPPED = [path.read_text() for path in sorted((Path(__file__).parents[2] / "spaces").glob("*.yaml"))]
BROKEN = """
study: w
trainer: image
data: {source: digits}
objective: {maximize: val_accuracy}
budget: {trials: 3, epoch: 1}
space:
  optimiser: adam
  learning_rate: {float: [1e-4, 1e-2], lgo: true}
  layers: {repeat: [1, 2], each: {filter: {int: [1, 4]}}}
"""


def test_what_the_reader_and_what_the_trainer_knows_is_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "w.yaml"
    file.write_text(BROKEN.lstrip())
    with pytest.raises(SpaceError) as told:
        checked(file)
    words = [re.findall("'([^']+)'", problem.message)[0] for problem in told.value.problems]
    assert [problem.place.line for problem in told.value.problems] == [5, 7, 8, 9]
    assert words == ["epoch", "optimiser", "lgo", "filter"]


def mutated(chosen: random.Random) -> str:
    """A shipped file with up to three lines lost, swapped or garbled."""
    lines = chosen.choice(SHIPPED).splitlines()
    others = "\n".join(SHIPPED).splitlines()
    for _ in range(chosen.randint(1, 3)):
        number = chosen.randrange(len(lines))
        line = lines[number]
        lines[number] = chosen.choice(
            [
                "",
                chosen.choice(others),
                line.replace(chosen.choice("[]{}:,"), "", 1),
                re.sub(r"\w+", lambda found: found.group()[::-1], line, count=1),
                re.sub(r"\d+(\.\d+)?", chosen.choice(["-1", "null", "x", "1e999", "[]", "\0"]), line, count=1),
            ]
        )
    return "\n".join(lines)


@pytest.mark.parametrize("seed", range(8))
def test_a_garbled_file_is_read_or_refused_at_its_places_and_nothing_else(seed: int, tmp_path: Path) -> None:
    chosen, file, refused = random.Random(seed), tmp_path / "garbled.yaml", 0
    for _ in range(50):
        file.write_text(mutated(chosen))
        problems = problems_of(file)
        refused += bool(problems)
        assert all(problem.place.line >= 1 and problem.message for problem in problems)
    assert refused > 10


def problems_of(file: Path) -> Sequence[Problem]:
    try:
        checked(file)
    except SpaceError as error:
        return error.problems
    return ()

"""What a space file asks for, checked word by word before anything starts; without Keras, Optuna or a database."""

from __future__ import annotations

from pathlib import Path

from search.study.words import check_algorithm
from search.text import count, duration
from spaces.errors import Problem, SpaceError
from spaces.parameters import names
from spaces.reader import read
from spaces.scalars import written
from spaces.spec import StudySpec, limits
from trainers import words


def checked(file: Path) -> StudySpec:
    """Read a space file and check every word of it. Raises SpaceError with all that is wrong."""
    try:
        spec = read(file)
    except SpaceError as error:
        raise SpaceError([*error.problems, *_further(error)]) from None
    if wrong := problems(spec):
        raise SpaceError(wrong)
    return spec


def _further(error: SpaceError) -> list[Problem]:
    """Return what is wrong with the words of a file that could be read in part, on lines that nothing is said about."""
    told = {problem.place.line for problem in error.problems}
    found = problems(error.spec) if error.spec is not None else []
    return [problem for problem in found if problem.place.line not in told]


def problems(spec: StudySpec) -> list[Problem]:
    """Return what is wrong with the words of a file that could be read."""
    return [*words.check(spec), *check_algorithm(spec)]


def summary(spec: StudySpec) -> list[str]:
    """Return what will be searched, in a few lines."""
    budget = spec.budget
    searched = names(spec.space)
    objectives = ", ".join(f"{objective.direction} {objective.metric}" for objective in spec.objectives)
    limit = f", at most {duration(budget.time)}" if budget.time is not None else ""
    data = f"{spec.data.kind} {spec.data.location}" if spec.data is not None else "the trainer's own"
    return [
        f"study      {spec.study}",
        f"trainer    {spec.trainer.name}",
        f"data       {data}",
        f"objective  {objectives}",
        *([f"keeps      {', '.join(ends)}"] if (ends := _ends(spec)) else []),
        f"budget     {count(budget.trials, 'trial')} x {count(budget.epochs, 'epoch')} = "
        f"at most {budget.trials * budget.epochs} epochs{limit}",
        f"space      {count(len(searched), 'parameter')}: {', '.join(searched[:8])}" + (", …" * (len(searched) > 8)),
    ]


def _ends(spec: StudySpec) -> list[str]:
    """Return the constraints in words."""
    ends = {"min": "at least", "max": "at most"}
    return [
        f"{metric} {' and '.join(f'{ends[key]} {written(end)}' for key, end in each.items())}"
        for metric, each in limits(spec).items()
    ]

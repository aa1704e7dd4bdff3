"""The best models of a study: saved before a trial is recorded as better, the others removed after it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from search import places
from spaces.spec import StudySpec

PARTIAL = ".partial.keras"  # what the name of a model ends with while it is written


def worth_keeping(spec: StudySpec, values: Sequence[float], best: Sequence[Sequence[float]]) -> bool:
    """Say whether a trial with these values would be among the best, whose values are given: none is as good."""
    signs = [-1.0 if objective.direction == "maximize" else 1.0 for objective in spec.objectives]
    mine = [sign * value for sign, value in zip(signs, values, strict=True)]
    for other in best:
        theirs = [sign * value for sign, value in zip(signs, other, strict=True)]
        if all(their <= my for their, my in zip(theirs, mine, strict=True)):
            return False
    return True


def save(state: Path, study: str, number: int, write: Callable[[Path], object]) -> Path:
    """Write a trial's model aside and rename it, so that a file with the right name is always whole."""
    path = places.model(state, study, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{number}.{os.getpid()}{PARTIAL}")
    try:
        write(aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return path


def keep_only(state: Path, study: str, numbers: Sequence[int], newer_than: int) -> None:
    """Remove the models of trials that are no longer among the best.

    Models of trials from `newer_than` on stay: their trial may be about to be recorded by another worker.
    """
    for path in places.models(state, study).glob("*.keras"):
        name = path.stem
        if name.isdecimal() and int(name) not in numbers and int(name) < newer_than:
            path.unlink(missing_ok=True)

"""What is wrong with a file's trainer, data, objectives and space, as far as can be told without Keras or the data."""

from __future__ import annotations

import re
from collections.abc import Iterable

from spaces import vocabulary as kinds
from spaces.errors import Place, Problem, nearest
from spaces.spec import DataSpec, StudySpec
from trainers.words.builtin import BUILTIN, vocabulary
from trainers.words.datasets import KERAS_SETS, SETS, SOURCES, Known
from trainers.words.metrics import reported


def check(spec: StudySpec) -> list[Problem]:
    """Return every problem of the file that its trainer knows about, each at its place."""
    trainer = spec.trainer
    if trainer.kind == "builtin" and trainer.name not in BUILTIN:
        return [_unknown(trainer.place, "trainer", trainer.name, BUILTIN)]
    problems = _check_data(spec) + _check_objectives(spec)
    words = vocabulary(trainer)
    if words is not None:
        problems += kinds.check(words, spec.space, "space")
    return problems


def _unknown(place: Place, what: str, received: str, known: Iterable[str]) -> Problem:
    known = tuple(known)
    near = nearest(received, known)
    return Problem(
        place,
        f"'{received}' is not a known {what}" + (f"; did you mean '{near}'?" if near else ""),
        received=received,
        expected=f"one of {', '.join(known)}",
    )


def _known_set(data: DataSpec | None) -> Known | None:
    """Return what is known of the data set without loading it."""
    table = {"set": SETS, "keras": KERAS_SETS}.get(data.kind, ()) if data else ()
    return next((known for known in table if data and known.name == data.location), None)


def _check_data(spec: StudySpec) -> list[Problem]:
    data, trainer = spec.data, spec.trainer
    if data is None:
        if trainer.kind == "loop":
            return []
        hint = "write data: digits to begin with"
        return [Problem(trainer.place, "this trainer needs data, and the file names none", hint=hint)]
    known = _known_set(data)
    if known is None and data.kind in ("set", "keras"):
        names = [entry.name for entry in (SETS if data.kind == "set" else KERAS_SETS)]
        return [_unknown(data.place, "data set", data.location, names)]
    problems = _check_source_options(data)
    expected = {"image": "image", "tabular": "table"}
    if known and trainer.kind == "builtin" and expected[trainer.name] != known.form:
        other = next(name for name, form in expected.items() if form == known.form)
        message = f"the trainer '{trainer.name}' can't train on '{known.name}'"
        problems.append(
            Problem(
                trainer.place,
                message,
                f"a data set of form {known.form}",
                f"{expected[trainer.name]}",
                f"write trainer: {other}",
            )
        )
    return problems


def _check_source_options(data: DataSpec) -> list[Problem]:
    options = SOURCES[data.kind]
    names = [option.name for option in options.options]
    given = dict(data.options)
    problems = [
        _unknown(data.place, f"option of {data.kind} data", name, names)
        for name in given
        if name not in names and not options.open
    ]
    problems += [
        Problem(data.place, f"{data.kind} data needs '{option.name}'", hint=option.doc)
        for option in options.options
        if option.required and option.name not in given
    ]
    return problems


def _check_objectives(spec: StudySpec) -> list[Problem]:
    if spec.trainer.kind == "loop":
        return []
    known = _known_set(spec.data)
    task = known.task if known else dict(spec.data.options).get("task") if spec.data else None
    metrics = reported(task)
    return [
        _unknown(_place_of(objective.metric, spec), "metric of this trainer", objective.metric, metrics)
        for objective in spec.objectives
        if objective.metric not in metrics
    ]


def _place_of(word: str, spec: StudySpec) -> Place:
    """Return where the file names a metric (an objective itself has no place), else the trainer's place."""
    for number, line in enumerate(spec.text.splitlines(), start=1):
        found = re.search(rf"(?:maximize|minimize)\W+({re.escape(word)})\b", line)
        if found:
            return Place(spec.file, number, found.start(1) + 1, line)
    return spec.trainer.place

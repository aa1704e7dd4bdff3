"""What is wrong with a file's trainer, data, metrics and space, as far as can be told without Keras or the data."""

from __future__ import annotations

import re
from collections.abc import Iterable

from spaces import vocabulary as kinds
from spaces.errors import Place, Problem, did_you_mean
from spaces.spec import DataSpec, StudySpec
from trainers.words.agreement import check_agreement
from trainers.words.builtin import BUILTIN, FORMS, vocabulary
from trainers.words.datasets import KERAS_SETS, SETS, Known
from trainers.words.metrics import Task, measured, reported


def check(spec: StudySpec) -> list[Problem]:
    """Return every problem of the file that its trainer knows about, each at its place."""
    trainer = spec.trainer
    if trainer.kind == "builtin" and trainer.name not in BUILTIN:
        return [_unknown(trainer.place, "built-in trainer", trainer.name, BUILTIN)]
    problems = _check_data(spec) + _check_metrics(spec)
    words = vocabulary(trainer)
    if words is not None:
        problems += kinds.check(words, spec.space, "space") + check_agreement(spec.space, _task(spec))
    return problems


def _unknown(place: Place, what: str, received: str, known: Iterable[str]) -> Problem:
    known = tuple(known)
    message = f"'{received}' is not a {what}{did_you_mean(received, known)}"
    return Problem(place, message, expected=f"one of {', '.join(known)}")


def _known_set(data: DataSpec | None) -> Known | None:
    """Return what is known of the data set without loading it."""
    table = {"set": SETS, "keras": KERAS_SETS}.get(data.kind, ()) if data else ()
    return next((known for known in table if data and known.name == data.location), None)


def _check_data(spec: StudySpec) -> list[Problem]:
    data, trainer = spec.data, spec.trainer
    if data is None:
        return []
    known = _known_set(data)
    if known is None and data.kind in ("set", "keras"):
        names = [entry.name for entry in (SETS if data.kind == "set" else KERAS_SETS)]
        return [_unknown(data.place, "data set", data.location, names)]
    if known is None or trainer.kind != "builtin" or known.form in FORMS[trainer.name]:
        return []
    other = next(name for name, forms in FORMS.items() if known.form in forms)
    return [
        Problem(
            trainer.place,
            f"the trainer '{trainer.name}' can't train on '{known.name}'",
            received=f"data of form '{known.form}'",
            expected=" or ".join(f"'{form}'" for form in FORMS[trainer.name]),
            hint=f"write trainer: {other}",
        )
    ]


def _task(spec: StudySpec) -> Task | None:
    """Return what the labels are, as far as the file tells."""
    known = _known_set(spec.data)
    task: Task | None = known.task if known else spec.data.options.get("task") if spec.data else None
    return task


def _check_metrics(spec: StudySpec) -> list[Problem]:
    if spec.trainer.kind == "loop":
        return []
    metrics = (*reported(_task(spec)), *measured())
    problems = [
        _unknown(_place_of(objective.metric, spec), "metric of this trainer", objective.metric, metrics)
        for objective in spec.objectives
        if objective.metric not in metrics
    ]
    if all(objective.metric in measured() for objective in spec.objectives):
        metric = spec.objectives[0].metric
        message = f"'{metric}' is measured at the end of a trial: it can't be the only objective"
        hint = f"write objective: [{{maximize: val_accuracy}}, {{minimize: {metric}}}]"
        problems.append(Problem(_place_of(metric, spec), message, hint=hint))
    problems += [
        _unknown(constraint.place, "metric of this trainer", constraint.metric, metrics)
        for constraint in spec.constraints
        if constraint.metric not in metrics
    ]
    return problems


def _place_of(word: str, spec: StudySpec) -> Place:
    """Return where the file names a metric (an objective itself has no place), else the trainer's place."""
    for number, line in enumerate(spec.text.splitlines(), start=1):
        found = re.search(rf"(?:maximize|minimize)\W+({re.escape(word)})\b", line)
        if found:
            return Place(spec.file, number, found.start(1) + 1, line)
    return spec.trainer.place

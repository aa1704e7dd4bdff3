"""What a study looks like now: counts, running trials, the best; read-only, for people and scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import optuna

from search.postgres import records
from search.study.constraints import ENDED, STORED, broken, keeps_all
from search.study.study import BUDGET, COPIED, UNREAD, Study
from search.study.trial import EPOCHS, ERROR, PLACED
from spaces.parameters import rebuild

State = optuna.trial.TrialState
ENDS = ("complete", "pruned", "failed")  # how a trial can have ended; else it is running or waiting


@dataclass(frozen=True)
class TrialView:
    """One trial as people see it. `state`: complete, pruned, failed, running or waiting; `reason`: why it ended.

    `broken` says which constraints of the file it breaks: complete or, if it wasn't trained for that, pruned.
    """

    number: int
    state: str
    reason: str | None
    values: tuple[float, ...] | None
    epoch: int
    metrics: Mapping[str, float]
    flat: Mapping[str, Any]
    seconds: float | None
    error: str | None
    broken: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """True once the trial has ended, one way or another."""
        return self.state in ENDS


@dataclass(frozen=True)
class Snapshot:
    """The state of a study at one moment. `best` holds one trial, or the Pareto front of several objectives.

    None of them breaks a constraint.
    """

    study: str
    metrics: tuple[str, ...]
    directions: tuple[str, ...]
    trials: int  # the budget, copied trials left out
    epochs: int
    time: float | None
    spent: float
    workers: int
    copied: int
    all: tuple[TrialView, ...]
    best: tuple[TrialView, ...]
    unread: tuple[str, ...] = ()  # parameters that the trainer was seen not to read
    placed: tuple[str, ...] = ()  # where the data was in trials that ended: on the device, or streamed to it

    def count(self, state: str) -> int:
        """Count the trials in a state."""
        return sum(trial.state == state for trial in self.all)

    @property
    def finished(self) -> int:
        """The number of trials that ended, one way or another, in this study."""
        return len(self.all) - self.count("running") - self.count("waiting") - self.copied

    @property
    def counts(self) -> dict[str, int]:
        """The number of trials by state."""
        return {state: self.count(state) for state in (*ENDS, "running", "waiting")}

    @property
    def infeasible(self) -> int:
        """The number of trials that ended and break a constraint."""
        return sum(trial.ended and bool(trial.broken) for trial in self.all)

    @property
    def running(self) -> tuple[TrialView, ...]:
        """The trials that have an owner now."""
        return tuple(trial for trial in self.all if trial.state == "running")


def look(study: Study) -> Snapshot:
    """Read the study as it is now."""
    storage = study.storage
    storage.backend.refresh()
    attributes = study.attributes()
    owners = storage.ownership.owners()
    last = records.last_epochs(storage.engine, study.id)
    trials = study.handle.get_trials(deepcopy=False)
    views = {trial.number: _view(study, trial, owners, last) for trial in trials}
    return Snapshot(
        study=study.name,
        metrics=tuple(objective.metric for objective in study.spec.objectives),
        directions=tuple(objective.direction for objective in study.spec.objectives),
        trials=attributes[BUDGET]["trials"],
        epochs=study.spec.budget.epochs,
        time=attributes[BUDGET]["time"],
        spent=records.spent(storage.engine, study.id),
        workers=storage.ownership.workers(study.id),
        copied=attributes.get(COPIED, 0),
        all=tuple(views.values()),
        best=tuple(views[trial.number] for trial in best(study)),
        unread=tuple(attributes.get(UNREAD, ())),
        placed=tuple(sorted({trial.user_attrs[PLACED] for trial in trials if PLACED in trial.user_attrs})),
    )


def parameters(study: Study, trial: TrialView) -> dict[str, Any]:
    """Return a trial's nested parameters, fixed values included."""
    return dict(rebuild(study.spec.space, trial.flat))


def best(study: Study) -> list[optuna.trial.FrozenTrial]:
    """Return the best trial, or the Pareto front of several objectives, as far as this process knows them.

    It is complete and breaks no constraint; without such a trial the list is empty.
    """
    complete = [trial for trial in study.handle.get_trials(False, (State.COMPLETE,)) if keeps_all(trial)]
    if not complete:
        return []
    if len(study.spec.objectives) > 1:
        return sorted(study.handle.best_trials, key=lambda trial: trial.number)
    sign = -1.0 if study.spec.objectives[0].direction == "maximize" else 1.0
    return [min(complete, key=lambda trial: (sign * trial.values[0], trial.number))]


def _view(
    study: Study,
    trial: optuna.trial.FrozenTrial,
    owners: set[int],
    last: Mapping[int, tuple[int, Mapping[str, float]]],
) -> TrialView:
    trained = trial.user_attrs.get(EPOCHS, max(trial.intermediate_values, default=0))
    epoch, metrics = last.get(trial._trial_id, (trained, {}))
    reason = trial.user_attrs.get(ENDED)
    return TrialView(
        number=trial.number,
        state=_state(trial, reason, owners),
        reason=reason if trial.state.is_finished() else None,
        values=tuple(trial.values) if trial.values is not None else None,
        epoch=epoch,
        metrics=metrics,
        flat=trial.params,
        seconds=_seconds(trial),
        error=trial.user_attrs.get(ERROR),
        broken=() if keeps_all(trial) else broken(study.spec.constraints, trial.user_attrs.get(STORED, {})),
    )


def _state(trial: optuna.trial.FrozenTrial, reason: str | None, owners: set[int]) -> str:
    if trial.state == State.COMPLETE:
        return "complete"
    if trial.state == State.PRUNED:
        return "pruned" if reason in (None, "pruned", "time", "infeasible") else "failed"
    if trial.state == State.FAIL:
        return "failed"
    return "running" if trial._trial_id in owners else "waiting"


def _seconds(trial: optuna.trial.FrozenTrial) -> float | None:
    if trial.datetime_start is None:
        return None
    end = trial.datetime_complete or datetime.now()
    return (end - trial.datetime_start).total_seconds()

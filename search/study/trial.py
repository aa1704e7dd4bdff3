"""A trial that this process owns: its parameters, its epochs, its end."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna

from search.postgres import records
from search.postgres.url import scrubbed
from search.study import algorithms
from search.study.constraints import ENDED, STORED, TOLD, UNTRAINED, broken, violations
from search.study.study import Study
from search.study.words import named
from spaces.parameters import draw

EPOCHS = "epochs"  # user attribute: how many epochs were trained
ERROR = "error"  # user attribute: what went wrong, with its traceback
LEFT = "search:left"  # the epoch at which an owner let go on purpose
PLACED = "data"  # user attribute: where the data was while the built-in loop trained on it
DEATHS = "search:deaths"  # {epoch, count}: owners that died since that epoch

State = optuna.trial.TrialState
TAUGHT = ("oom", "nan")  # failures that are told to the sampler as the worst of results


@dataclass
class OwnedTrial:
    """A RUNNING trial whose lock this process holds. Every write goes through the connection that holds the lock."""

    study: Study = field(repr=False)
    id: int
    number: int
    adopted: bool
    epoch: int  # the last epoch that was reported, by whomever; 0 at the start
    parameters: dict[str, Any]  # nested, as the trainer gets it
    metrics: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)  # about its training; stored when it ends
    outcome: str | None = None  # how it ended, once it has

    def record(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Store the metrics of a 1-based epoch; repeating one is fine."""
        storage, objective = self.study.storage, self._objective()
        storage.again(lambda: records.record_epoch(storage.engine, self.id, epoch, metrics, objective))
        if objective is not None:
            self._own.intermediate_values[epoch] = float(metrics[objective])
        self.epoch, self.metrics = max(self.epoch, epoch), dict(metrics)

    def should_prune(self) -> bool:
        """Say whether the pruner gives the trial up after the epoch that was recorded last; never at the last epoch."""
        if self._objective() is None or self.epoch >= self.study.spec.budget.epochs:
            return False
        study = self.study.handle
        return bool(self.study.storage.again(lambda: study.pruner.prune(study, self._own)))

    def infeasible(self, metrics: Mapping[str, float]) -> tuple[str, ...]:
        """Return in words which of the file's constraints these metrics break."""
        return broken(self.study.spec.constraints, metrics)

    def complete(self, values: Sequence[float], metrics: Mapping[str, float] | None = None) -> None:
        """Finish the trial with its objectives' values; `metrics` has at least what the file constrains."""
        told: dict[str, Any] = {ENDED: "complete"}
        if self.study.spec.constraints:
            told = self._tell_constraints(metrics or {})
            told[ENDED] = "infeasible" if self.infeasible(metrics or {}) else "complete"
        self._finish(State.COMPLETE, told, values=values)

    def reject(self, metrics: Mapping[str, float]) -> None:
        """Finish a trial that wasn't trained: what is known of it breaks a constraint, and the sampler is told so."""
        self._finish(State.PRUNED, {ENDED: "infeasible", **self._tell_constraints(metrics)})

    @property
    def may_be_rejected(self) -> bool:
        """Say whether nothing is lost to the study's sampler if a trial isn't trained."""
        sampler = self.study.spec.algorithm.sampler
        return sampler is None or named(sampler)[0] in UNTRAINED

    def prune(self, reason: str = "pruned") -> None:
        """Finish the trial early: `pruned` by the pruner, `time` by the study's time budget."""
        self._finish(State.PRUNED, {ENDED: reason})

    def fail(self, reason: str, error: str) -> None:
        """Finish the trial as failed. What the machine can't hold or what diverges teaches the sampler to stay away."""
        told = {ENDED: reason, ERROR: scrubbed(error, self.study.storage.url)}  # the user's code may tell the URL
        if reason in TAUGHT and self._objective() is not None:
            self._record_nothing()
            self._finish(State.PRUNED, told)
        else:
            self._finish(State.FAIL, told)

    def leave(self) -> None:
        """Let go of the trial, so that the next free worker continues it under the same number."""
        self.remember({LEFT: self.epoch})
        self._let_go()

    def remember(self, attributes: Mapping[str, Any]) -> None:
        """Store facts about the trial (JSON values) beside it."""
        storage = self.study.storage
        storage.again(lambda: records.record_attributes(storage.engine, self.id, attributes))

    def attributes(self) -> dict[str, Any]:
        """Return the facts that were stored beside the trial when it was claimed."""
        return dict(self._own.user_attrs)

    @property
    def _own(self) -> optuna.trial.FrozenTrial:
        own = self.study.storage.backend.own
        assert own is not None
        return own

    def _objective(self) -> str | None:
        objectives = self.study.spec.objectives
        return objectives[0].metric if len(objectives) == 1 else None

    def _record_nothing(self) -> None:
        """Make the last value NaN, unless it is: samplers rank that below every number."""
        values, objective = self._own.intermediate_values, self._objective()
        if objective is not None and not math.isnan(values.get(max(values, default=0), 0.0)):
            storage, epoch = self.study.storage, self.epoch + 1
            nothing = {objective: math.nan}
            storage.again(lambda: records.record_epoch(storage.engine, self.id, epoch, nothing, objective))
            values[epoch] = math.nan

    def _tell_constraints(self, metrics: Mapping[str, float]) -> dict[str, Any]:
        """Store for samplers by how much the constrained metrics miss; return what else is stored of those known."""
        known = [constraint for constraint in self.study.spec.constraints if constraint.metric in metrics]
        missed = violations(known, metrics)
        storage = self.study.storage
        storage.again(lambda: storage.backend.set_trial_system_attr(self.id, TOLD, missed))
        return {STORED: {constraint.metric: float(metrics[constraint.metric]) for constraint in known}}

    def _finish(self, state: State, told: Mapping[str, Any], values: Sequence[float] | None = None) -> None:
        self.remember({**self.facts, EPOCHS: self.epoch, **told})
        study, given = self.study.handle, list(values) if values is not None else None
        self.study.storage.again(lambda: study.tell(self.number, given, state, skip_if_finished=True))
        self._let_go()
        self.outcome = told[ENDED]

    def _let_go(self) -> None:
        self.study.storage.ownership.release()
        self.study.storage.backend.forget()


def take(study: Study, claimed: int | optuna.Trial) -> OwnedTrial:
    """Draw the parameters of a new trial, or read back those of an adopted one; this process holds its lock."""
    storage, fresh = study.storage, [claimed] if isinstance(claimed, optuna.Trial) else []
    trial_id = claimed._trial_id if isinstance(claimed, optuna.Trial) else claimed

    def drawn() -> dict[str, Any]:
        # Once an outage has come between, what was stored is read again.
        trial = fresh.pop() if fresh else _read(study, trial_id)
        parameters: dict[str, Any] = draw(study.spec.space, trial)
        storage.backend.flush()
        return parameters

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        parameters = storage.again(drawn)
    adopted = not isinstance(claimed, optuna.Trial)
    epochs = storage.again(lambda: records.epochs(storage.engine, trial_id)) if adopted else {}
    number, epoch = storage.backend.get_trial(trial_id).number, max(epochs, default=0)
    return OwnedTrial(study, trial_id, number, adopted, epoch, parameters, epochs.get(epoch, {}))


def _read(study: Study, trial_id: int) -> optuna.Trial:
    own = study.storage.backend.adopt(trial_id)
    # What isn't drawn yet is drawn as if nothing had happened, also by a worker that has never asked for a trial.
    study.handle.sampler = algorithms.sampler(study.spec, study.seed, own.number)
    return optuna.Trial(study.handle, trial_id)

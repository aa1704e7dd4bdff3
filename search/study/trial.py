"""A trial that this process owns: its parameters, its epochs, its end."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna

from search.postgres import records
from search.study.study import Study
from spaces.parameters import draw

ENDED = "ended"  # user attribute: complete, pruned, oom, nan, timeout, user, crashed or time
EPOCHS = "epochs"  # user attribute: how many epochs were trained
ERROR = "error"  # user attribute: what went wrong, with its traceback
LEFT = "search:left"  # the epoch at which an owner let go on purpose
DEATHS = "search:deaths"  # {epoch, count}: owners that died since that epoch

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
    trial: optuna.Trial = field(repr=False)
    metrics: dict[str, float] = field(default_factory=dict)
    outcome: str | None = None  # how it ended, once it has

    def record(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Store the metrics of a 1-based epoch; repeating one is fine."""
        storage = self.study.storage
        storage.again(lambda: records.record_epoch(storage.engine, self.id, epoch, metrics))
        if (objective := self._objective()) is not None and epoch > self.epoch:
            storage.again(lambda: self.trial.report(metrics[objective], epoch))
        self.epoch, self.metrics = max(self.epoch, epoch), dict(metrics)

    def should_prune(self) -> bool:
        """Say whether the pruner gives the trial up after the epoch that was recorded last; never at the last epoch."""
        if self._objective() is None or self.epoch >= self.study.spec.budget.epochs:
            return False
        return bool(self.study.storage.again(self.trial.should_prune))

    def complete(self, values: Sequence[float]) -> None:
        """Finish the trial with its objectives' values."""
        self._finish(optuna.trial.TrialState.COMPLETE, "complete", values=values)

    def prune(self, reason: str = "pruned") -> None:
        """Finish the trial early: `pruned` by the pruner, `time` by the study's time budget."""
        self._finish(optuna.trial.TrialState.PRUNED, reason)

    def fail(self, reason: str, error: str) -> None:
        """Finish the trial as failed. What the machine can't hold or what diverges teaches the sampler to stay away."""
        single = len(self.study.spec.objectives) == 1
        if reason in TAUGHT and single:
            self.study.storage.again(lambda: self._report_nothing(self.epoch + 1))
            self._finish(optuna.trial.TrialState.PRUNED, reason, error)
        else:
            self._finish(optuna.trial.TrialState.FAIL, reason, error)

    def leave(self) -> None:
        """Let go of the trial, so that the next free worker continues it under the same number."""
        self._remember(LEFT, self.epoch)
        self.study.storage.ownership.release()

    def remember(self, attributes: Mapping[str, Any]) -> None:
        """Store facts about the trial (seconds, device, model's size) beside it."""
        for key, value in attributes.items():
            self._remember(key, value)

    def _objective(self) -> str | None:
        objectives = self.study.spec.objectives
        return objectives[0].metric if len(objectives) == 1 else None

    def _report_nothing(self, epoch: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.trial.report(math.nan, epoch)

    def _remember(self, key: str, value: Any) -> None:
        self.study.storage.again(lambda: self.trial.set_user_attr(key, value))

    def _finish(
        self,
        state: optuna.trial.TrialState,
        reason: str,
        error: str | None = None,
        values: Sequence[float] | None = None,
    ) -> None:
        self.remember({ENDED: reason, EPOCHS: self.epoch})
        if error is not None:
            self._remember(ERROR, error)
        storage, study = self.study.storage, self.study.handle
        values = list(values) if values is not None else None
        # Repeated after an outage that swallowed the answer, the trial is found finished: by us, since we own it.
        storage.again(lambda: study.tell(self.number, values, state, skip_if_finished=True))
        storage.ownership.release()
        self.outcome = reason


def take(study: Study, trial_id: int, adopted: bool) -> OwnedTrial:
    """Draw (or, of an adopted trial, read back) the parameters of a trial whose lock this process holds."""
    storage = study.storage

    def drawn() -> tuple[optuna.Trial, dict[str, Any]]:
        trial = optuna.Trial(study.handle, trial_id)  # anew on each attempt: it reads what was stored already
        return trial, draw(study.spec.space, trial)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        trial, parameters = storage.again(drawn)
    frozen = storage.again(lambda: storage.backend.get_trial(trial_id))
    epochs = storage.again(lambda: records.epochs(storage.engine, trial_id)) if adopted else {}
    epoch = max(epochs, default=0)
    return OwnedTrial(study, trial_id, frozen.number, adopted, epoch, parameters, trial, epochs.get(epoch, {}))

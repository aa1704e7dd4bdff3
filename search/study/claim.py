"""Which trial a worker trains next: an orphan, a new one while the budget lasts, or none.

Asking happens under a study-wide lock: look for orphans, count, ask, release. What counts is every trial that was ever
started, once, however often it was resumed; so the budget is exact with any number of workers that may die anywhere.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal

import optuna

from search.postgres import records
from search.study import algorithms
from search.study.study import BUDGET, COPIED, Study
from search.study.trial import DEATHS, LEFT, OwnedTrial, take

RUNNING = optuna.trial.TrialState.RUNNING
GRACE = 3.0  # seconds without an owner before a trial is adopted: its owner may be reconnecting
DEATHS_ALLOWED = 3  # owners that may die without a new epoch; then the trial is given up as `crashed`

Nothing = Literal["wait", "done"]


@dataclass
class Claims:
    """A worker's claims in one study. Remembers since when it has seen which trial without an owner."""

    study: Study
    grace: float = GRACE
    ownerless: dict[int, float] = field(default_factory=dict)

    def next(self) -> OwnedTrial | Nothing:
        """Claim a trial: the claimed one, `wait` while others still train, or `done`.

        A claim that an outage interrupts is made again from the start: what it had begun is found as an orphan.
        """
        found = self.study.storage.again(self._claim)
        if isinstance(found, str):
            return found
        trial_id, adopted = found
        trial = take(self.study, trial_id, adopted)
        if adopted and self._deaths(trial) >= DEATHS_ALLOWED:
            trial.fail("crashed", f"{DEATHS_ALLOWED} workers died at epoch {trial.epoch + 1} of this trial")
            return self.next()
        return trial

    def time_left(self) -> float | None:
        """Return the seconds of the study's wall-clock budget that are left; None without such a budget."""
        storage = self.study.storage
        budget = storage.again(self.study.attributes)[BUDGET]["time"]
        spent = storage.again(lambda: records.tick(storage.engine, self.study.id, fresh=False))
        return None if budget is None else float(budget) - spent

    def _claim(self) -> tuple[int, bool] | Nothing:
        storage, study = self.study.storage, self.study
        storage.ownership.release()  # of a claim that was cut short
        with storage.ownership.asking(study.id):
            running = study.handle.get_trials(deepcopy=False, states=(RUNNING,))
            for trial in self._orphans(running):
                if storage.ownership.try_own(trial._trial_id):
                    if records.state(storage.engine, trial._trial_id) == RUNNING.name:
                        return trial._trial_id, True
                    storage.ownership.release()  # finished between the list and the lock
            if self._budget_left():
                return self._ask(), False
        return "wait" if running else "done"

    def _orphans(self, running: list[optuna.trial.FrozenTrial]) -> list[optuna.trial.FrozenTrial]:
        owners = self.study.storage.ownership.owners()
        ownerless = {trial._trial_id: trial for trial in running if trial._trial_id not in owners}
        now = time.monotonic()
        self.ownerless = {trial_id: self.ownerless.get(trial_id, now) for trial_id in ownerless}
        return [trial for trial_id, trial in ownerless.items() if now - self.ownerless[trial_id] >= self.grace]

    def _budget_left(self) -> bool:
        storage, study = self.study.storage, self.study
        attributes = study.attributes()
        budget: dict[str, Any] = attributes[BUDGET]
        spent = records.tick(storage.engine, study.id, fresh=False)
        if records.count_started(storage.engine, study.id) >= budget["trials"] + attributes.get(COPIED, 0):
            return False
        return budget["time"] is None or spent < budget["time"]

    def _ask(self) -> int:
        storage, study = self.study.storage, self.study
        started = records.count_started(storage.engine, study.id)
        study.handle.sampler = algorithms.sampler(study.spec, study.seed, started)
        trial_id: int = study.handle.ask()._trial_id
        storage.ownership.own(trial_id)
        return trial_id

    def _deaths(self, trial: OwnedTrial) -> int:
        """Count the owners that died since the last epoch, this one's predecessor included."""
        attributes = trial.trial.user_attrs
        if attributes.get(LEFT) == trial.epoch:
            return 0
        known = attributes.get(DEATHS, {})
        deaths = 1 + (known.get("count", 0) if known.get("epoch") == trial.epoch else 0)
        trial.remember({DEATHS: {"epoch": trial.epoch, "count": deaths}})
        return deaths

"""Which trial a worker trains next: an orphan, a new one while the budget lasts, or none.

Asking happens under a study-wide lock: look for orphans, count, ask, release. What counts is every trial that was ever
started, once, however often it was resumed; so the budget is exact with any number of workers that may die anywhere.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Literal

import optuna
from optuna.trial import FrozenTrial

from search.postgres import records
from search.postgres.failures import Superseded
from search.postgres.records import Survey
from search.study import algorithms
from search.study.study import BUDGET, COPIED, Study
from search.study.trial import DEATHS, LEFT, OwnedTrial, take

log = logging.getLogger(__name__)

RUNNING = optuna.trial.TrialState.RUNNING
GRACE = 3.0  # seconds without an owner before a trial is adopted: its owner may be reconnecting
DEATHS_ALLOWED = 3  # owners that may die without a new epoch; then the trial is given up as `crashed`
SEEDED_ANEW = 100  # trials for which the sampler is made anew: they repeat, whoever asks; later it keeps its state

Nothing = Literal["wait", "done"]


@dataclass
class Claims:
    """A worker's claims in one study. Remembers since when it has seen which trial without an owner."""

    study: Study
    grace: float = GRACE
    gave_up: Callable[[], object] = lambda: None  # called when a trial was given up as crashed
    ownerless: dict[int, float] = field(default_factory=dict)
    seeded: bool = False

    def next(self) -> OwnedTrial | Nothing:
        """Claim a trial: the claimed one, `wait` while others still train, or `done`.

        A claim that an outage interrupts is made again from the start: what it had begun is found as an orphan.
        """
        while True:
            found = self.study.storage.again(self._claim)
            if isinstance(found, str):
                return found
            try:
                trial = take(self.study, found)
                if not trial.adopted or self._deaths(trial) < DEATHS_ALLOWED:
                    return trial
                trial.fail("crashed", f"{DEATHS_ALLOWED} workers died at epoch {trial.epoch + 1} of this trial")
                self.gave_up()
            except Superseded:
                log.warning("a trial went to another worker while this one was cut off")

    def time_left(self) -> float | None:
        """Return the seconds of the study's wall-clock budget that are left; None without such a budget."""
        now = self.study.storage.again(self._survey)
        budget = now.attributes[BUDGET]["time"]
        return None if budget is None else float(budget) - now.spent

    def _claim(self) -> int | optuna.Trial | Nothing:
        """Return an adopted trial's id, a new trial, or why there is none."""
        storage, study = self.study.storage, self.study
        storage.ownership.release()  # of a claim that was cut short
        storage.backend.forget()
        with storage.ownership.asking(study.id):
            # Before the list: a trial that ends in between must not look like one without an owner.
            now = self._survey()
            storage.backend.refresh()
            running = study.handle.get_trials(deepcopy=False, states=(RUNNING,))
            orphans, awaited = self._orphans(running, now.owned)
            for trial_id in orphans:
                if storage.ownership.try_own(trial_id):
                    if records.state(storage.engine, trial_id) == RUNNING.name:
                        return trial_id
                    storage.ownership.release()  # finished between the list and the lock
            if awaited:
                return "wait"  # a trial that was begun comes before a new one, which may take hours
            if _budget_left(now):
                return self._ask(now.started)
        return "wait" if running else "done"

    def _survey(self) -> Survey:
        return records.survey(self.study.storage.engine, self.study.id, (BUDGET, COPIED))

    def _orphans(self, running: Collection[FrozenTrial], owned: Collection[int]) -> tuple[list[int], bool]:
        """Return the trials to adopt, and whether there are others whose owner may still come back."""
        now = time.monotonic()
        left = {trial._trial_id for trial in running if trial.user_attrs.get(LEFT) is not None}
        ownerless = [trial._trial_id for trial in running if trial._trial_id not in owned]
        self.ownerless = {trial_id: self.ownerless.get(trial_id, now) for trial_id in ownerless}
        orphans = [
            trial_id for trial_id, since in self.ownerless.items() if trial_id in left or now - since >= self.grace
        ]
        return orphans, len(orphans) < len(ownerless)

    def _ask(self, started: int) -> optuna.Trial:
        storage, study = self.study.storage, self.study
        if started < SEEDED_ANEW or not self.seeded:
            study.handle.sampler = algorithms.sampler(study.spec, study.seed, started)
            self.seeded = True
        trial = study.handle.ask()
        storage.ownership.own(trial._trial_id)
        if storage.backend.own is None:
            storage.backend.adopt(trial._trial_id)  # the baseline, which was waiting
        return trial

    def _deaths(self, trial: OwnedTrial) -> int:
        """Count the owners that died since the last epoch, this one's predecessor included."""
        attributes = trial.attributes()
        if attributes.get(LEFT) is not None:
            trial.remember({LEFT: None})
            return 0
        known = attributes.get(DEATHS, {})
        deaths = 1 + (known.get("count", 0) if known.get("epoch") == trial.epoch else 0)
        trial.remember({DEATHS: {"epoch": trial.epoch, "count": deaths}})
        return deaths


def _budget_left(now: Survey) -> bool:
    budget = now.attributes[BUDGET]
    if now.started >= budget["trials"] + now.attributes.get(COPIED, 0):
        return False
    return budget["time"] is None or now.spent < budget["time"]

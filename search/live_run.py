"""What a trainer is given: the `Run` of `trainers.contract`, on top of a trial that this process owns."""

from __future__ import annotations

import math
import operator
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, SupportsIndex

from search.errors import InputError, StorageUnavailable
from search.shutdown import Shutdown
from search.study.claim import Claims
from search.study.trial import OwnedTrial
from spaces.errors import nearest
from trainers.contract import Diverged, TrialOver
from trainers.words.metrics import measured

if TYPE_CHECKING:
    from trainers.data import Data

End = Literal["pruned", "stopped", "time", "timeout", "infeasible"]


class LiveRun:
    """One trial in training. `end` says why `report` ended it, for a trainer that swallowed the exception."""

    def __init__(
        self,
        trial: OwnedTrial,
        claims: Claims,
        shutdown: Shutdown,
        folder: Path,
        load: Callable[[], Data],
    ) -> None:
        self.end: End | None = None
        self.save: Callable[[Path], None] | None = None
        self.costs: dict[str, float] = {}  # what the trainer told of the trial beside its epochs
        self._trial, self._claims, self._shutdown = trial, claims, shutdown
        self._folder, self._load = folder, load
        self._budget = trial.study.spec.budget
        self._started = time.monotonic()
        self.busy = threading.Lock()  # held while an epoch is recorded

    @property
    def number(self) -> int:
        """The trial's number in its study, from 0."""
        return self._trial.number

    @property
    def seed(self) -> int:
        """The trial's own seed: the same on every machine and after a resume."""
        return (self._trial.study.seed * 1_000_003 + self._trial.number) % 2**31

    @property
    def epochs(self) -> int:
        """The number of epochs that a full trial trains."""
        return self._budget.epochs

    @property
    def folder(self) -> Path:
        """The trial's own folder for checkpoints."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    @property
    def objectives(self) -> tuple[str, ...]:
        """The metrics that the file optimises."""
        return tuple(objective.metric for objective in self._trial.study.spec.objectives)

    @property
    def constraints(self) -> tuple[str, ...]:
        """The metrics that the file constrains."""
        return tuple(constraint.metric for constraint in self._trial.study.spec.constraints)

    @property
    def base(self) -> Path:
        """The folder of the space file."""
        return self._trial.study.spec.folder

    @property
    def data(self) -> Data:
        """The data set, loaded once per worker."""
        return self._load()

    def report(self, epoch: int, **metrics: float) -> None:
        """Record an epoch and look whether the trial goes on. Raises TrialOver or Diverged; see the contract."""
        with self.busy:
            try:
                self._report(epoch, metrics)
            except StorageUnavailable:
                if not self._shutdown.asked:
                    raise
                self._over("stopped")  # so that the trainer writes a checkpoint

    def _report(self, epoch: int, metrics: dict[str, float]) -> None:
        if isinstance(epoch, bool) or not isinstance(epoch, SupportsIndex) or not 1 <= operator.index(epoch) < 2**31:
            raise ValueError(f"run.report: received epoch {epoch!r}; expected a whole number, the first epoch being 1")
        epoch = operator.index(epoch)  # NumPy's whole numbers too
        values = _numbers("report", metrics)
        self._miss_no_objective(values)
        self._trial.record(epoch, values)
        if any(not math.isfinite(values.get(metric, 0.0)) for metric in self.objectives):
            raise Diverged(f"epoch {epoch}: " + ", ".join(f"{name} is {value}" for name, value in values.items()))
        if epoch >= self.epochs:
            return  # what is left is the recording of the result
        self.tick()
        if self._budget.time is not None and (self._claims.time_left() or 0.0) <= 0.0:
            self._over("time")
        if self._trial.should_prune():
            self._over("pruned")

    def cost(self, **metrics: float) -> None:
        """Take what is known before training; a constraint that it breaks ends the trial. Raises TrialOver."""
        self.costs |= _numbers("cost", metrics)
        if self._trial.may_be_rejected and self._trial.infeasible(self.costs):
            self._over("infeasible")

    def tick(self) -> None:
        """Look whether the trial goes on, without asking the database. Raises TrialOver; see the contract."""
        if self._shutdown.asked:
            self._over("stopped")
        if self._budget.trial_time is not None and time.monotonic() - self._started > self._budget.trial_time:
            self._over("timeout")

    def keep(self, save: Callable[[Path], None]) -> None:
        """Remember how the trained model is saved."""
        self.save = save

    def _over(self, end: End) -> None:
        self.end = end
        raise TrialOver(end)

    def _miss_no_objective(self, values: dict[str, float]) -> None:
        for metric in self.objectives:
            # Beside another objective, what is measured at the end needn't be known before.
            if metric not in values and (len(self.objectives) == 1 or metric not in measured()):
                raise MetricMissingError(missing("objective", metric, values))


def _numbers(function: str, metrics: dict[str, float]) -> dict[str, float]:
    values = {}
    for name, value in metrics.items():
        if "\0" in name:
            raise ValueError(f"run.{function}: received a metric called {name!r}; expected a name that can be stored")
        try:
            values[name] = float(value)
        except (TypeError, ValueError):
            raise TypeError(f"run.{function}: received {name}={value!r}; expected a number") from None
    return values


class MetricMissingError(InputError):
    """The trainer doesn't report a metric that the file wants to optimise or to constrain."""


def missing(what: Literal["objective", "constraints"], metric: str, values: Mapping[str, float]) -> str:
    """Say that a metric isn't among those that were reported, and which are."""
    close = nearest(metric, values)
    return (
        f"{what}: {metric!r} is not a metric that the trainer reports"
        + (f"; did you mean {close!r}?" if close else "")
        + f"\n  reported: {', '.join(sorted(values)) or 'nothing'}"
    )

"""One process, one device: claim a trial, train it, record it, until the budget is spent."""

from __future__ import annotations

import logging
import math
import re
import shutil
import textwrap
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from search import models, places
from search.errors import Aborted, DiskFull, InputError, Interrupted, SearchError
from search.growth import Growth
from search.launcher import FULL_MARK, TRIAL_MARK
from search.live_run import LiveRun, missing
from search.postgres.failures import Superseded
from search.reads import Watched
from search.shutdown import Shutdown
from search.study.claim import Claims
from search.study.history import best, look
from search.study.study import UNREAD, Study
from search.study.trial import PLACED, OwnedTrial
from search.sweep import sweep
from search.text import count
from search.watchdog import watched
from spaces.parameters import Fixed, Map, Node, size
from trainers import find, runtime, words
from trainers.contract import DataLost, Train, TrialOver
from trainers.full_disk import is_full
from trainers.user_code import FindError

if TYPE_CHECKING:
    from trainers.data import Data

log = logging.getLogger(__name__)

POLL = 0.05, 0.5  # seconds between two looks while others train the last trials: at first, and after a while
SAME_ERRORS = 3  # trials that fail alike, with none that succeeded, before the study is given up


@dataclass
class Worker:
    """Trains one trial after another of a study that this process has joined."""

    study: Study
    state: Path
    shutdown: Shutdown
    facts: Mapping[str, Any] = field(default_factory=dict)  # stored with each trial: host, device
    warned: bool = False

    @cached_property
    def claims(self) -> Claims:
        """The worker's claims in the study."""
        return Claims(self.study, gave_up=self._gave_up)

    @cached_property
    def trainer(self) -> Train:
        """The trainer that the file names. Raises InputError."""
        spec = self.study.spec
        try:
            return find.load(spec.trainer, spec.folder)
        except FindError as error:
            raise InputError(str(error)) from error

    @cached_property
    def data(self) -> Data:
        """The data set, loaded once. Raises InputError if it can't be used or isn't the study's."""
        from trainers import data as datasets  # scikit-learn and pandas: seconds that a loop without data needn't wait
        from trainers.training.example_weights import check_classes

        spec = self.study.spec
        if spec.data is None:
            raise InputError(f"{spec.file}: the trainer asks for run.data, but the file has no `data:`")
        try:
            loaded = datasets.load(spec.data, spec.folder, self.study.split, words.fills_missing(spec))
            if spec.trainer.kind != "loop":
                check_classes(spec.space, loaded)
        except datasets.DataError as error:
            raise InputError(str(error)) from error
        self.study.storage.again(lambda: self.study.same_data(loaded.fingerprint))
        return loaded

    def work(self) -> bool:
        """Train until nothing is left, or until this process should begin anew: True.

        Raises Interrupted, Aborted, InputError or StorageUnavailable.
        """
        if self.study.spec.data is not None:
            self._place(self.data)  # before the first claim: a file that is missing must not cost a trial
        _ = self.trainer
        growth, pause = Growth(), POLL[0]
        while not self.shutdown.asked:
            trial = self.claims.next()
            if trial == "done":
                self._sweep()
                log.info("nothing is left to train")
                return False
            if trial == "wait":
                time.sleep(pause)
                pause = min(1.2 * pause, POLL[1])
                continue
            pause = POLL[0]
            self._train(trial)
            if growth.after_trial():
                log.warning("this process has taken twice the memory of its first trials, and begins anew")
                return True
        raise Interrupted("interrupted; the same command continues")

    def _place(self, data: Data) -> None:
        """Note where the data is while the built-in loop trains on it."""
        if self.study.spec.trainer.kind == "loop":
            return
        from trainers.training.ready import fits_on_device

        self.facts = {**self.facts, PLACED: "on the device" if fits_on_device(data) else "streamed"}

    def _train(self, trial: OwnedTrial) -> None:
        log.info("trial %d %s", trial.number, f"resumed after epoch {trial.epoch}" if trial.adopted else "begins")
        folder = places.checkpoints(self.state, self.study.name, trial.number)
        if not trial.adopted:
            shutil.rmtree(folder, ignore_errors=True)  # what a deleted study of this name has left
        run = LiveRun(trial, self.claims, self.shutdown, folder, lambda: self.data)
        parameters = Watched(trial.parameters)
        started = time.monotonic()
        try:
            with watched(self.study.spec.budget.trial_time, run.busy, partial(self._overdue, trial, folder)):
                result = self._result(parameters, run)
            self._end(trial, run, result, time.monotonic() - started)
        except Superseded:
            log.warning("trial %d went to another worker while this one was cut off", trial.number)
            return
        except (InputError, DiskFull):
            trial.leave()  # not its fault: once the file, the data, the trainer or the disk is put right, it goes on
            raise
        if run.end != "stopped":
            log.info("%s%d: %s", TRIAL_MARK, trial.number, trial.outcome)
            shutil.rmtree(folder, ignore_errors=True)
        if trial.outcome == "complete" or (trial.outcome == "infeasible" and run.end is None):
            self._warn_of_unread(parameters)
        if trial.outcome == "user":
            self._give_up_if_hopeless()

    def _overdue(self, trial: OwnedTrial, folder: Path) -> None:
        """Record a trial whose trainer doesn't come back."""
        log.warning("trial %d: the trainer hasn't come back in budget.trial_time; the worker starts anew", trial.number)
        trial.facts = dict(self.facts)
        trial.fail("timeout", "the trainer did not come back to run.report within budget.trial_time")
        shutil.rmtree(folder, ignore_errors=True)

    def _result(self, parameters: Watched, run: LiveRun) -> Mapping[str, float] | Exception:
        """Train; return the metrics, or what ended the trial."""
        try:
            result = self.trainer(parameters, run)
        except (Superseded, SearchError):
            raise
        except DataLost as error:
            raise InputError(str(error)) from error
        except Exception as error:
            _expect_room(error)
            return error
        except SystemExit as error:
            return RuntimeError(f"the trainer called sys.exit({error.code!r})")
        return _metrics(result) if run.end is None else TrialOver(run.end)

    def _end(self, trial: OwnedTrial, run: LiveRun, result: Mapping[str, float] | Exception, seconds: float) -> None:
        if run.end == "stopped":
            trial.leave()
            return
        trial.facts = {**self.facts, "train_seconds": round(seconds, 3)}
        if run.end == "timeout":
            trial.fail("timeout", f"the trial took longer than budget.trial_time, {seconds:.0f} s")
        elif run.end == "infeasible":
            trial.reject(run.costs)
        elif run.end is not None:
            trial.prune(run.end)
        elif isinstance(result, Exception):
            trial.fail(runtime.failure(result), _told(result))
        else:
            self._complete(trial, run, result)

    def _complete(self, trial: OwnedTrial, run: LiveRun, result: Mapping[str, float]) -> None:
        metrics = {**trial.metrics, **run.costs, **result}
        values = self._wanted("objective", run.objectives, metrics)
        constrained = self._wanted("constraints", run.constraints, metrics)
        if not all(math.isfinite(value) for value in (*values, *constrained)):
            trial.fail("nan", f"the trainer returned {dict(metrics)}")
            return
        if run.save is None or trial.infeasible(metrics) or not self._is_among_the_best(values):
            trial.complete(values, metrics)
            return
        try:
            models.save(self.state, self.study.name, trial.number, run.save)
        except Exception as error:  # of the trainer's own function
            _expect_room(error)
            trial.fail(runtime.failure(error), _told(error))
            return
        trial.complete(values, metrics)
        self._sweep()

    def _wanted(
        self, what: Literal["objective", "constraints"], names: Sequence[str], metrics: Mapping[str, float]
    ) -> list[float]:
        """Return the metrics that the file names. Raises InputError if the trainer has reported one of them nowhere."""
        for name in names:
            if name not in metrics:
                raise InputError(missing(what, name, metrics))
        return [metrics[name] for name in names]

    def _is_among_the_best(self, values: Sequence[float]) -> bool:
        known = [list(trial.values) for trial in self.study.storage.again(lambda: best(self.study))]
        return models.worth_keeping(self.study.spec, values, known)

    def _sweep(self) -> None:
        sweep(self.state, self.study.storage.again(lambda: look(self.study)))

    def _warn_of_unread(self, parameters: Watched) -> None:
        """Tell once per worker which parameters nobody read; kept with the study for whoever watches."""
        unread = [path for path in parameters.unread() if not _is_fixed(self.study.spec.space, path)]
        if self.warned or not unread:
            return
        self.warned = True
        log.warning("never read by the trainer, so searched in vain: %s", ", ".join(unread))
        self.study.storage.again(lambda: self.study.handle.set_user_attr(UNREAD, unread))

    def _gave_up(self) -> None:
        """Remove what a trial that was given up as crashed has left: nobody trains it, so nobody else does."""
        self._sweep()
        self._give_up_if_hopeless()

    def _give_up_if_hopeless(self) -> None:
        """Stop the study when it has only ever failed, and the last failures are one and the same."""
        ended = [trial for trial in self.study.storage.again(lambda: look(self.study)).all if trial.ended]
        last = ended[-SAME_ERRORS:]
        enough = len(last) >= min(SAME_ERRORS, self.study.spec.budget.trials)
        alike = len({_signature(trial.error or "") for trial in last}) == 1
        if enough and alike and all(trial.reason in ("user", "crashed") for trial in ended):
            raise Aborted(
                f"study {self.study.name!r}: {count(len(last), 'trial')} failed with the same error, none succeeded\n"
                + textwrap.indent(last[-1].error or "", "    ")
            )


def _is_fixed(space: Map, path: str) -> bool:
    """Tell whether what stands at a dotted path of a trial's parameters is the same in all trials."""
    node: Node | None = space
    for key in path.split("."):
        if isinstance(node, Fixed):
            return True
        node = node.items.get(key) if isinstance(node, Map) else None
    return isinstance(node, Fixed | Map) and size(node) == 0


def _expect_room(error: Exception) -> None:
    """Raise DiskFull if that is what the error comes from."""
    if is_full(error):
        happened = f"{FULL_MARK}: {textwrap.shorten(str(error), 300)}"
        way_out = "Make room and give the same command again; the trial goes on from its last checkpoint."
        raise DiskFull(happened, way_out) from error


def _told(error: Exception) -> str:
    """Return the traceback without our own frame above the trainer's."""
    below = error.__traceback__.tb_next if error.__traceback__ is not None else None
    return "".join(traceback.format_exception(type(error), error, below))[-8000:]


def _metrics(result: Any) -> Mapping[str, float] | Exception:
    """Return what the trainer returned, as numbers; or what is wrong with it."""
    try:
        return {str(name): float(value) for name, value in (result or {}).items()}
    except (AttributeError, TypeError, ValueError):
        return TypeError(f"the trainer returned {result!r:.200}; expected metrics by name, such as {{'loss': 0.5}}")


def _signature(error: str) -> tuple[str, ...]:
    """Return where and as what an error was raised; its text may hold values that differ from trial to trial."""
    places = re.findall(r'^  File ".*", line \d+', error, re.MULTILINE)
    kinds = re.findall(r"^[A-Za-z_][\w.]*(?=:|$)", error, re.MULTILINE)
    return *places[-1:], *kinds[-1:]

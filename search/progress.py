"""Live progress of a run: a table that changes in place on a terminal, plain lines elsewhere."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from search.study.history import ENDS, Snapshot, TrialView
from search.text import count, duration, number


def headline(now: Snapshot, seconds_left: float | None) -> str:
    """Return one line: trials done of the budget, best so far, time left."""
    parts = [f"{now.finished}/{now.trials} trials"]
    counts = now.counts
    ends = [f"{counts[state]} {state}" for state in ENDS if counts[state]]
    if now.infeasible:
        ends.append(f"{now.infeasible} infeasible")
    if ends:
        parts.append(", ".join(ends))
    if now.best:
        parts.append(f"best {values(now, now.best[0])} (trial {now.best[0].number})")
    elif now.infeasible:
        parts.append("none keeps the constraints yet")
    if seconds_left is not None:
        parts.append(f"about {duration(seconds_left)} left")
    return " · ".join(parts)


def values(now: Snapshot, trial: TrialView) -> str:
    """Return a trial's objectives with their names: `val_accuracy 0.9861`."""
    given = trial.values or tuple(trial.metrics.get(metric, float("nan")) for metric in now.metrics)
    return ", ".join(f"{metric} {number(value)}" for metric, value in zip(now.metrics, given, strict=False))


def trial_line(now: Snapshot, trial: TrialView) -> str:
    """Return one line about a trial that ended."""
    what = trial.state if trial.reason in (None, trial.state) else f"{trial.state} ({trial.reason})"
    shown = [f"trial {trial.number} {what}"]
    if trial.values or trial.metrics:
        shown.append(values(now, trial))
    shown += trial.broken
    shown.append(f"{count(trial.epoch, 'epoch')}, {duration(trial.seconds)}")
    if trial.error:
        shown.append(reason(trial.error))
    return " · ".join(shown)


def reason(error: str) -> str:
    """Return what an error says, of a traceback or a line, on one line of at most 200 characters."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", error).strip().splitlines()
    begins = max((at for at, line in enumerate(lines) if line.startswith("Traceback (")), default=None)
    told = len(lines) - 1 if begins is None else begins + 1
    while told < len(lines) - 1 and lines[told].startswith(" "):  # the stack
        told += 1
    text = " ".join(" ".join(lines[told:]).split())
    return text if len(text) <= 200 else f"{text[:199]}…"


def time_left(now: Snapshot, finished_before: int, elapsed: float) -> float | None:
    """Estimate the seconds that are left from the pace of this run; None before the first end, and at the last."""
    done = now.finished - finished_before
    if done <= 0 or elapsed <= 0.0 or now.finished >= now.trials:
        return None
    left = (now.trials - now.finished) * elapsed / done
    return left if now.time is None else min(left, max(0.0, now.time - now.spent))


@dataclass
class Progress:
    """Shows snapshots of a study, and lines in between. Used as a context manager."""

    before: Snapshot
    console: Console = field(default_factory=lambda: Console(file=sys.stdout, highlight=False, soft_wrap=True))
    began: float | None = None  # when the first trial was seen in training: the start of workers says nothing
    shown: set[int] = field(default_factory=set)
    live: Live | None = None

    def __enter__(self) -> Progress:
        self.shown = {trial.number for trial in self.before.all if trial.ended}
        if self.console.is_terminal:
            self.live = Live(console=self.console, refresh_per_second=4, transient=True)
            self.live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.live is not None:
            self.live.__exit__(kind, error, traceback)

    def show(self, now: Snapshot) -> None:
        """Show the state of the study: new ends as lines, what runs as a table on a terminal."""
        if self.began is None and now.running:
            self.began = time.monotonic()
        left = time_left(now, self.before.finished, time.monotonic() - (self.began or time.monotonic()))
        fresh = [trial for trial in now.all if trial.ended and trial.number not in self.shown]
        self.shown |= {trial.number for trial in fresh}
        for trial in fresh:
            self.say([trial_line(now, trial)])
        if self.live is not None:
            self.live.update(Group(Text(headline(now, left), style="bold"), _running(now)))
        elif fresh:
            self.say([f"  {headline(now, left)}"])

    def say(self, lines: Iterable[str]) -> None:
        """Print lines above whatever is live."""
        for line in lines:
            self.console.print(Text(line))


def _running(now: Snapshot) -> Table:
    table = Table.grid(padding=(0, 2))
    for trial in now.running:
        table.add_row(
            f"  trial {trial.number}",
            f"epoch {trial.epoch}/{now.epochs}",
            values(now, trial) if trial.metrics else "starting",
            duration(trial.seconds),
        )
    return table

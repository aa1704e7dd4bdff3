"""The worker processes of one `run`: started in their places, watched, restarted, stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from search.devices import Place
from search.errors import Aborted, InputError, SearchError, StorageUnavailable

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds before a crashed worker is started again
STEADY = 120.0  # seconds after which a worker's crashes count from one again, as they do once it has ended a trial
CRASHES_ALLOWED = 5  # quick crashes of one worker before it is given up, and the search with the last one
ERROR_MARK = "search: error: "  # how a worker begins the message that ends it
FULL_MARK = "the disk is full"  # how a worker begins to tell of that
TRIAL_MARK = "ended trial "  # what a worker logs about each trial that it has brought to an end

# Done isn't 0: a trainer may end the process with that.
DONE, ABORTED, WRONG_INPUT, UNAVAILABLE, INTERRUPTED = 100, 1, 2, 75, 130


@dataclass
class _Slot:
    place: Place
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    offset: int = 0
    crashes: int = 0
    due: float | None = 0.0  # when to start it next; None: never again


@dataclass
class Launcher:
    """Starts one worker per place with its own environment, and looks after them. Knows processes, nothing else.

    A worker warms up, then waits for a line on its standard input: the word that there is a study to join.
    """

    study: str
    places: Sequence[Place]
    logs: Path
    environment: Mapping[str, str] = field(repr=False)
    keras: bool = False  # whether they will need Keras for certain
    begun: bool = False  # whether there is a study to join
    slots: list[_Slot] = field(default_factory=list)
    stopping: bool = False

    def warm(self) -> None:
        """Start every worker already, before it is known where the study is: importing Keras takes seconds."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self.slots = [_Slot(place, self.logs / f"run-{os.getpid()}-worker-{place.rank}.log") for place in self.places]
        for slot in self.slots:
            self._start(slot)

    def start(self) -> None:
        """Let every worker join the study, those that come later too."""
        self.begun = True
        if not self.slots:
            self.warm()
        for slot in self.slots:
            self._begin(slot)

    def tend(self) -> list[str]:
        """Notice workers that ended, start those that are due; return what a person should know.

        Raises InputError, Aborted or StorageUnavailable with a worker's own words when it ended for such a reason.
        """
        told: list[str] = []
        for slot in self.slots:
            if slot.process is not None and slot.process.poll() is not None:
                told += self._ended(slot, slot.process.returncode)
            if slot.process is None and slot.due is not None and not self.stopping and time.monotonic() >= slot.due:
                self._start(slot)
        return told

    @property
    def alive(self) -> bool:
        """True while a worker runs, or is to be started again."""
        return any(slot.process is not None or (slot.due is not None and not self.stopping) for slot in self.slots)

    def wait(self, seconds: float) -> None:
        """Wait, but no longer than until a worker ends, or all have ended for good."""
        deadline = time.monotonic() + seconds
        while self.alive and time.monotonic() < deadline:
            if any(slot.process is not None and slot.process.poll() is not None for slot in self.slots):
                return
            time.sleep(0.02)

    def stop(self) -> None:
        """Ask every worker to checkpoint and leave."""
        self.stopping = True
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End every worker now, and wait until it is gone."""
        self.stopping = True
        self._signal(signal.SIGKILL)
        for slot in self.slots:
            if slot.process is not None:
                slot.process.wait()
                _close(slot.process)
                slot.process = None
            if not self.begun:
                slot.log.unlink(missing_ok=True)  # there was nothing to do, so there is nothing to tell

    def pids(self) -> list[int]:
        """Return the process ids of the workers that run."""
        return [slot.process.pid for slot in self.slots if slot.process is not None]

    def _start(self, slot: _Slot) -> None:
        words = [f"--parent={os.getpid()}", f"--warm={'keras' if self.keras else 'loop'}", "--", self.study]
        # A segfault leaves its traceback in the log.
        command = [sys.executable, "-X", "faulthandler", "-m", "search", "worker", *words]
        with slot.log.open("ab") as log:
            slot.offset = log.tell()
            slot.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**self.environment, **slot.place.environment},
                start_new_session=True,  # the terminal's Ctrl-C reaches the launcher alone, which then asks the workers
            )
        slot.started, slot.due = time.monotonic(), None
        if self.begun:
            self._begin(slot)

    def _begin(self, slot: _Slot) -> None:
        pipe = slot.process.stdin if slot.process is not None else None
        if pipe is not None and not pipe.closed:
            with suppress(BrokenPipeError), pipe:  # one that has ended is noticed by `tend`
                pipe.write(b"\n")

    def _ended(self, slot: _Slot, code: int) -> list[str]:
        if slot.process is not None:
            _close(slot.process)
        slot.process = None
        name = f"worker {slot.place.rank}"
        if self.stopping or code in (DONE, INTERRUPTED):
            return []
        errors: dict[int, type[SearchError]] = {
            ABORTED: Aborted,
            WRONG_INPUT: InputError,
            UNAVAILABLE: StorageUnavailable,
        }
        quick = time.monotonic() - slot.started <= STEADY
        # A worker that finds no storage as it starts may have met an outage, which those that run wait out; and
        # somebody may make room on a disk that is full.
        passing = quick or FULL_MARK in self._last_words(slot)
        if code in errors and not (code == UNAVAILABLE and passing and slot.crashes < CRASHES_ALLOWED):
            raise errors[code](self._last_words(slot) or f"{name} ended with exit code {code}; see {slot.log}")
        slot.crashes = slot.crashes + 1 if quick and TRIAL_MARK not in self._said(slot) else 1
        if slot.crashes > CRASHES_ALLOWED:
            crashed = f"{name} crashed {slot.crashes} times in a row ({_cause(code)})"
            if self.alive:  # its device may be broken; the others go on
                return [f"{crashed} and is given up; log: {slot.log}"]
            raise Aborted(f"{crashed}; see {slot.log}")
        pause = min(FIRST_PAUSE * 2 ** (slot.crashes - 1), LONGEST_PAUSE)
        slot.due = time.monotonic() + pause
        because = f": {self._last_words(slot)}" if code == UNAVAILABLE else ""
        return [f"{name} ended ({_cause(code)}{because}); it starts again in {pause:.0f} s; log: {slot.log}"]

    def _last_words(self, slot: _Slot) -> str:
        _, mark, words = self._said(slot).rpartition(ERROR_MARK)
        return words.strip() if mark else ""

    def _said(self, slot: _Slot) -> str:
        """Return what the worker has logged since its last start."""
        with slot.log.open("rb") as log:
            log.seek(slot.offset)
            return log.read().decode("utf-8", "replace")

    def _signal(self, number: signal.Signals) -> None:
        for slot in self.slots:
            if slot.process is not None and slot.process.poll() is None:
                slot.process.send_signal(number)


def _close(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()


def _cause(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"

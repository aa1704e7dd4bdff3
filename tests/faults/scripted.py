"""A training loop that follows a script, so that a test says in a line what happens to which trial, and when.

It is copied into a project as `train.py` and needs no TensorFlow: a worker of it is there in a second. Beside it lies
`script`, a line for each step: the trial, the epoch (`*`: any, `end`: after the last), perhaps `once`, what, with what.

    *  *  sleep 0.02
    1  2  once segfault
    *  *  checkpoint
    *  *  report

Each trial does the steps of an epoch in the order of the file. Its weights are a sum over all epochs: one that is left
out or trained twice shows in the result.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainers.training import checkpoint

HERE = Path(__file__).parent
POLL = 0.01  # seconds between two looks for an event


@dataclass
class Moment:
    """Where a trial stands: its run, the epoch that it is in, what it has learnt."""

    run: Any
    epoch: int
    weights: Any

    @property
    def loss(self) -> float:
        return float(self.weights.mean())


def train(params: Mapping[str, Any], run: Any) -> dict[str, float]:
    """Follow the script from the newest checkpoint on."""
    state = checkpoint.load(run.folder)
    now = Moment(run, state.epoch, state.arrays["weights"]) if state else Moment(run, 0, np.zeros(4))
    if state is not None:
        run.report(now.epoch, loss=now.loss)
    for epoch in range(now.epoch + 1, run.epochs + 1):
        note(run, epoch)
        now.epoch, now.weights = epoch, learnt(now.weights, params["x"])
        act(now, str(epoch))
    act(now, "end")
    return {"loss": now.loss}


def learnt(weights: Any, x: float) -> Any:
    """One epoch more."""
    return weights / 2 + x


def act(now: Moment, epoch: str) -> None:
    """Do what the script says of this trial and epoch."""
    for place, line in enumerate((HERE / "script").read_text().splitlines()):
        words = line.split()
        if not words or words[0] not in ("*", str(now.run.number)):
            continue
        if words[1] != epoch and (words[1] != "*" or epoch == "end"):
            continue
        words = words[2:]
        if words[0] == "once":
            try:
                (HERE / f"once-{place}-{now.run.number}").touch(exist_ok=False)
            except FileExistsError:
                continue
            words = words[1:]
        STEPS[words[0]](now, " ".join(words[1:]))


def note(run: Any, epoch: int) -> None:
    """Write down who began which epoch."""
    with (HERE / "journal").open("a") as journal:
        journal.write(json.dumps({"number": run.number, "epoch": epoch, "pid": os.getpid()}) + "\n")


def save(now: Moment, _: str) -> None:
    checkpoint.save(now.run.folder, checkpoint.State(now.epoch, {"loss": now.loss}, {"weights": now.weights}))


def report(now: Moment, value: str) -> None:
    now.run.report(now.epoch, loss=float(value or now.loss))


def wait(_: Moment, event: str) -> None:
    while not (HERE / event).exists():
        time.sleep(POLL)


def fail(_: Moment, text: str) -> None:
    raise RuntimeError(text)


def limit(_: Moment, megabytes: str) -> None:
    """Let this process have so much more memory, as a host's limit does."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + int(megabytes) * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def hang(_: Moment, __: str) -> None:
    while True:
        time.sleep(3600)


STEPS: dict[str, Callable[[Moment, str], object]] = {
    "sleep": lambda _, seconds: time.sleep(float(seconds)),
    "tell": lambda _, event: (HERE / event).touch(),
    "wait": wait,
    "checkpoint": save,
    "report": report,
    "keep": lambda now, text: now.run.keep(lambda path: path.write_text(text)),
    "log": lambda _, text: logging.getLogger("script").warning(text),
    "fail": fail,
    "leave": lambda _, code: sys.exit(int(code)),
    "exit": lambda _, code: os._exit(int(code)),
    "segfault": lambda _, __: ctypes.string_at(0),
    "kill": lambda _, name: os.kill(os.getpid(), signal.Signals[name]),
    "limit": limit,
    "allocate": lambda _, megabytes: bytearray(int(megabytes) * 2**20),
    "hang": hang,
}


def expected(x: float, epochs: int) -> Iterator[float]:
    """The loss after each epoch of an undisturbed trial."""
    weights = np.zeros(4)
    for _ in range(epochs):
        weights = learnt(weights, x)
        yield float(weights.mean())

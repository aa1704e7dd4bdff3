"""A project with a trainer that needs no Keras and does what a test says; what it did is read from its journal."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import commands
import psutil
import psycopg2

TRAINER = """
import ctypes, json, os, threading, time
from pathlib import Path

HERE = Path(__file__).parent


def tell(run, epoch):
    with (HERE / "journal").open("a") as journal:
        journal.write(json.dumps({"number": run.number, "epoch": epoch, "pid": os.getpid()}) + "\\n")


def train(params, run):
    checkpoint = run.folder / "epoch"
    done = int(checkpoint.read_text()) if checkpoint.exists() else 0
    loss = (params["x"] - 0.3) ** 2
    if done:
        run.report(done, loss=loss + 1 / done)
    for epoch in range(done + 1, run.epochs + 1):
        BODY
        tell(run, epoch)
        checkpoint.write_text(str(epoch))
        run.report(epoch, loss=loss + 1 / epoch)
    return {"loss": loss}
"""

SPACE = """
study: STUDY
trainer: train.py:train
objective: {minimize: loss}
budget: {trials: TRIALS, epochs: EPOCHS}
algorithm: {sampler: random, pruner: none, seed: 7}
space: {x: {float: [0.0, 1.0], prior: 0.5}}
"""

# Real models, of the built-in trainer, that take a moment.
DIGITS = """
study: STUDY
trainer: image
data: {source: digits}
objective: {maximize: val_accuracy}
budget: {trials: TRIALS, epochs: EPOCHS}
algorithm: {sampler: random, pruner: none, seed: 7}
space:
  optimizer: adam
  learning_rate: {float: [1e-3, 1e-2], log: true, prior: 3e-3}
  batch_size: 128
  layers:
    repeat: [1, 1]
    each: {filters: 8}
"""

SOON = 40.0  # seconds after which something that should happen soon counts as not happening


@dataclass
class Toy:
    """A project folder, its study, and the processes that the test started in it."""

    folder: Path
    study: str
    env: Mapping[str, str] = field(default_factory=dict)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def write(self, body: str = "time.sleep(0.02)", trials: int = 4, epochs: int = 3, space: str = SPACE) -> None:
        """Write the space file and the trainer; `body` runs in each epoch."""
        given = {"STUDY": self.study, "TRIALS": str(trials), "EPOCHS": str(epochs)}
        for word, value in given.items():
            space = space.replace(word, value)
        (self.folder / "space.yaml").write_text(space)
        (self.folder / "train.py").write_text(TRAINER.replace("BODY", body.replace("\n", "\n        ")))

    def run(self, *arguments: str, timeout: float = 90, env: Mapping[str, str] | None = None) -> Any:
        """Run `search run space.yaml ARGUMENTS` to its end."""
        return commands.run(["run", "space.yaml", *arguments], self.folder, timeout, {**self.env, **(env or {})})

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command, `run space.yaml` if none is named."""
        command = arguments or ["run", "space.yaml", "--workers", "2"]
        self.started.append(commands.start(command, self.folder, self.env))
        return self.started[-1]

    def journal(self) -> list[dict[str, int]]:
        """Return what was trained: number, epoch, pid."""
        path = self.folder / "journal"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]  # the last one may be in the making

    def trained(self, **wanted: int) -> list[dict[str, int]]:
        """Return the entries of the journal that fit."""
        return [entry for entry in self.journal() if wanted.items() <= entry.items()]

    def processes(self) -> list[psutil.Process]:
        """Return our processes that live in the folder."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.cwd() == str(self.folder) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def logs(self) -> str:
        """Return all that is written below the state folder's logs."""
        state = Path(self.env.get("SEARCH_STATE", self.folder / ".search"))
        return "\n".join(path.read_text() for path in sorted((state / "logs" / self.study).glob("*.log")))


@contextmanager
def toy(folder: Path, study: str, env: Mapping[str, str] | None = None) -> Iterator[Toy]:
    """Give a project; afterwards none of its processes is left."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Toy(folder.resolve(), study, env or {})
    try:
        yield made
    finally:
        for process in made.processes():
            with suppress(psutil.Error):
                process.kill()
        for started in made.started:
            with started:
                started.kill()


def soon(what: Callable[[], Any], patience: float = SOON) -> Any:
    """Return what `what` returns once it is true."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.01)
    raise AssertionError(f"did not happen within {patience} s")


def ended(process: subprocess.Popen[str], patience: float = SOON) -> tuple[int, str, str]:
    """Return the exit code, the output and the errors of a process that ends soon."""
    out, err = process.communicate(timeout=patience)
    return process.returncode, out, err


def interrupt(process: subprocess.Popen[str]) -> None:
    """Press Ctrl-C."""
    process.send_signal(signal.SIGINT)


def rows(url: str, query: str, *arguments: object) -> list[Sequence[Any]]:
    """Ask the database."""
    connection = psycopg2.connect(url.replace("postgresql+psycopg2://", "postgresql://", 1))
    try:
        with connection.cursor() as cursor:
            cursor.execute(query, arguments)
            return list(cursor.fetchall())
    finally:
        connection.close()


def trials(url: str, study: str) -> list[tuple[int, str]]:
    """Return the number and state of every trial of a study."""
    query = "SELECT number, state::text FROM trials JOIN studies USING (study_id) WHERE study_name = %s ORDER BY number"
    return [(number, state) for number, state in rows(url, query, study)]


def epochs(url: str, study: str) -> list[tuple[int, int]]:
    """Return the number and epoch of everything that was recorded."""
    query = """SELECT DISTINCT number, epoch
               FROM search_epochs JOIN trials USING (trial_id) JOIN studies USING (study_id)
               WHERE study_name = %s ORDER BY number, epoch"""
    return [(number, epoch) for number, epoch in rows(url, query, study)]

"""Real workers in processes of their own, each killed at its n-th moment: before a statement, a commit, a file."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

import optuna.samplers  # noqa: F401 (loaded once here, and not in each worker)
import sqlalchemy
from claimers import spec_of
from optuna.storages import RDBStorage
from sqlalchemy import event

from search import places
from search import worker as workers
from search.shutdown import Shutdown
from search.study.claim import Claims
from search.study.storage import open_storage
from search.study.study import load, open_study
from search.study.trial import OwnedTrial
from search.worker import Worker

GRACE = 0.0  # instead of three seconds: nobody is reconnecting here
FILES = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir")
KILLED = -signal.SIGKILL

SPACE = """
study: NAME
trainer: train.py:train
objective: {minimize: loss}
budget: {trials: TRIALS, epochs: 2}
algorithm: {sampler: random, pruner: median, seed: 3}
space: {x: {float: [0.0, 1.0], prior: 0.5}, y: {choice: [a, b]}}
"""

# Its checkpoint may be newer than what was recorded, so it reports the epoch again that it goes on from.
TRAINER = """
import os

def train(params, run):
    _ = params["y"]
    checkpoint = run.folder / "epoch"
    done = int(checkpoint.read_text()) if checkpoint.exists() else 0
    if done:
        run.report(done, loss=params["x"] + 1 / done)
    for epoch in range(done + 1, run.epochs + 1):
        aside = run.folder / "epoch.part"
        with open(aside, "w") as file:
            file.write(str(epoch))
        os.replace(aside, checkpoint)
        run.report(epoch, loss=params["x"] + 1 / epoch)
    return {"loss": params["x"]}
"""


# It has a model too, which is saved before the trial ends.
KEEPING = TRAINER.replace("    return", "    run.keep(lambda path: path.write_text(str(run.number)))\n    return")


def live(url: str, name: str, state: Path, last: int) -> list[str]:
    """Work until nothing is left and return the moments there were; die by SIGKILL at the moment `last`, from 1."""
    storage = open_storage(url, "search-worker")
    study = load(storage, name)
    worker = Worker(study, state, Shutdown())
    claims = worker.__dict__["claims"] = Claims(study, GRACE)
    _ = worker.trainer
    moments: list[str] = []
    claim = claims.next

    def claimed() -> OwnedTrial | str:
        """Claim, and don't count what was in vain: how often depends on how fast the server notices a death."""
        before = len(moments)
        if (found := claim()) == "wait":
            del moments[before:]
        return found

    def moment(what: str) -> None:
        moments.append(what)
        if len(moments) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(what: str, arguments: tuple[Any, ...]) -> None:
        if what in FILES and str(arguments[0]).startswith(str(state)):
            moment(f"{what} {Path(arguments[0]).name}")

    claims.next = claimed  # type: ignore[method-assign, assignment]
    event.listen(sqlalchemy.Engine, "before_cursor_execute", lambda *given: moment(" ".join(given[2].split())[:50]))
    event.listen(sqlalchemy.Engine, "commit", lambda *_: moment("commit"))
    sys.addaudithook(audit)
    study.join()
    worker.work()
    lived = list(moments)
    storage.close()
    return lived


def lane(url: str, folder: Path, trials: int, deaths: dict[str, Sequence[int]], pipe: Connection) -> None:
    """Let workers live and die in one study after another: one for each death, and one that ends the study.

    Sends, by study, the exit codes of the others, the last one's with its moments, and the files that are left.
    """
    workers.POLL = 0.02, 0.02
    head = RDBStorage("sqlite://").get_head_version()  # from files, a fifth of a worker's time
    RDBStorage.get_head_version = lambda _: head  # type: ignore[method-assign]
    spec = SPACE.replace("TRIALS", str(trials))
    storage = open_storage(url, "test")
    for name in deaths:
        open_study(storage, spec_of(spec.replace("NAME", name), folder))
    storage.close()
    told = {}
    for name, lasts in deaths.items():
        state = folder / name
        codes = [_forked(partial(live, url, name, state, last))[0] for last in lasts]
        code, moments = _forked(partial(live, url, name, state, 0))
        told[name] = (codes, code, moments, _left(state, name))
        shutil.rmtree(state, ignore_errors=True)
    pipe.send(told)


def _left(state: Path, name: str) -> list[str]:
    """The checkpoints' folders and the files that are left of a study."""
    checkpoints = places.checkpoints(state, name, 0).parent.glob("*")
    return sorted(path.name for path in (*checkpoints, *(path for path in state.rglob("*") if path.is_file())))


def _forked(work: Callable[[], list[str]]) -> tuple[int, list[str]]:
    """Work in a process of its own; return how it ended (a signal's number is negative), and what it returned."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _work(work, write)
    os.close(write)
    with os.fdopen(read) as answer:
        said = answer.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.splitlines()


def _work(work: Callable[[], list[str]], write: int) -> NoReturn:
    try:
        answer = "\n".join(work()).encode()
        with os.fdopen(write, "wb") as pipe:
            pipe.write(answer)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    os._exit(1)

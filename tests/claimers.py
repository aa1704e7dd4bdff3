"""Workers without a trainer, as real processes that can be killed: they claim trials and do what a test says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

from search.study import claim, trial
from search.study.claim import Claims
from search.study.storage import open_storage
from search.study.study import load
from search.study.trial import OwnedTrial
from spaces.parameters import draw
from spaces.reader import parse
from spaces.spec import StudySpec

# Forked from a clean process that has imported everything: a new one is there in a moment.
CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["claimers", "optuna.samplers", "optuna.storages"])

Moment = Literal["asked", "suggested", "reported"]
GRACE = 0.3


def spec_of(text: str, folder: Path | None = None) -> StudySpec:
    return parse(text, "space.yaml", folder or Path("/nowhere"))


SEEDED = "sampler: random, seed: 3"


def toy(name: str, trials: int = 4, epochs: int = 4, algorithm: str = SEEDED, x: str = "float: [0.0, 1.0]") -> str:
    """A space file with one number and a branch."""
    return f"""
study: {name}
trainer: train.py:train
objective: {{minimize: loss}}
budget: {{trials: {trials}, epochs: {epochs}}}
algorithm: {{{algorithm}}}
space:
  x: {{{x}}}
  kind:
    choice:
      a: {{y: {{int: [1, 9]}}}}
      b: {{}}
"""


def claimed(claims: Claims, patience: float = 20.0) -> OwnedTrial:
    """Claim a trial, waiting until there is one."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = claims.next()
        if isinstance(found, OwnedTrial):
            return found
        assert found == "wait", "the study is done"
        time.sleep(0.05)
    raise AssertionError("no trial could be claimed")


def trained(owned: OwnedTrial, epochs: int = 4, value: float | None = None) -> OwnedTrial:
    """Train to the end, as the pruner lets it."""
    value = owned.parameters["x"] if value is None else value
    for epoch in range(owned.epoch + 1, epochs + 1):
        owned.record(epoch, {"loss": value + 1 / epoch})
        if owned.should_prune():
            owned.prune()
            return owned
    owned.complete([value])
    return owned


def spend(url: str, name: str, numbers: Connection) -> None:
    """Train trials until nothing is left; send their numbers."""
    storage = open_storage(url, "claimer")
    study = load(storage, name)
    study.join()
    claims, mine = Claims(study, GRACE), []
    while (found := claims.next()) != "done":
        if isinstance(found, OwnedTrial):
            mine.append(trained(found, epochs=1).number)
        else:
            time.sleep(0.05)
    numbers.send(mine)


def hold(url: str, name: str, moment: Moment, pipe: Connection) -> None:
    """Claim a trial, tell when the moment has come, finish when told so."""
    storage = open_storage(url, "claimer")
    study = load(storage, name)
    study.join()
    if moment == "asked":
        claim.take = lambda *_: _wait(pipe)  # type: ignore[assignment]
    elif moment == "suggested":
        trial.draw = lambda space, suggest: draw(space, _Interrupted(suggest, pipe))  # type: ignore[assignment]
    owned = claimed(claim.Claims(study, GRACE))
    for epoch in (1, 2, 3):
        owned.record(epoch, {"loss": 1.0 / epoch})
    _wait(pipe, owned.parameters)
    trained(owned)
    pipe.send("done")


def _wait(pipe: Connection, told: Any = None) -> Any:
    pipe.send(told)
    return pipe.recv()


class _Interrupted:
    """Stands still after the first suggestion."""

    def __init__(self, suggest: Any, pipe: Connection) -> None:
        self._suggest, self._pipe = suggest, pipe

    def suggest_float(self, name: str, *bounds: float, **options: Any) -> Any:
        value = self._suggest.suggest_float(name, *bounds, **options)
        return _wait(self._pipe, {name: value})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._suggest, name)


@contextmanager
def process(target: Callable[..., None], *arguments: Any) -> Iterator[tuple[BaseProcess, Connection]]:
    """Run a function of this module in a process of its own, with a pipe as its last argument."""
    ours, theirs = CONTEXT.Pipe()
    child = CONTEXT.Process(target=target, args=(*arguments, theirs))
    child.start()
    theirs.close()
    try:
        yield child, ours
    finally:
        child.kill()
        child.join()
        ours.close()


def said(pipe: Connection, patience: float = 30.0) -> Any:
    """Return what the process sends."""
    assert pipe.poll(patience), "the process said nothing"
    return pipe.recv()

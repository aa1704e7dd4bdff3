"""Which of our processes work below a state folder, so that `stop` finds them."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from search import places

POLL = 0.05  # seconds between two looks at whether a process has ended


@contextmanager
def registered(state: Path, verb: str) -> Iterator[None]:
    """Leave this process' pid below the state folder while the block runs; what killed ones left there is removed."""
    places.make_private(state)
    running(state)
    path = places.processes(state) / f"{os.getpid()}.json"
    aside = path.with_suffix(".partial")  # whoever read it half-written would take us for dead and remove it
    aside.write_text(json.dumps({"verb": verb, "created": psutil.Process().create_time()}))
    aside.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def running(state: Path) -> list[tuple[psutil.Process, str]]:
    """Return the processes that are registered and alive, with their verbs; what a killed one left is removed."""
    found = []
    for path in sorted(places.processes(state).glob("*.json")):
        try:
            left = json.loads(path.read_text())
            process = psutil.Process(int(path.stem))
            alive = process.create_time() == left["created"] and _lives(process)
        except (psutil.NoSuchProcess, ValueError, KeyError, OSError):
            alive = False
        if alive:
            found.append((process, str(left["verb"])))
        else:
            path.unlink(missing_ok=True)
    for aside in places.processes(state).glob("*.partial"):
        if aside.stem.isdecimal() and not psutil.pid_exists(int(aside.stem)):
            aside.unlink(missing_ok=True)
    return found


def stop(state: Path, patience: float) -> tuple[int, int]:
    """Ask every process to leave, wait, kill those that don't; return how many left and how many were killed.

    A run asks its workers itself: a second signal would kill them before they have checkpointed.
    """
    found = [(process, verb) for process, verb in running(state) if process.pid != os.getpid()]
    runs = {process.pid for process, verb in found if verb == "run"}
    for process, verb in found:
        if verb != "worker" or _parent(process) not in runs:
            _signal(process, signal.SIGINT if verb == "run" else signal.SIGTERM)
    alive = _wait([process for process, _ in found], patience)
    for process in alive:
        _signal(process, signal.SIGKILL)
    _wait(alive, 10.0)
    return len(found) - len(alive), len(alive)


def _wait(processes: list[psutil.Process], patience: float) -> list[psutil.Process]:
    """Wait until all have ended, and return those that haven't in time."""
    deadline = time.monotonic() + patience
    while (alive := [process for process in processes if _lives(process)]) and time.monotonic() < deadline:
        time.sleep(POLL)
    return alive


def _lives(process: psutil.Process) -> bool:
    """Say whether the process runs; one that has ended but that nobody has asked about (a zombie) doesn't."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _parent(process: psutil.Process) -> int | None:
    try:
        return int(process.ppid())
    except psutil.NoSuchProcess:
        return None


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)

"""Our commands in processes that are forked from a warm one: what takes a second of a core is there in a moment.

A command that starts workers forks them too. All else is as it is: processes of their own with their own environment,
input, output and signals, that do what `python -m search` does.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, NoReturn

import optuna.samplers  # noqa: F401 (loaded once here, and not in each process)
from optuna.storages import RDBStorage

from search import cli, launcher, search, worker  # noqa: F401
from search.commands import run  # noqa: F401
from search.commands import worker as worker_command  # noqa: F401
from search.study.claim import Claims

OPEN_FILES = 1024
GRACE = 1.0  # instead of three seconds: a server on the same machine is found again sooner
POLL = 0.1  # instead of half a second between two looks for something to train


def command(words: Sequence[str], folder: Path, env: Mapping[str, str], told: Path) -> NoReturn:
    """Be `python -m search WORDS` in a folder, in a process that was forked for it."""
    head = RDBStorage("sqlite://").get_head_version()  # from files, a fifth of a worker's time
    RDBStorage.get_head_version = lambda _: head  # type: ignore[method-assign]
    worker.Claims = partial(Claims, grace=GRACE)  # type: ignore[misc, assignment]
    worker.POLL = POLL, POLL
    launcher.subprocess = SimpleNamespace(Popen=Forked, PIPE=subprocess.PIPE)  # type: ignore[attr-defined]
    os.chdir(folder)
    with told.open("ab") as output:
        _be(words, env, os.open(os.devnull, os.O_RDONLY), output.fileno())


class Forked:
    """As much of `subprocess.Popen` as the launcher needs."""

    def __init__(
        self, command: Sequence[str], stdin: int, stdout: IO[bytes], stderr: Any, env: Mapping[str, str], **_: Any
    ) -> None:
        self.returncode: int | None = None
        read, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            _be(command[command.index("search") + 1 :], env, read, stdout.fileno(), alone=True)
        os.close(read)
        self.stdin = os.fdopen(write, "wb")

    def poll(self) -> int | None:
        return self._ended(os.WNOHANG)

    def wait(self) -> int | None:
        return self._ended(0)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def _ended(self, how: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, how)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def _be(words: Sequence[str], env: Mapping[str, str], read: int, write: int, alone: bool = False) -> NoReturn:
    code = 3
    try:
        for given, place in ((read, 0), (write, 1), (write, 2)):
            os.dup2(given, place)
        if alone:
            os.closerange(3, OPEN_FILES)  # what the parent holds open is its own
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(i, "r" if i == 0 else "w", closefd=False) for i in range(3))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        logging.getLogger().handlers.clear()
        os.environ.clear()
        os.environ.update(env)
        code = cli.main(words, env)
        sys.stdout.flush()
    except SystemExit as error:
        code = int(error.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stderr.flush()
        finally:
            os._exit(code)

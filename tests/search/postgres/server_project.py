"""A state folder for a test, and processes that use its server."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from servers import processes_in

from search.postgres import server

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


class User:
    """A process that uses the embedded server; see server_user.py."""

    def __init__(self, state: Path, account: str | None, environment: dict[str, str] | None = None) -> None:
        command = [sys.executable, str(Path(__file__).with_name("server_user.py")), str(state)]
        self.process = subprocess.Popen(
            [*command, *([account] if account else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**ENVIRONMENT, **(environment or {})},
            start_new_session=True,
        )

    def said(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"ended with {self.process.wait()}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def tell(self, command: str) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        answer = self.said()
        return answer.get("answer", answer)

    def leave(self) -> int:
        """End as a program ends."""
        self._close()
        return self.process.wait(60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


@dataclass
class Project:
    """A state folder, and processes that use its server as one account."""

    folder: Path
    state: Path
    account: str | None
    users: list[User]

    def user(self, **environment: str) -> User:
        user = User(self.state, self.account, environment)
        self.users.append(user)
        return user

    def postmasters(self) -> list[psutil.Process]:
        """Return the servers; what they have just forked looks like them for a moment."""
        found = {}
        for process in processes_in(self.folder):
            with contextlib.suppress(psutil.Error):
                if "-D" in process.cmdline():
                    found[process.pid] = (process, process.ppid())
        return [process for process, parent in found.values() if parent not in found]


@contextlib.contextmanager
def new_project(folder: Path, account: str | None, name: str = "state") -> Iterator[Project]:
    if account:
        os.chown(folder, pwd.getpwnam(account).pw_uid, -1)
    project = Project(folder, folder / name, account, [])
    try:
        yield project
    finally:
        for user in project.users:
            user.kill()
        with contextlib.suppress(Exception):
            server.stop(project.state)


def skip_unless_ordinary_possible(account: str | None) -> None:
    if account is None:
        return
    if os.geteuid() != 0:
        pytest.skip("not root, so the tests as the current user are the tests as an ordinary user")
    try:
        pwd.getpwnam(account)
    except KeyError:
        pytest.skip(f"there is no account {account}")

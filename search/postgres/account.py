"""As whom does the embedded server run? As ourselves; PostgreSQL refuses root, so root hands it to another account."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from search.errors import InputError, StorageUnavailable

_SERVICE_ACCOUNTS = ("postgres", "nobody")

# PGDATA, PGPORT and their like must not reach the server, so it gets an environment of its own.
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}


@dataclass(frozen=True)
class Account:
    """An account of the operating system; `switch` says that we are root and have to become it."""

    uid: int
    gid: int
    name: str
    switch: bool


def choose(data: Path, user: str | None) -> Account:
    """Return the account that the server with this data folder runs as.

    As root that is the folder's owner if it exists, else `user`, else postgres or nobody; `user` is for root alone.
    Raises InputError when there is no such account, or ours has no name.
    """
    if os.geteuid() != 0:
        return _ourselves()
    named = None if user is None else _named(user)
    owner = data.stat().st_uid if data.exists() else 0
    if owner == 0:
        return named or _service_account()
    if named is not None and named.uid != owner:
        raise InputError(
            f"{data} belongs to another account (uid {owner}) than {user!r}.",
            f"Leave out SEARCH_PG_USER, or give the folder to the account: chown -R {user} {data}",
        )
    return _entry(pwd.getpwuid(owner), switch=True)


def run(command: Sequence[str | Path], account: Account, folder: Path, timeout: float = 120) -> tuple[int, str]:
    """Run a program as the account, in `folder`, and return its exit code and all it said.

    In a session of its own, so that Ctrl-C at the terminal reaches neither it nor what it starts.
    """
    # Not a pipe: the server would keep it open, and we would wait for its end.
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=_ENVIRONMENT,
            cwd=folder,
            start_new_session=True,
            umask=0o077,
            user=account.uid if account.switch else None,
            group=account.gid if account.switch else None,
            extra_groups=[] if account.switch else None,
        )
        try:
            code = process.wait(timeout)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise StorageUnavailable(f"{command[0]} did not end within {timeout:.0f} seconds.") from None
            raise
        output.seek(0)
        return code, output.read().decode("utf-8", "replace").strip()


def reaches(account: Account, folder: Path) -> bool:
    """Whether the account can enter the folder: tried, not computed, so that access lists count too."""
    code, _ = run(["/bin/sh", "-c", 'cd -- "$0"', folder], account, Path("/"))
    return code == 0


def _ourselves() -> Account:
    uid = os.geteuid()
    try:
        return _entry(pwd.getpwuid(uid), switch=False)
    except KeyError:
        raise InputError(
            f"PostgreSQL can't run as uid {uid}: this system has no account with that number.",
            f"Add one (useradd --uid {uid} search; in a container, in its image), run as an existing account, or use a "
            "server of your own: --storage postgresql://…",
        ) from None


def _named(user: str) -> Account:
    try:
        account = _entry(pwd.getpwnam(user), switch=True)
    except KeyError:
        raise InputError(
            f"There is no account {user!r} on this system.", "Correct or leave out SEARCH_PG_USER."
        ) from None
    if account.uid == 0:
        raise InputError(
            f"PostgreSQL refuses to run as {user!r} (uid 0).", "Name an ordinary account in SEARCH_PG_USER."
        )
    return account


def _service_account() -> Account:
    for name in _SERVICE_ACCOUNTS:
        try:
            return _entry(pwd.getpwnam(name), switch=True)
        except KeyError:
            continue
    raise InputError(
        f"PostgreSQL refuses to run as root, and there is no account {' or '.join(_SERVICE_ACCOUNTS)} to run it as.",
        "Name an ordinary account in SEARCH_PG_USER, or run as an ordinary user.",
    )


def _entry(entry: pwd.struct_passwd, switch: bool) -> Account:
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name, switch)

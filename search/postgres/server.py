"""How does this process get the embedded server, and leave it? The last user that leaves stops it.

STATE/postgres/data        PostgreSQL's data
               socket      the Unix socket; there is no network port
               start.lock  held while somebody starts or stops the server
               users.lock  shared by every process that uses it; the kernel forgets those that are killed
               watcher.lock held by the process that stops it once all of them were killed
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shlex
import weakref
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from search.errors import InputError, SearchError, StorageUnavailable
from search.postgres import binaries as programs
from search.postgres import data, postmaster
from search.postgres.places import PORT, Places, locate, locked, share, unused
from search.postgres.postmaster import NAME, Answer
from search.postgres.programs import usable
from search.postgres.watcher import dismiss, watch_over
from trainers import full_disk

_LIVE: weakref.WeakSet[Server] = weakref.WeakSet()


class StoppedOnPurpose(StorageUnavailable):
    """Somebody gave `python -m search stop`: leave, rather than wait for the server to come back."""


class Server:
    """This process's share of the embedded server.

    url: for SQLAlchemy and Optuna. psql: a shell command that opens it.
    """

    def __init__(self, places: Places, binaries: Path, handle: int) -> None:
        where = f"host={quote(str(places.socket), safe='/')}&port={PORT}"
        self.url = f"postgresql+psycopg2://{NAME}@/{NAME}?{where}"
        self.folder = places.root
        program = binaries / "psql"
        uri = f"postgresql:///{NAME}?{where}&user={NAME}"
        self.psql = f"{shlex.quote(str(program)) if program.exists() else 'psql'} {shlex.quote(uri)}"
        self._places, self._binaries, self._handle = places, binaries, handle
        _LIVE.add(self)
        atexit.register(self.release)

    def release(self) -> bool:
        """Give up the share; return whether this stopped the server, since nobody else has one. Once is enough."""
        handle, self._handle = self._handle, -1
        if handle < 0:
            return False
        atexit.unregister(self.release)
        with contextlib.suppress(FileNotFoundError), locked(self._places.start_lock):
            os.close(handle)
            return _stop_if_unused(self._places)
        return False  # somebody has deleted the folder; the server notices that too

    def revive(self) -> None:
        """Start the server again if it has died; any number of users may call this at once.

        Raises StoppedOnPurpose after a `stop`, and StorageUnavailable when it can't be started.
        """
        with _explained(self._places.root), locked(self._places.start_lock):
            if self._places.stopped.exists():
                raise StoppedOnPurpose("The database was stopped on purpose.", "Give the same command again to go on.")
            _start(self._places, self._binaries)

    def _forget(self) -> None:
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)
            atexit.unregister(self.release)


def ensure(state: Path, *, binaries: Path | None = None, user: str | None = None) -> Server:
    """Start the server of this state folder, or attach to it, and take a share of it until `release` or our end.

    binaries: a folder with PostgreSQL's programs; found when None. user: the account that root runs it as.
    Raises InputError for what the user can change, StorageUnavailable when it can't be started now.
    """
    found = programs.find(binaries)
    with _explained(state):
        places = locate(state, user, create=True)
        with locked(places.start_lock):
            places.stopped.unlink(missing_ok=True)
            ready = usable(found, places.account)
            handle = share(places.users_lock)
            try:
                _start(places, ready)
            except BaseException:
                os.close(handle)
                with contextlib.suppress(OSError, SearchError):
                    _stop_if_unused(places)
                raise
    return Server(places, ready, handle)


def stop(state: Path, *, user: str | None = None) -> bool:
    """Stop the server of this state folder, whoever uses it; return whether one ran."""
    with _explained(state):
        places = locate(state, user, create=False)
        if not places.root.exists():
            return False
        with locked(places.start_lock):
            places.stopped.touch()
            return _stop(places)


def running(state: Path, *, user: str | None = None) -> bool:
    """Whether the server of this state folder takes connections now."""
    with _explained(state):
        places = locate(state, user, create=False)
        return places.root.exists() and postmaster.answer(places) is Answer.READY


def exists(state: Path, *, user: str | None = None) -> bool:
    """Whether this state folder has a database, running or not."""
    with _explained(state):
        return locate(state, user, create=False).data.exists()


def _start(places: Places, binaries: Path) -> None:
    watch_over(places.root)  # first: we may be killed as soon as the server is launched
    if postmaster.answer(places) is Answer.READY:
        return
    if postmaster.process(places) is None:
        data.prepare(places, binaries)
    postmaster.start(places, binaries)


def _stop_if_unused(places: Places) -> bool:
    return unused(places.users_lock) and _stop(places)


def _stop(places: Places) -> bool:
    stopped = postmaster.stop(places)
    dismiss(places.root)
    return stopped


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        if error.errno in full_disk.CODES:
            raise StorageUnavailable(
                f"{where}: {error.strerror}.", "Make room and give the same command again."
            ) from error
        raise InputError(
            f"The database's folder can't be used: {where}: {error.strerror}.",
            "Use another folder (--state), or a server of your own (--storage postgresql://…).",
        ) from error


def _after_fork() -> None:
    # The child's copy of a descriptor is the parent's share; closing the copy leaves the parent's as it is.
    for server in list(_LIVE):
        server._forget()


os.register_at_fork(after_in_child=_after_fork)

"""Where do the embedded server's files lie, and who may enter? Nobody but the account it runs as (and root)."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from search.errors import InputError
from search.postgres.account import Account, choose, reaches

PORT = 5432
_ROOTS_OWN = Path("/var/lib/search-pg")
_LONGEST_SOCKET = 100  # bytes; sun_path has 108 on Linux and 104 on macOS


@dataclass(frozen=True)
class Places:
    """The server's folder and the account it runs as; every path below follows from these."""

    root: Path
    account: Account

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder."""
        return self.root / "data"

    @property
    def socket(self) -> Path:
        """The folder of the Unix socket; a short one elsewhere when the path would be too long for a socket."""
        folder = self.root / "socket"
        # libpq takes a comma for the end of one host and the begin of the next.
        if len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= _LONGEST_SOCKET and "," not in str(folder):
            return folder
        # Not the temporary folder of the environment: every process has to come to the same path.
        return Path("/tmp") / f"search-pg-{self.account.uid}-{_digest(self.root)}"

    @property
    def start_lock(self) -> Path:
        """Held while somebody starts or stops the server."""
        return self.root / "start.lock"

    @property
    def users_lock(self) -> Path:
        """Shared by every process that uses the server, for as long as it does; the kernel forgets those that die."""
        return self.root / "users.lock"

    @property
    def stopped(self) -> Path:
        """There when somebody stopped the server on purpose, so that workers don't start it again."""
        return self.root / "stopped"


def locate(state: Path, user: str | None, create: bool) -> Places:
    """Return the places for a state folder; with `create` its folders are there afterwards, closed to others.

    As root, with a project that the service account can't reach (below /root, say), they are below /var/lib/search-pg:
    the user's own folders are never opened to others. Raises InputError and OSError.
    """
    own = state.resolve() / "postgres"
    if os.geteuid() != 0:
        places = Places(own, choose(own / "data", user))
    else:
        moved = _ROOTS_OWN / _digest(own)
        known = [root for root in (own, moved) if (root / "data").exists()]
        root = known[0] if known else own
        places = Places(root, choose(root / "data", user))
        if create and not known:
            _root_folder(own, places.account)
            if not reaches(places.account, own):
                _ROOTS_OWN.mkdir(parents=True, exist_ok=True)
                _ROOTS_OWN.chmod(0o711)  # whatever our umask is
                places = Places(moved, places.account)
    if create:
        _root_folder(places.root, places.account)
    return places


def private_folder(folder: Path, account: Account) -> None:
    """Make the folder, or find it, owned by the account and closed to all others."""
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if account.switch and status.st_uid == 0 and not folder.is_symlink():
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)
        status = folder.lstat()
    if folder.is_symlink() or status.st_uid != account.uid:
        raise InputError(
            f"{folder} belongs to somebody else (uid {status.st_uid}); expected {account.name}.",
            "Remove it if you know it, or use another --state folder.",
        )
    if status.st_mode & 0o077:
        folder.chmod(0o700)


def write(path: Path, text: str, account: Account) -> None:
    """Write a file of the server's aside and rename it; only the account can read it."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        if account.switch:
            os.fchown(handle, account.uid, account.gid)
    aside.replace(path)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file alone, waiting for it; the kernel gives it back if we are killed."""
    handle = _open(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def share(path: Path) -> int:
    """Take a share of the lock file and return its descriptor; no program that we start inherits it."""
    handle = _open(path)
    fcntl.flock(handle, fcntl.LOCK_SH)
    return handle


def unused(path: Path) -> bool:
    """Whether no process has a share of the lock file; only asked while `start_lock` keeps new ones out."""
    handle = attempt(path, create=True)
    if handle is not None:
        os.close(handle)
    return handle is not None


def attempt(path: Path, create: bool = False) -> int | None:
    """Hold the lock file alone and return its descriptor, which gives it back when closed; None if others have it."""
    handle = _open(path, create)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _open(path: Path, create: bool = True) -> int:
    flags = os.O_RDWR | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
    handle = os.open(path, flags, 0o600)  # Python closes it in programs we start
    if os.geteuid() == 0:
        owner = path.parent.stat()  # root visiting an ordinary user's project must not lock the user out
        os.fchown(handle, owner.st_uid, owner.st_gid)
    return handle


def _root_folder(root: Path, account: Account) -> None:
    if not root.exists():
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = root.stat()
    if status.st_uid not in (os.geteuid(), account.uid):
        raise InputError(
            f"{root} belongs to another account (uid {status.st_uid}).",
            "Run as that account, or use another --state folder.",
        )
    # Root's folder stays root's, and the service account may only pass through to what is its own.
    mode = 0o711 if account.switch and status.st_uid == 0 else 0o700
    if status.st_mode & 0o777 != mode:
        root.chmod(mode)


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]

"""Can the server's account run these programs? If not (a virtual environment below /root, say), a copy is made."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from search.postgres.account import Account, run

_COPIES = Path("/var/lib/search-pg/programs")


def usable(binaries: Path, account: Account) -> Path:
    """Return a folder with the same programs that the account can run; the user's own folders stay closed."""
    if not account.switch or _runs(binaries, account):
        return binaries
    installation = binaries.parent
    name = f"{binaries}{(binaries / 'postgres').stat().st_mtime_ns}"
    copy = _COPIES / hashlib.sha256(name.encode()).hexdigest()[:12]
    inside = copy / installation.parent.name / installation.name / binaries.name
    if not inside.exists():
        _copy(installation, copy)
    return inside


def _runs(binaries: Path, account: Account) -> bool:
    try:
        return run([binaries / "postgres", "--version"], account, Path("/"))[0] == 0
    except PermissionError:
        return False


def _copy(installation: Path, copy: Path) -> None:
    aside = copy.with_name(f"{copy.name}.{os.getpid()}")
    package = installation.parent
    aside.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    shutil.copytree(installation, aside / package.name / installation.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")  # where a wheel keeps what its programs are linked with
    if libraries.exists():
        shutil.copytree(libraries, aside / libraries.name, symlinks=True)
    for path in (*aside.parents[:2], aside, *aside.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or path.stat().st_mode & 0o100 else 0o044))
    try:
        aside.rename(copy)
    except OSError:  # another process, for another project, was faster
        shutil.rmtree(aside)
        if not copy.exists():
            raise

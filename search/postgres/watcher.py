"""What if all users of the embedded server are killed at once? This process notices, stops the server and ends.

`python -m search.postgres.watcher ROOT` runs beside the server, whoever started it, and knows nothing but its folder.
Once a second it looks whether anybody still has a share, under the lock that whoever comes or leaves takes too, so it
never stops a server that somebody has just begun to use. It ends with the server, and with the folder.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

from search.postgres.places import attempt, unused

PAUSE = 1.0  # seconds between two looks
PATIENCE = 2  # looks without a server before we end: whoever holds a share may just have launched it


def watch_over(root: Path) -> None:
    """Let a watcher run beside the server in this folder, unless there is one. The caller holds `start.lock`."""
    if not unused(root / "watcher.lock"):
        return
    # The shell ends at once, so the watcher is nobody's child; it has a session and files of its own, so neither a
    # terminal nor a pipe waits for it. Wherever this package was found, it is found again.
    script = 'PYTHONPATH="$0" "$@" </dev/null >/dev/null 2>&1 &'
    known = os.pathsep.join([str(Path(__file__).parents[2]), *map(os.path.abspath, filter(None, sys.path))])
    command = ["/bin/sh", "-c", script, known, sys.executable, "-m", "search.postgres.watcher", str(root)]
    subprocess.run(command, cwd="/", start_new_session=True, check=False)


def dismiss(root: Path) -> None:
    """End the watcher now that the server has stopped. The caller holds `start.lock`."""
    path = root / "watcher.lock"
    if unused(path):
        return
    import psutil  # not at the top: the watcher itself needs as little memory as it can

    # It may be root's, or just beginning: it ends by itself too. Its pid may be another process' here: a new watcher
    # hasn't written its own yet, or it lives in another container, for locks are seen there and pids aren't.
    with contextlib.suppress(ValueError, OSError, psutil.Error):
        watcher = psutil.Process(int(path.read_text(encoding="utf-8")))
        if watcher.cmdline()[-2:] == ["search.postgres.watcher", str(root)]:
            watcher.kill()


def watch(root: Path) -> None:
    """Stop the server once nobody has a share of it; return when there is none any more, or another watcher."""
    ours = attempt(root / "watcher.lock", create=True)
    if ours is None:
        return
    os.ftruncate(ours, 0)
    os.write(ours, str(os.getpid()).encode())
    absent = 0
    while absent < PATIENCE:
        time.sleep(PAUSE)
        started = attempt(root / "start.lock")
        if started is None:
            continue  # somebody starts or stops the server
        absent = 0 if _lives(root) else absent + 1
        if absent == 0 and unused(root / "users.lock"):
            _stop(root)
            absent = PATIENCE
        if absent == PATIENCE:
            os.close(ours)  # before the other one: whoever comes next must see that nobody watches
        os.close(started)


def _lives(root: Path) -> bool:
    try:
        pid = int((root / "data" / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
        os.kill(pid, 0)
    except (ValueError, ProcessLookupError, FileNotFoundError):
        return False
    return True


def _stop(root: Path) -> None:
    # Only now: what it needs takes four times the memory of all the rest.
    from search.postgres import postmaster
    from search.postgres.account import choose
    from search.postgres.places import Places

    postmaster.stop(Places(root, choose(root / "data", None)))


if __name__ == "__main__":
    watch(Path(sys.argv[1]))

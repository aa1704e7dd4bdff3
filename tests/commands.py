"""Start our commands as real processes, and leave nothing of them behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from search.postgres.places import locate

ROOT = Path(__file__).resolve().parents[1]


def start(arguments: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start `python -m search ARGUMENTS` in the folder; `env` comes on top of the environment without SEARCH_*."""
    return subprocess.Popen(
        [sys.executable, "-m", "search", *arguments],
        cwd=cwd,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(
    arguments: Sequence[str], cwd: Path, timeout: float = 60, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python -m search ARGUMENTS` to its end; it is killed, and the test fails, after `timeout` seconds."""
    with start(arguments, cwd, env) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a command: this repository, and no SEARCH_* setting but those of `env`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SEARCH_")}
    return {**inherited, "PYTHONPATH": str(ROOT), **(env or {})}


@contextmanager
def project(folder: Path, env: Mapping[str, str] | None = None) -> Iterator[Path]:
    """Give a folder to run commands in; afterwards no process and no embedded server of its `.search` is left."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        run(["stop", "--wait", "2"], folder, env=env)
        outside = server_folder(folder)
        if folder.resolve() not in outside.parents:
            shutil.rmtree(outside, ignore_errors=True)


def server_folder(folder: Path) -> Path:
    """Return where the embedded server of the project lies; as root it can't always be below the project."""
    return locate(folder / ".search", None, create=False).root

"""Whatever stands in the arguments or the environment: a message of one screen, exit code 2, no traceback, no wait."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import commands
import pytest

from search import cli

NUMBERS = ("0", "-1", "1e9", "9" * 30, "nan", "inf", "two", "1.5", "0x1", " 1", "²", "\udcff")
PATHS = (
    "folder",
    "pipe",
    "/dev/full",
    "/dev/zero",
    "/dev/null",
    "loop",
    "no/such",
    "file/x",
    "a" * 300,
    "bytes",
    "nul",
)
STATES = ("pipe", "file", "/dev/full", "/dev/null/x", "loop", "file/x", "/proc/x", "~nobody-such", "a" * 300, "\udcff")
URLS = (
    "x", "://", "mysql://u:secret@h/d", "sqlite:///x.db", "postgresql+asyncpg://u:secret@h/d", "file:///etc/passwd",
    "postgresql://u:secret@[::1/d", "postgresql://u:secret%00@h/d", "postgresql://h/a%00b", "postgresql://u@/d?host=%00",
    "postgresql://u:secret\udcff@h/d", "postgresql://u:secret@127.0.0.1:99999999/d",
    "postgresql://u:secret@127.0.0.1:1/d?sslmode=maybe",
)  # fmt: skip
AWAY = (
    "postgresql://u:secret%zz@127.0.0.1:1/d", "postgresql://u:secret%ff%fe@127.0.0.1:1/d",
    "postgresql://u:secret@127.0.0.1:1/d?connect_timeout=x", "postgres://u:secret@/d?host=/nonexistent",
    "postgresql://" + "u" * 5000 + ":secret@127.0.0.1:1/d",
)  # fmt: skip
DEVICES = ("0", "-1", "9" * 30, "none,0", "GPU-x", "a,,b", "\udcff")
HOSTS = ("a b", "-1", "999.1.1.1", "a" * 300, "é" * 70, "[::1", "%zz", "\udcff")
ALL = (
    ["run", "space.yaml"], ["worker", "toy"], ["status"], ["best"], ["psql", "--", "-c", "SELECT 1"],
    ["dashboard", "--port=0"],
)  # fmt: skip

CASES: list[tuple[Sequence[str], dict[str, str]]] = [
    *(([verb, path], {}) for verb in ("check", "plan", "run") for path in PATHS),
    *((["init", path], {}) for path in ("folder", "pipe", "/dev/full", "no/such/x", "loop", "\udcff", "a" * 300)),
    *(([verb, "space.yaml", f"{flag}={n}"], {}) for verb in ("plan", "run") for flag in ("--workers", "--per-gpu")
      for n in NUMBERS),
    *((["plan", "space.yaml"], {f"SEARCH_{name}": n}) for name in ("WORKERS", "PER_GPU") for n in NUMBERS),
    *((["run", "space.yaml", f"--devices={text}"], {}) for text in DEVICES),
    *((["plan", "space.yaml"], {name: text}) for name in ("SEARCH_LOG_LEVEL", "SEARCH_DASHBOARD_ALLOW_EDIT")
      for text in ("2", "loud", "\udcff")),
    *((["stop", f"--wait={n}"], {}) for n in ("-1", "nan", "inf", "two", "\udcff")),
    *((["worker", "toy", f"--parent={n}"], {}) for n in ("two", "1.5", "\udcff")),
    *((["worker", "toy", f"--allow={name}"], {}) for name in ("~nobody-such", "loop", "\udcff")),
    *((["dashboard", f"--port={n}"], {}) for n in ("-1", "65536", "9" * 30, "two", "1.5", "²", "\udcff")),
    *((["dashboard", "--port=0", f"--host={host}"], {}) for host in HOSTS),
    *(([*command[:1], f"--state={state}", *command[1:]], {}) for command in ALL for state in STATES),
    *((command, {"SEARCH_STORAGE": url}) for command in ALL for url in URLS
      if "psql" not in command or "127" not in url),
    *((["run", "space.yaml"], {"SEARCH_PG_BIN": path}) for path in ("folder", "pipe", "loop", "no/such", "/dev/null")),
    *((["run", "space.yaml"], {"SEARCH_PG_USER": name}) for name in ("nobody-such", "-1", "\udcff")),
]  # fmt: skip
REST = [(command, {"SEARCH_STORAGE": url}) for command in ALL for url in AWAY if command[0] != "psql"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "space.yaml").write_text(
        "study: toy\ntrainer: train.py:train\nobjective: {minimize: loss}\nbudget: {trials: 1}\n"
        "space: {x: {float: [0.0, 1.0]}}\n"
    )
    (tmp_path / "train.py").write_text("def train(params, run): return {'loss': 1.0}\n")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("x")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00study")
    (tmp_path / "nul").write_bytes(b"study: a\0b\n")
    return tmp_path


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("cases", "code"), [(CASES, 2), (REST, 75)], ids=["wrong", "away"])
def test_it_is_refused_on_one_screen(
    cases: Sequence[tuple[Sequence[str], dict[str, str]]],
    code: int,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    record_property: Any,
) -> None:
    wrong = []
    for arguments, environment in cases:
        try:
            ended: object = cli.main(arguments, {"PATH": os.environ["PATH"], **environment})
        except (SystemExit, Exception) as error:
            ended = error.code if isinstance(error, SystemExit) else repr(error)
        said = capsys.readouterr().err
        calm = "Traceback" not in said and "bug of ours" not in said and "secret" not in said
        if ended != code or not calm or not said or len(said.splitlines()) > 12 or "\udcff" in said:
            wrong.append((arguments, environment, ended, said[-300:]))
    assert wrong == []
    assert not (folder / ".search" / "postgres").exists(), "a server was started for nothing"
    name = "arguments and settings that can't be" if code == 2 else "storages that aren't there"
    record_property("fault", (name, len(cases), f"told on one screen, code {code}"))


REAL = {
    "bytes among the arguments": ([b"status", b"caf\xe9"], {}, b"argument 2: expected text in UTF-8"),
    "bytes in the environment": ([b"status"], {b"SEARCH_STATE": b"caf\xe9"}, b"SEARCH_STATE: expected text in UTF-8"),
}


@pytest.mark.parametrize(("arguments", "environment", "told"), REAL.values(), ids=REAL)
def test_bytes_that_are_no_text_are_told(
    arguments: list[bytes], environment: dict[bytes, bytes], told: bytes, tmp_path: Path
) -> None:
    whole = {os.fsencode(name): os.fsencode(value) for name, value in commands.environment().items()} | environment
    command = [os.fsencode(sys.executable), b"-m", b"search", *arguments]
    done = subprocess.run(command, env=whole, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"search: error: " + told + b"\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", [["schema"], ["check", "no-such.yaml"]])
def test_an_output_that_is_full_or_closed_is_no_bug(arguments: list[str], tmp_path: Path) -> None:
    for where in ("> /dev/full 2>&1", ">&- 2>/dev/full", "> /dev/full"):
        script = f'exec "$0" -m search "$@" {where}'
        done = subprocess.run(
            ["/bin/sh", "-c", script, sys.executable, *arguments],
            cwd=tmp_path, env=commands.environment(), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == (0 if arguments == ["schema"] and "&-" in where else 2), done.stderr
        assert len(done.stderr.splitlines()) <= 2

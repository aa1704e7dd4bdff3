from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from search import places, processes

CHILD = """
import os, signal, subprocess, sys, time
from pathlib import Path
from search.processes import registered

state, verb, journal = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
asked = []
if sys.argv[4] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: asked.append(number))
with registered(state, verb):
    child = None
    if sys.argv[4] == "parent":
        command = [sys.executable, __file__, str(state), "worker", str(journal), "child"]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while not any(path.stem == str(child.pid) for path in (state / "processes").glob("*.json")):
            time.sleep(0.01)
    print("ready", flush=True)
    while not asked:
        time.sleep(0.01)
    if child:
        child.terminate()
        child.wait()
    time.sleep(0.2)
with journal.open("a") as file:
    file.write(f"{verb} {len(asked)}\\n")
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    started: list[subprocess.Popen[str]] = []

    def begin(verb: str, how: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(script), str(tmp_path), verb, str(tmp_path / "journal"), how]
        root = Path(__file__).parents[2]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield begin
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its own child too
        process.communicate()


def test_each_process_is_asked_once_a_worker_by_its_run(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    start("run", "parent")
    start("worker", "alone")
    assert sorted(verb for _, verb in processes.running(tmp_path)) == ["run", "worker", "worker"]
    assert processes.stop(tmp_path, patience=20) == (3, 0)
    assert sorted((tmp_path / "journal").read_text().splitlines()) == ["run 1", "worker 1", "worker 1"]
    assert processes.running(tmp_path) == []


def test_who_does_not_leave_is_killed(start: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    process = start("worker", "stubborn")
    assert processes.stop(tmp_path, patience=0.3) == (0, 1)
    assert process.wait(5) == -9
    assert processes.running(tmp_path) == []
    assert list(places.processes(tmp_path).iterdir()) == [], "what a killed one left is removed"


def test_a_stranger_with_an_old_number_is_left_alone(tmp_path: Path) -> None:
    folder = places.processes(tmp_path)
    folder.mkdir()
    (folder / f"{os.getppid()}.json").write_text('{"verb": "run", "created": 1.0}')
    (folder / "4000000.json").write_text('{"verb": "run", "created": 1.0}')
    (folder / "7.json").write_text("half")
    assert processes.running(tmp_path) == []
    assert processes.stop(tmp_path, patience=1) == (0, 0)


def test_whoever_registers_removes_what_killed_processes_left(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = start("run", "alone")
    alive = start("worker", "alone")
    process.kill()
    process.wait()
    folder = places.processes(tmp_path)
    (folder / f"{process.pid}.partial").write_text("ha")
    (folder / f"{alive.pid}.partial").write_text("ha")
    with processes.registered(tmp_path, "run"):
        names = {path.name for path in folder.iterdir()}
    assert names == {f"{alive.pid}.json", f"{alive.pid}.partial", f"{os.getpid()}.json"}


def test_a_process_that_is_just_registering_is_not_taken_for_a_dead_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(path: Path, text: str) -> int:
        with path.open("w") as file:
            assert processes.running(tmp_path) == []
            return file.write(text)

    monkeypatch.setattr(Path, "write_text", slowly)
    with processes.registered(tmp_path, "worker"):
        assert [(process.pid, verb) for process, verb in processes.running(tmp_path)] == [(os.getpid(), "worker")]


def test_a_process_does_not_stop_itself(tmp_path: Path) -> None:
    with processes.registered(tmp_path, "stop"):
        assert processes.stop(tmp_path, patience=1) == (0, 0)
    assert processes.running(tmp_path) == []


def test_the_folders_of_a_state_folder_that_is_there_already_are_closed_and_its_own_stay_as_they_are(
    tmp_path: Path,
) -> None:
    (tmp_path / "logs").mkdir()
    for path in (tmp_path, tmp_path / "logs"):
        path.chmod(0o755)
    with processes.registered(tmp_path, "run"):
        modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in tmp_path.iterdir()}
    assert modes.pop("logs") == "0o755"
    assert modes == dict.fromkeys(["artifacts", "checkpoints", "models", "processes", "xla"], "0o700")
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755

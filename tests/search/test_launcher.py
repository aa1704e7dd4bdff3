"""The launcher with workers that are small shell scripts: what it does when they end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from search import launcher
from search.devices import Place
from search.errors import Aborted, InputError, SearchError, StorageUnavailable
from search.launcher import Launcher


class Clock:
    now = 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(launcher, "time", SimpleNamespace(monotonic=lambda: found.now))
    return found


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Launcher]]:
    """Starts a launcher whose workers run one shell script each."""
    shell = tmp_path / "python"
    shell.write_text('#!/bin/sh\necho "$@" >> "$LAUNCHED"\neval "$SCRIPT"\n')
    shell.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(shell))
    started = []

    def launched(*scripts: str, begin: bool = True) -> Launcher:
        environment = {**os.environ, "LAUNCHED": str(tmp_path / "launched")}
        places = [Place(rank, None, 1, None, {"SCRIPT": script}) for rank, script in enumerate(scripts)]
        made = Launcher("-toy", places, tmp_path / "logs", environment)
        started.append(made)
        (made.start if begin else made.warm)()
        return made

    yield launched
    for made in started:
        made.kill()


def tended(made: Launcher, until: Callable[[], bool]) -> list[str]:
    """Tend until something has happened; return what was told."""
    told, deadline = list[str](), time.monotonic() + 20
    while not until():
        assert time.monotonic() < deadline, f"nothing happened; told: {told}"
        told += made.tend()
        time.sleep(0.01)
    return told


def test_a_worker_that_is_done_is_not_started_again(launch: Callable[..., Launcher], tmp_path: Path) -> None:
    made = launch("exit 100", "exit 130")
    assert tended(made, lambda: not made.alive) == []
    lines = (tmp_path / "launched").read_text().splitlines()
    assert len(lines) == 2
    assert lines[0].endswith(f"-m search worker --parent={os.getpid()} --warm=loop -- -toy")


def test_a_warm_worker_begins_when_there_is_a_study_to_join(launch: Callable[..., Launcher], tmp_path: Path) -> None:
    made = launch("read word; echo begun >> $LAUNCHED; exit 130", begin=False)
    tended(made, (tmp_path / "launched").exists)
    assert made.alive
    assert "begun" not in (tmp_path / "launched").read_text()
    made.start()
    tended(made, lambda: not made.alive)
    assert "begun" in (tmp_path / "launched").read_text()


def test_a_warm_worker_that_never_began_leaves_no_log(launch: Callable[..., Launcher], tmp_path: Path) -> None:
    made = launch("cat", begin=False)
    made.kill()
    assert made.slots[0].process is None
    assert list((tmp_path / "logs").iterdir()) == []


def test_a_worker_that_ends_without_having_said_that_it_is_done_has_crashed(launch: Callable[..., Launcher]) -> None:
    made = launch("exit 0")
    told: list[str] = []
    tended(made, lambda: bool(told.extend(made.tend()) or told))
    assert told[0].startswith("worker 0 ended (exit code 0); it starts again in 1 s")


def test_a_crashing_worker_is_started_again_with_a_growing_pause_and_given_up_in_the_end(
    launch: Callable[..., Launcher], clock: Clock
) -> None:
    made = launch("kill -SEGV $$")
    pauses, told = [], list[str]()
    with pytest.raises(Aborted, match=r"worker 0 crashed 6 times in a row \(SIGSEGV\)"):
        for _ in range(6):
            told += tended(made, lambda: made.slots[0].process is None)
            assert made.slots[0].due is not None
            pauses.append(made.slots[0].due - clock.now)
            assert made.alive
            clock.now += pauses[-1] - 0.01
            made.tend()
            assert made.slots[0].process is None, "too early"
            clock.now += 0.02
            made.tend()
    assert [round(pause) for pause in pauses] == [1, 2, 4, 8, 16]
    assert told[0].startswith("worker 0 ended (SIGSEGV); it starts again in 1 s; log: ")


def test_crashes_are_counted_anew_after_a_steady_time(launch: Callable[..., Launcher], clock: Clock) -> None:
    made = launch("exit 9")
    for _ in range(8):
        clock.now += launcher.STEADY + 1  # it has run that long
        tended(made, lambda: made.slots[0].process is None)
        assert made.slots[0].crashes == 1
        clock.now += 1.1
        made.tend()


def test_a_worker_that_ended_a_trial_before_it_crashed_is_not_given_up(
    launch: Callable[..., Launcher], clock: Clock
) -> None:
    made = launch(f"echo {launcher.TRIAL_MARK}7: complete; kill -SEGV $$")
    for _ in range(2 * launcher.CRASHES_ALLOWED):
        tended(made, lambda: made.slots[0].process is None)
        clock.now += launcher.LONGEST_PAUSE
        made.tend()
    assert made.alive


def test_one_broken_worker_does_not_end_the_others(launch: Callable[..., Launcher], clock: Clock) -> None:
    made = launch("exit 9", "exec sleep 60")
    told = list[str]()
    for _ in range(launcher.CRASHES_ALLOWED + 1):
        told += tended(made, lambda: made.slots[0].process is None)
        clock.now += launcher.LONGEST_PAUSE
        made.tend()
    assert told[-1].startswith("worker 0 crashed 6 times in a row (exit code 9) and is given up; log: ")
    assert (made.slots[0].process, made.slots[0].due) == (None, None)
    assert len(made.pids()) == 1


@pytest.mark.parametrize(("code", "error"), [(1, Aborted), (2, InputError)])
def test_a_worker_that_gives_up_is_quoted(launch: Callable[..., Launcher], code: int, error: type[SearchError]) -> None:
    made = launch(f"echo noise; echo 'search: error: what went wrong'; echo '  the way out'; exit {code}")
    with pytest.raises(error) as raised:
        tended(made, lambda: False)
    assert str(raised.value) == "what went wrong\n  the way out"


def test_a_worker_that_finds_no_storage_tries_again_for_a_while(launch: Callable[..., Launcher], clock: Clock) -> None:
    made = launch("echo 'search: error: no storage'; exit 75")
    told = list[str]()
    with pytest.raises(StorageUnavailable, match=r"^no storage$"):
        for _ in range(launcher.CRASHES_ALLOWED + 1):
            told += tended(made, lambda: made.slots[0].process is None)
            clock.now += launcher.LONGEST_PAUSE
            made.tend()
    assert len(told) == launcher.CRASHES_ALLOWED


def test_a_worker_that_has_waited_for_the_storage_ends_the_run(launch: Callable[..., Launcher], clock: Clock) -> None:
    made = launch("echo 'search: error: away for 600 s'; exit 75")
    clock.now += launcher.STEADY + 1
    with pytest.raises(StorageUnavailable, match="away for 600 s"):
        tended(made, lambda: False)


def test_a_worker_that_gives_up_without_a_word_is_told_with_its_log(launch: Callable[..., Launcher]) -> None:
    made = launch("exit 1")
    with pytest.raises(Aborted, match=r"worker 0 ended with exit code 1; see .*worker-0\.log"):
        tended(made, lambda: False)


def test_only_the_last_start_is_quoted(launch: Callable[..., Launcher], clock: Clock, tmp_path: Path) -> None:
    made = launch(f"[ -e {tmp_path}/again ] && exit 1; touch {tmp_path}/again; echo 'search: error: old'; exit 9")
    tended(made, lambda: made.slots[0].process is None)
    clock.now += 5
    with pytest.raises(Aborted, match="ended with exit code 1"):
        tended(made, lambda: False)


def test_stopping_asks_every_worker_and_starts_none_again(launch: Callable[..., Launcher], tmp_path: Path) -> None:
    made = launch(
        f"trap 'echo asked > {tmp_path}/asked; exit 130' TERM; touch {tmp_path}/ready; while :; do sleep 0.05; done",
        f"touch {tmp_path}/asleep; exec sleep 60",
    )
    tended(made, lambda: (tmp_path / "ready").exists() and (tmp_path / "asleep").exists())
    made.stop()
    assert tended(made, lambda: not made.alive) == []
    assert (tmp_path / "asked").exists()
    assert len((tmp_path / "launched").read_text().splitlines()) == 2


def test_killing_waits_until_they_are_gone(launch: Callable[..., Launcher], tmp_path: Path) -> None:
    made = launch(f"trap '' TERM; touch {tmp_path}/ready; while :; do sleep 0.05; done")
    tended(made, (tmp_path / "ready").exists)
    [pid] = made.pids()
    made.stop()
    made.kill()
    assert made.pids() == []
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_terminals_interrupt_does_not_reach_the_workers(launch: Callable[..., Launcher]) -> None:
    made = launch("exec sleep 60")
    [pid] = made.pids()
    assert os.getsid(pid) == pid != os.getsid(0)
    assert made.slots[0].process is not None
    os.kill(pid, signal.SIGKILL)


def test_a_worker_that_met_a_full_disk_is_started_again_however_long_it_has_run(
    launch: Callable[..., Launcher], clock: Clock
) -> None:
    made = launch("echo 'search: error: the disk is full: no room'; exit 75")
    clock.now += launcher.STEADY + 1
    told: list[str] = []
    tended(made, lambda: bool(told.extend(made.tend()) or told))
    assert told[0].startswith("worker 0 ended (exit code 75: the disk is full: no room); it starts again in 1 s")

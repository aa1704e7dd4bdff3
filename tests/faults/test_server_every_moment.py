"""A worker's connection is cut, or hangs, at every moment of its life: it goes on, and everything is exact."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import moments
import psutil
import pytest
import struck
from claimers import process, said
from invariants import OF_STUDIES, exact
from servers import embedded_server
from stage import Injected
from toys import rows, soon

LANES = 4
TRIALS = 2
STOPPED = 6  # workers that are stopped, each at another moment

WRITTEN = f"SELECT study_name, trial_id, epoch, value, recorded FROM search_epochs {OF_STUDIES} ORDER BY 2, 3"
ENDED = "SELECT trial_id, state::text, datetime_complete FROM trials JOIN studies USING (study_id) "
ENDED += "WHERE study_name = ANY(%s) ORDER BY 1"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded_server(tmp_path_factory.mktemp("struck")) as held:
        yield held.url


def lived(url: str, folder: Path, kind: struck.Kind, strikes: dict[str, int]) -> dict[str, list[str]]:
    """Strike a worker in each study at its moment; return the moments of all."""
    (folder / "train.py").write_text(moments.TRAINER)
    told: dict[str, list[str]] = {}
    with ExitStack() as stack:
        given = list(strikes.items())
        lanes = [dict(given[i::LANES]) for i in range(LANES) if given[i::LANES]]
        pipes = [stack.enter_context(process(struck.lane, url, folder, TRIALS, kind, lane))[1] for lane in lanes]
        for pipe in pipes:
            told |= said(pipe, 150)
    return told


def everywhere(url: str, folder: Path, kind: struck.Kind, first: float) -> int:
    """Strike a worker once at each of its moments, from that share of them on; return how many were struck."""
    undisturbed = f"{kind}-undisturbed"
    whole = lived(url, folder, kind, {undisturbed: 0})[undisturbed]
    strikes = {f"{kind}-{last}": last for last in range(1 + int(first * len(whole)), len(whole) + 1)}
    told = lived(url, folder, kind, strikes)
    assert {study: len(passed) for study, passed in told.items() if len(passed) < strikes[study]} == {}
    exact(url, [undisturbed, *strikes], TRIALS, trained=2)
    return len(strikes)


OUTCOME = "same number, every epoch once, same parameters"


@pytest.mark.slow
def test_a_worker_whose_connection_is_cut_at_any_moment_loses_nothing(
    url: str, tmp_path: Path, injected: Injected
) -> None:
    injected("pg_terminate_backend before every statement and commit", everywhere(url, tmp_path, "cut", 0), OUTCOME)


@pytest.mark.slow
def test_a_worker_whose_connection_hangs_at_any_moment_loses_nothing(
    url: str, tmp_path: Path, injected: Injected
) -> None:
    times = everywhere(url, tmp_path, "hang", 0.5)  # the second trial, since each costs as long as a worker waits
    injected("a connection that hangs before every statement, or after a commit", times, OUTCOME)


@pytest.mark.slow
def test_others_go_on_without_a_worker_that_is_stopped_while_they_wait_for_it(
    url: str, tmp_path: Path, injected: Injected
) -> None:
    whole = lived(url, tmp_path, "stop", {"stop-undisturbed": 0})["stop-undisturbed"]
    possible = struck.waited_for(whole)
    chosen = possible[:: len(possible) // STOPPED][:STOPPED]
    strikes = {f"stop-{last}": last for last in chosen}
    with ExitStack() as stack:
        stopped = [
            stack.enter_context(process(struck.lane, url, tmp_path, TRIALS, "stop", {study: last}))
            for study, last in strikes.items()
        ]
        processes = [psutil.Process(child.pid) for child, _ in stopped]
        soon(lambda: all(each.status() == psutil.STATUS_STOPPED for each in processes), patience=90)
        lived(url, tmp_path, "stop", dict.fromkeys(strikes, 0))
        found = rows(url, WRITTEN, list(strikes)), rows(url, ENDED, list(strikes))
        assert {state for _, state, _ in found[1]} == {"COMPLETE"}
        for child, pipe in stopped:
            assert child.pid is not None
            os.kill(child.pid, signal.SIGCONT)
            said(pipe, 30)
        assert (rows(url, WRITTEN, list(strikes)), rows(url, ENDED, list(strikes))) == found
    exact(url, ["stop-undisturbed", *strikes], TRIALS, trained=2)
    injected("SIGSTOP in a transaction or while asking", len(strikes), "others go on; once awake it writes nothing")

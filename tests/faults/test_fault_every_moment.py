"""A worker is killed at every moment of its life, one study for each: its trial goes on, and everything is exact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import moments
import pytest
from claimers import process, said
from invariants import exact
from servers import embedded_server
from stage import Injected

LANES = 4  # of workers that live and die side by side

Lived = dict[str, tuple[list[int], int, list[str], list[str]]]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded_server(tmp_path_factory.mktemp("moments")) as held:
        yield held.url


def lived(url: str, folder: Path, trainer: str, trials: int, deaths: dict[str, Sequence[int]]) -> Lived:
    """Let workers die in each study at their moments, and another one end it; return what became of them."""
    (folder / "train.py").write_text(trainer)
    told: Lived = {}
    with ExitStack() as stack:
        given = list(deaths.items())
        lanes = [dict(given[i::LANES]) for i in range(LANES) if given[i::LANES]]
        pipes = [stack.enter_context(process(moments.lane, url, folder, trials, lane))[1] for lane in lanes]
        for pipe in pipes:
            told |= said(pipe, 250)
    return told


def everywhere(url: str, folder: Path, trainer: str, kind: str, trials: int, before: Sequence[int]) -> int:
    """Kill a worker at each of its moments, after others that died before it; return how many were killed."""
    undisturbed = f"{kind}-undisturbed"
    whole = lived(url, folder, trainer, trials, {undisturbed: before})[undisturbed][2]
    deaths = {f"{kind}-{last}": [*before, last] for last in range(1, len(whole) + 1)}
    told = lived(url, folder, trainer, trials, deaths)
    assert {name: codes for name, (codes, *_) in told.items() if set(codes) != {moments.KILLED}} == {}
    assert {name: code for name, (_, code, *_) in told.items() if code != 0} == {}
    kept = ["0.keras"] * (trainer == moments.KEEPING)
    assert {name: left for name, (*_, left) in told.items() if left != kept} == {}, "files are left"
    exact(url, [undisturbed, *deaths], trials, trained=2)
    return len(deaths)


OUTCOME = "same number, every epoch once, same parameters, no file left"


@pytest.mark.slow
def test_a_worker_killed_at_any_moment_loses_nothing(url: str, tmp_path: Path, injected: Injected) -> None:
    injected("SIGKILL at every moment of a worker", everywhere(url, tmp_path, moments.TRAINER, "new", 2, []), OUTCOME)


@pytest.mark.slow
def test_a_worker_killed_at_any_moment_of_an_adopted_trial_loses_nothing(
    url: str, tmp_path: Path, injected: Injected
) -> None:
    moments_of = lived(url, tmp_path, moments.KEEPING, 1, {"first": []})["first"][2]
    second = [place for place, moment in enumerate(moments_of, 1) if moment == "open epoch.part"][1]  # of two epochs
    injected(
        "SIGKILL at every moment of an adoption",
        everywhere(url, tmp_path, moments.KEEPING, "adopted", 1, [second]),
        OUTCOME,
    )

"""A run of real models is killed and its newest checkpoints are damaged: each trial goes on from the one before."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import commands
import psutil
import pytest
from invariants import exact
from stage import Injected
from toys import DIGITS, Toy, ended, rows, soon, toy

from search.postgres import server

EPOCHS = 400  # both trials must have begun before the first one ends
SPACE = DIGITS.replace("maximize: val_accuracy", "minimize: loss")

# The first epoch that was reported to each trial after a time: the one that it went on from.
SINCE = """
SELECT number, min(epoch) FROM search_epochs JOIN trials USING (trial_id)
WHERE recorded > to_timestamp(%s) GROUP BY 1 ORDER BY 1
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Toy]:
    with commands.project(tmp_path), toy(tmp_path, "digits") as made:
        made.write(trials=2, epochs=EPOCHS, space=SPACE)
        yield made


def whole(project: Toy, number: int) -> list[Path]:
    """The checkpoints of a trial, the oldest first."""
    return sorted((project.folder / ".search" / "checkpoints" / "digits" / str(number)).glob("*.json"))


def two_after_the_first_epoch(project: Toy, number: int) -> bool:
    """Say whether going on from the older checkpoint differs from starting over."""
    found = whole(project, number)
    return len(found) >= 2 and epoch_of(found[-2]) > 1


def epoch_of(checkpoint: Path) -> int:
    return int(checkpoint.stem.removeprefix("epoch-"))


@pytest.mark.slow
def test_a_trial_goes_on_from_the_checkpoint_before_the_damaged_one(project: Toy, injected: Injected) -> None:
    process = project.start()
    soon(lambda: all(two_after_the_first_epoch(project, number) for number in (0, 1)), patience=90)
    killed = project.processes()
    for each in killed:
        each.kill()
    ended(process)
    psutil.wait_procs(killed, timeout=10)

    (*_, good_0, bad_0), (*_, good_1, bad_1) = whole(project, 0), whole(project, 1)
    flipped, cut = bad_0.with_suffix(".npz"), bad_1.with_suffix(".npz")
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 1
    flipped.write_bytes(content)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])

    before = time.time()
    again = project.run("--workers", "2", timeout=150)
    assert again.returncode == 0, again.stderr + project.logs()
    held = server.ensure(project.folder / ".search")
    try:
        exact(held.url, ["digits"], count=2, trained=EPOCHS)
        reported = rows(held.url, SINCE, before)
    finally:
        held.release()
    assert [tuple(row) for row in reported] == [(0, epoch_of(good_0)), (1, epoch_of(good_1))]
    for bad in (bad_0, bad_1):
        assert f"{bad} is damaged" in project.logs()
    injected("a byte of the newest checkpoint flipped", 1, "goes on from the one before, every epoch once")
    injected("the newest checkpoint cut in the middle", 1, "goes on from the one before, every epoch once")

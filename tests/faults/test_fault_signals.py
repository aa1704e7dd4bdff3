"""A worker is told to leave, told twice, or stopped until it is forgotten: nothing is trained twice or lost."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import psutil
import pytest
from servers import Stay
from stage import Injected, Stage
from toys import ended, rows, soon

GRACE = 25.0  # seconds that a scheduler gives: Slurm and Kubernetes 30

EVERYTHING = (
    "SELECT search_epochs.* FROM search_epochs {} AND number = 0 ORDER BY 1, 2, 3",
    "SELECT trial_intermediate_values.* FROM trial_intermediate_values {} AND number = 0 ORDER BY 1",
    "SELECT trial_user_attributes.* FROM trial_user_attributes {} AND number = 0 ORDER BY 1",
    "SELECT trial_values.* FROM trial_values {} AND number = 0 ORDER BY 1",
    "SELECT trials.* FROM trials JOIN studies USING (study_id) WHERE study_name = %s AND number = 0",
)
OF_STUDY = "JOIN trials USING (trial_id) JOIN studies USING (study_id) WHERE study_name = %s"
CUT_OWNER = """
SELECT pg_terminate_backend(pg_locks.pid) FROM pg_locks
WHERE locktype = 'advisory' AND classid = 42 AND objid IN (SELECT trial_id FROM trials JOIN studies USING (study_id)
    WHERE study_name = %s AND number = 0)
"""


def stored(url: str, study: str) -> list[list[Any]]:
    """Everything that is known of trial 0."""
    return [list(map(tuple, rows(url, query.format(OF_STUDY), study))) for query in EVERYTHING]


@pytest.mark.slow
def test_what_a_scheduler_ends_with_a_deadline_goes_on_elsewhere(scene: Stage, stay: Stay, injected: Injected) -> None:
    scene.play("* * sleep 0.2", trials=1, epochs=20)
    first = scene.start("run", "space.yaml", "--workers", "1")
    soon(lambda: scene.trained(epoch=5))
    elsewhere = scene.start("worker", "space.yaml")
    soon(lambda: len(scene.workers()) == 2)
    begun = time.monotonic()
    (worker,) = (process for process in scene.workers() if process.ppid() == first.pid)
    for process in (worker, first):  # as Slurm does: every process, and the run tells its worker once more
        process.send_signal(signal.SIGTERM)
    assert ended(first)[0] == 130
    assert time.monotonic() - begun < GRACE
    code, _, err = ended(elsewhere)
    assert code == 0, err
    scene.is_whole(stay.url, {}, trials=1, epochs=20)
    assert sorted(entry["epoch"] for entry in scene.journal()) == list(range(1, 21)), "an epoch was trained twice"
    assert len({entry["pid"] for entry in scene.journal()}) == 2
    injected("SIGTERM of all processes with a deadline", 1, "leaves in time, goes on elsewhere, nothing trained twice")


@pytest.mark.slow
def test_a_second_interrupt_kills_a_worker_whose_trainer_is_busy(scene: Stage, stay: Stay, injected: Injected) -> None:
    scene.play("0 2 once hang", trials=2)
    run = scene.start("run", "space.yaml", "--workers", "1")
    soon(lambda: scene.trained(number=0, epoch=2))
    (worker,) = scene.workers()
    for _ in range(2):  # two soon after each other are one
        worker.terminate()
        with pytest.raises(psutil.TimeoutExpired):
            worker.wait(0.5)
    worker.send_signal(signal.SIGINT)
    worker.wait(GRACE)
    assert ended(run)[0] == 130
    assert "Traceback" not in scene.logs()
    again = scene.run("--workers", "1")
    assert again.returncode == 0, again.stderr
    scene.is_whole(stay.url, {}, trials=2)
    assert len(scene.trained(number=0, epoch=1)) == 1
    injected("a second signal to a worker", 1, "ends it at once; its trial goes on from the last checkpoint")


@pytest.mark.slow
def test_a_worker_that_wakes_after_its_trial_was_adopted_writes_nothing_and_goes_on_with_another(
    scene: Stage, stay: Stay, injected: Injected
) -> None:
    scene.play("0 3 once wait go", "1 1 wait stopped", "2 1 wait done", trials=4)
    run = scene.start()
    sleeper = soon(lambda: scene.trained(number=0, epoch=3))[0]["pid"]
    soon(lambda: scene.trained(number=1, epoch=1))
    os.kill(sleeper, signal.SIGSTOP)
    rows(stay.url, CUT_OWNER, scene.study)
    scene.tell("stopped")
    soon(lambda: scene.ends(stay.url) == {0: "complete", 1: "complete"})
    soon(lambda: scene.trained(number=2, epoch=1))
    before = stored(stay.url, scene.study)
    scene.tell("go")
    os.kill(sleeper, signal.SIGCONT)
    soon(lambda: scene.ends(stay.url).get(3) == "complete")
    assert stored(stay.url, scene.study) == before, "it wrote what wasn't its own any more"
    assert {entry["pid"] for entry in scene.trained(number=3)} == {sleeper}, "it goes on with something else"
    scene.tell("done")
    code, _, err = ended(run)
    assert code == 0, err
    scene.is_whole(stay.url, {}, trials=4)
    assert "trial 0 went to another worker while this one was cut off" in scene.logs(), scene.logs()
    injected("SIGSTOP beyond the grace, then SIGCONT", 1, "writes not a row of the adopted trial, takes another")

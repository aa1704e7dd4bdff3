"""A trainer does its worst: its trial ends with the reason or goes on, the others are trained, nothing is left."""

from __future__ import annotations

import pytest
from stage import Injected, Stage, Stay
from toys import SPACE

TIMED = SPACE.replace("epochs: EPOCHS", "epochs: EPOCHS, trial_time: 4s")

# What happens in a trial, how the trial ends, the row of the table.
FAULTS = (
    ("end sleep 0", "complete", ""),
    ("2 report nan", "nan", "a loss that is NaN"),
    ("2 report inf", "nan", "an infinite loss"),
    ("2 fail no such layer", "user", "an exception in user code"),
    ("2 leave 3", "user", "sys.exit in user code"),
    ("2 once segfault", "complete", "a segfault"),
    ("2 once exit 0", "complete", "os._exit"),
    ("2 once kill SIGKILL", "complete", "SIGKILL by the kernel, out of memory"),
    ("2 exit 7", "crashed", "a trial that crashes every worker"),
    ("2 hang", "timeout", "a function that never returns"),
    ("2 limit 300\nN 2 allocate 600", "oom", "a host's memory limit: MemoryError"),
)
OUTCOMES = {"complete": "the trial goes on, every epoch once", "crashed": "the trial is given up after 3 deaths"}


@pytest.mark.slow
def test_a_trainer_that_does_its_worst_harms_its_own_trial_alone(scene: Stage, stay: Stay, injected: Injected) -> None:
    script = [f"{number} {what}".replace("N", str(number)) for number, (what, _, _) in enumerate(FAULTS)]
    scene.play(*script, trials=len(FAULTS), space=TIMED)
    done = scene.run("--workers", "3", timeout=150)
    assert done.returncode == 0, done.stderr + done.stdout
    reasons = {number: end for number, (_, end, _) in enumerate(FAULTS) if end != "complete"}
    scene.is_whole(stay.url, reasons, len(FAULTS))
    for told in ("SIGSEGV", "SIGKILL", "exit code 7", "no such layer", "loss is nan", "loss is inf"):
        assert told in done.stdout
    assert "3 workers died at epoch 2 of this trial" in done.stdout
    assert "train.py" in scene.logs(), "where it crashed"
    for _, end, row in FAULTS:
        if row:
            injected(
                row, 3 if end == "crashed" else 1, OUTCOMES.get(end, f"the trial fails as {end}, the others go on")
            )

"""A trainer does its worst: its trial ends with the reason or goes on, the others are trained, nothing is left."""

from __future__ import annotations

import pytest
from servers import Stay
from stage import Injected, Stage
from toys import SPACE, ended, soon

TABLE = "x,y\n" + "".join(f"{number},{number % 2}\n" for number in range(40))
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


@pytest.mark.slow
def test_a_study_whose_every_trial_crashes_is_given_up(scene: Stage, injected: Injected) -> None:
    scene.play("* 1 exit 7", trials=2)
    done = scene.run("--workers", "2", timeout=150)
    assert done.returncode == 1, done.stderr + done.stdout
    assert "2 trials failed with the same error, none succeeded" in done.stderr
    assert "3 workers died at epoch 1 of this trial" in done.stderr
    assert scene.left() == []
    injected("a trainer that crashes in every trial", 6, "the study is given up")


@pytest.mark.slow
def test_a_data_file_that_vanishes_costs_no_trial(scene: Stage, stay: Stay, injected: Injected) -> None:
    space = SPACE.replace("objective:", "data: {csv: table.csv, label: y}\nobjective:")
    scene.play("0 2 tell there", "0 2 wait again", trials=2, space=space)
    table = scene.folder / "table.csv"
    table.write_text(TABLE)
    run = scene.start("run", "space.yaml", "--workers", "1")
    soon(lambda: scene.told("there"))
    table.unlink()
    scene.workers()[0].kill()
    code, _, err = ended(run)
    assert code == 2, err
    assert "table.csv" in err
    table.write_text(TABLE)
    scene.tell("again")
    done = scene.run("--workers", "1")
    assert done.returncode == 0, done.stderr
    scene.is_whole(stay.url, {}, 2)
    injected("a data file that vanishes", 1, "the trial waits until it is back")

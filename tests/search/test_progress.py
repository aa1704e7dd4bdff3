from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from search import text
from search.progress import Progress, headline, reason, time_left, trial_line
from search.study.history import Snapshot, TrialView


def view(number: int, state: str, **given: Any) -> TrialView:
    usual: dict[str, Any] = {
        "reason": None, "values": None, "epoch": 3, "metrics": {}, "flat": {}, "seconds": 4.0, "error": None
    }  # fmt: skip
    return TrialView(number=number, state=state, **{**usual, **given})


def snapshot(*views: TrialView, **given: Any) -> Snapshot:
    usual: dict[str, Any] = {
        "study": "toy", "metrics": ("loss",), "directions": ("minimize",), "trials": 10, "epochs": 5, "time": None,
        "spent": 0.0, "workers": 2, "copied": 0, "best": (),
    }  # fmt: skip
    return Snapshot(all=views, **{**usual, **given})


DONE = view(0, "complete", values=(0.25,))
PRUNED = view(1, "pruned", reason="pruned", values=(0.5,), epoch=1)
FAILED = view(2, "failed", reason="user", error="Traceback …\nKeyError: 'x'\n")
RUNNING = view(3, "running", metrics={"loss": 0.125}, epoch=2)


def test_the_headline_counts_what_ended_and_names_the_best() -> None:
    now = snapshot(DONE, PRUNED, FAILED, RUNNING, view(4, "waiting"), best=(DONE,))
    assert headline(now, 125.0) == (
        "3/10 trials · 1 complete, 1 pruned, 1 failed · best loss 0.2500 (trial 0) · about 2 min 05 s left"
    )
    assert headline(snapshot(), None) == "0/10 trials"


def test_copied_trials_are_not_counted_against_the_budget() -> None:
    assert headline(snapshot(DONE, PRUNED, copied=1, best=(DONE,)), None).startswith("1/10 trials")


def test_the_line_of_a_trial_says_how_it_ended_and_why() -> None:
    now = snapshot()
    assert trial_line(now, DONE) == "trial 0 complete · loss 0.2500 · 3 epochs, 4.0 s"
    assert trial_line(now, PRUNED) == "trial 1 pruned · loss 0.5000 · 1 epoch, 4.0 s"
    assert trial_line(now, FAILED) == "trial 2 failed (user) · 3 epochs, 4.0 s · KeyError: 'x'"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("the trial took longer\nthan its time", "than its time"),
        ('Traceback (most recent call last):\n  File "x.py", line 1, in f\n    f()\nKeyError: 1\n', "KeyError: 1"),
        ("ValueError: \x1b[1mNo\x1b[0m\n\nsecond line\n", "second line"),
        (
            "Traceback (most recent call last):\n  File\nKeyError: 1\nDuring …\nTraceback (most recent call last):\n"
            '  File "x.py", line 1, in f\n    f()\nValueError: \x1b[1mbad\x1b[0m\n\nReceived:\n  • x=1\n',
            "ValueError: bad Received: • x=1",
        ),
        ("Traceback (most recent call last):\n  File\nKeyError: " + 300 * "/", "KeyError: " + 189 * "/" + "…"),
    ],
    ids=["line", "traceback", "no stack", "chained", "long"],
)
def test_a_reason_is_what_the_error_says(error: str, told: str) -> None:
    assert reason(error) == told


def test_the_time_that_is_left_follows_from_the_pace_of_this_run() -> None:
    ended = tuple(view(number, "complete", values=(1.0,)) for number in range(6))
    assert time_left(snapshot(*ended), finished_before=2, elapsed=8.0) == pytest.approx(8.0)
    assert time_left(snapshot(*ended), finished_before=6, elapsed=8.0) is None
    assert time_left(snapshot(*ended, trials=6), finished_before=2, elapsed=8.0) is None
    assert time_left(snapshot(*ended, time=100.0, spent=97.0), finished_before=2, elapsed=8.0) == pytest.approx(3.0)


def test_elsewhere_than_on_a_terminal_progress_is_plain_lines_each_end_once() -> None:
    out = io.StringIO()
    with Progress(snapshot(DONE), Console(file=out, highlight=False, soft_wrap=True)) as progress:
        progress.say(["[bold]not markup[/bold]"])
        for now in (snapshot(DONE, RUNNING), snapshot(DONE, PRUNED), snapshot(DONE, PRUNED)):
            progress.show(now)
    said, ended, head = out.getvalue().splitlines()
    assert (said, ended) == ("[bold]not markup[/bold]", "trial 1 pruned · loss 0.5000 · 1 epoch, 4.0 s")
    assert head.startswith("  2/10 trials · 1 complete, 1 pruned")


def test_on_a_terminal_the_running_trials_are_shown_in_place() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, color_system=None)
    with Progress(snapshot(), console) as progress:
        progress.show(snapshot(DONE, RUNNING, view(4, "running", epoch=0), best=(DONE,)))
        assert progress.live is not None
        progress.live.refresh()
    shown = out.getvalue()
    assert "trial 0 complete" in shown
    assert "trial 3  epoch 2/5  loss 0.1250" in shown
    assert "trial 4  epoch 0/5  starting" in shown
    assert "1/10 trials" in shown


NUMBERS = [(None, "-"), (0.98611, "0.9861"), (1.234e-5, "1.234e-05"), (123456.0, "1.2346e+05"), (-2.5, "-2.5000")]
DURATIONS = [
    (None, "-"), (0.04, "0.0 s"), (9.96, "10 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"), (3599.7, "1 h 00 min"),
    (7500, "2 h 05 min"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "said"), NUMBERS)
def test_numbers_are_said_with_five_digits(value: float | None, said: str) -> None:
    assert text.number(value) == said


@pytest.mark.parametrize(("seconds", "said"), DURATIONS)
def test_durations_are_said_as_people_do(seconds: float | None, said: str) -> None:
    assert text.duration(seconds) == said

"""What of a study is left below the state folder that nobody needs? Its workers may have been killed at any moment."""

from __future__ import annotations

import shutil
from pathlib import Path

from search import models, places
from search.study.history import Snapshot


def sweep(state: Path, now: Snapshot) -> None:
    """Remove the checkpoints of trials that have ended, their half-written models, and models that are surpassed.

    Safe at any time: what is still in training stays, and whoever ends a trial removes its checkpoints as well.
    """
    ended = {trial.number for trial in now.all if trial.ended}
    for folder in places.study_checkpoints(state, now.study).glob("*"):
        if folder.name.isdecimal() and int(folder.name) in ended:
            shutil.rmtree(folder, ignore_errors=True)
    for path in places.models(state, now.study).glob(f"*{models.PARTIAL}"):
        number = path.name.partition(".")[0]
        if number.isdecimal() and int(number) in ended:
            path.unlink(missing_ok=True)
    training = [trial.number for trial in now.all if not trial.ended]
    best = [trial.number for trial in now.best]
    models.keep_only(state, now.study, best, newer_than=min(training, default=len(now.all)))

"""The result of a study in words: the best trial, its parameters to paste, the commands to look further."""

from __future__ import annotations

import shlex
from pathlib import Path

from search import places
from search.progress import values
from search.study.history import Snapshot, TrialView, parameters
from search.study.study import Study
from search.text import count
from spaces.writer import fragment


def best_lines(study: Study, now: Snapshot, trial: TrialView, state: Path) -> list[str]:
    """Return the lines about one of the best trials: value, model, and its parameters as a ready YAML fragment."""
    lines = [f"best: trial {trial.number} · {values(now, trial)} · {count(trial.epoch, 'epoch')}"]
    model = places.model(state, study.name, trial.number)
    if model.exists():
        lines.append(f"model: {model}")
    return [*lines, "space:", *fragment(parameters(study, trial)).splitlines()]


def further(study: str) -> list[str]:
    """Return the commands to look further."""
    name = shlex.quote(study)
    return [
        "look further:",
        f"  python -m search status {name}",
        f"  python -m search best {name} --json",
        "  python -m search dashboard",
        "  python -m search psql",
    ]

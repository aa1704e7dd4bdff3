"""Show the best trial: its value, its parameters as a YAML fragment, its model; of several objectives, the front."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from search import places
from search.commands import arguments as common
from search.commands.opening import existing
from search.commands.status import best_json
from search.errors import InputError
from search.report import best_lines
from search.settings import Settings
from search.study.history import Snapshot, TrialView, look, parameters
from search.study.study import Study


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the study and the storage."""
    common.study(parser)
    common.storage(parser)
    common.json_output(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the best trial, or the Pareto front."""
    state = settings.state.value
    with existing(arguments.study, settings, "search-best") as (study, _):
        now = look(study)
        if not now.best:
            lacking = "complete trial that keeps the constraints" if now.infeasible else "complete trial"
            raise InputError(f"study {now.study!r} has no {lacking} yet", f"see: python -m search status {now.study}")
        if settings.json:
            found = [_json(study, now, trial, state) for trial in now.best]
            print(json.dumps(found if len(now.metrics) > 1 else found[0]))
        else:
            print("\n\n".join("\n".join(best_lines(study, now, trial, state)) for trial in now.best))
    return 0


def _json(study: Study, now: Snapshot, trial: TrialView, state: Path) -> dict[str, Any]:
    model = places.model(state, study.name, trial.number)
    return {
        "study": study.name,
        **best_json(now, trial),
        "parameters": parameters(study, trial),
        "epochs": trial.epoch,
        "model": str(model) if model.exists() else None,
    }

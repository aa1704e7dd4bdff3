"""Show how far a study is: trials done of the budget, what runs now, the best so far."""

from __future__ import annotations

import argparse
import json
from typing import Any

from search.commands import arguments as common
from search.commands.opening import existing
from search.progress import headline, trial_line, values
from search.settings import Settings
from search.study.history import Snapshot, TrialView, look
from search.text import count, duration

SHOWN = 5  # trials that ended last


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the study and the storage."""
    common.study(parser)
    common.storage(parser)
    common.json_output(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the status."""
    with existing(arguments.study, settings, "search-status") as (study, _):
        now = look(study)
    print(json.dumps(as_json(now)) if settings.json else "\n".join(_lines(now)))
    return 0


def as_json(now: Snapshot) -> dict[str, Any]:
    """Return the status for scripts."""
    return {
        "study": now.study,
        "budget": {"trials": now.trials, "epochs": now.epochs, "time": now.time, "spent": round(now.spent, 1)},
        "trials": now.counts,
        "infeasible": now.infeasible,
        "workers": now.workers,
        "data": list(now.placed),
        "best": [best_json(now, trial) for trial in now.best] if len(now.metrics) > 1 else _one(now),
    }


def best_json(now: Snapshot, trial: TrialView) -> dict[str, Any]:
    """Return a trial's number and value (of several objectives: values) for scripts."""
    if len(now.metrics) > 1:
        return {"number": trial.number, "values": dict(zip(now.metrics, trial.values or (), strict=False))}
    return {"number": trial.number, "value": trial.values[0] if trial.values else None}


def _one(now: Snapshot) -> dict[str, Any] | None:
    return best_json(now, now.best[0]) if now.best else None


def _lines(now: Snapshot) -> list[str]:
    lines = [f"study {now.study}", headline(now, None), f"{count(now.workers, 'worker')}, {duration(now.spent)} spent"]
    if now.placed:
        lines.append(f"data {' and '.join(now.placed)}")
    for trial in now.running:
        metrics = f", {values(now, trial)}" if trial.metrics else ""
        lines.append(f"  trial {trial.number} epoch {trial.epoch}/{now.epochs}{metrics}")
    waiting = [trial for trial in now.all if trial.state == "waiting" and trial.epoch > 0]
    lines += [f"  trial {trial.number} waits at epoch {trial.epoch} for a worker" for trial in waiting]
    ended = [trial for trial in now.all if trial.ended]
    return lines + [f"  {trial_line(now, trial)}" for trial in ended[-SHOWN:]]

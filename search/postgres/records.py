"""What was recorded of trials and studies beside what Optuna keeps: metrics of every epoch, counts, the clock.

Every function is one statement in one transaction and may be called again after an outage. Raises what SQLAlchemy
raises; see `search.postgres.failures`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy

from search.postgres.queries import Name, query


def record_epoch(engine: sqlalchemy.Engine, trial_id: int, epoch: int, metrics: Mapping[str, float]) -> None:
    """Record the metrics of one epoch (1-based); a repeated epoch replaces the earlier one. NaN and inf are fine.

    Nothing is recorded for a trial that has ended.
    """
    values = [float(value) for value in metrics.values()]
    with engine.begin() as connection:
        parameters = {"trial_id": trial_id, "epoch": epoch, "metrics": list(metrics), "values": values}
        connection.execute(query("record_epoch"), parameters)


def epochs(engine: sqlalchemy.Engine, trial_id: int) -> dict[int, dict[str, float]]:
    """Return the metrics of every recorded epoch of a trial, in the order of the epochs."""
    found: dict[int, dict[str, float]] = {}
    for row in _rows(engine, "epochs", trial_id=trial_id):
        found.setdefault(row.epoch, {})[row.metric] = row.value
    return found


def last_epochs(engine: sqlalchemy.Engine, study_id: int) -> dict[int, tuple[int, dict[str, float]]]:
    """Return the newest epoch and its metrics of every running trial that has one, by trial id."""
    found: dict[int, tuple[int, dict[str, float]]] = {}
    for row in _rows(engine, "last_epochs", study_id=study_id):
        found.setdefault(row.trial_id, (row.epoch, {}))[1][row.metric] = row.value
    return found


def count_started(engine: sqlalchemy.Engine, study_id: int) -> int:
    """Return how many trials of the study were ever started: all but the waiting ones."""
    return int(_rows(engine, "count_started", study_id=study_id)[0][0])


def tick(engine: sqlalchemy.Engine, study_id: int, fresh: bool) -> float:
    """Move the study's clock on and return the seconds spent so far, by the server's clock.

    The time since the last tick, whoever made it, counts unless `fresh` says that nobody worked meanwhile.
    """
    return float(_rows(engine, "tick", study_id=study_id, fresh=fresh)[0][0])


def spent(engine: sqlalchemy.Engine, study_id: int) -> float:
    """Return the seconds spent in the study so far, without moving its clock."""
    rows = _rows(engine, "spent", study_id=study_id)
    return float(rows[0][0]) if rows else 0.0


def state(engine: sqlalchemy.Engine, trial_id: int) -> str | None:
    """Return the trial's state as Optuna names it (`RUNNING`, `COMPLETE`, …), or None when there is no such trial."""
    rows = _rows(engine, "state", trial_id=trial_id)
    return str(rows[0][0]) if rows else None


def _rows(engine: sqlalchemy.Engine, name: Name, **parameters: object) -> list[sqlalchemy.Row[Any]]:
    with engine.begin() as connection:
        return list(connection.execute(query(name), parameters).all())

"""What was recorded of trials and studies beside what Optuna keeps: metrics of every epoch, counts, the clock.

Every function is one statement in one transaction and may be called again after an outage. Raises what SQLAlchemy
raises; see `search.postgres.failures`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy

from search.postgres.failures import Superseded
from search.postgres.locks import Kind
from search.postgres.queries import Name, query


@dataclass(frozen=True)
class Parameter:
    """A parameter as Optuna stores it: its internal value, and its distribution in Optuna's JSON."""

    name: str
    value: float
    distribution: str


@dataclass(frozen=True)
class Survey:
    """What a claim must know of a study: seconds spent, trials started, some attributes, and owned trials' ids."""

    spent: float
    started: int
    attributes: Mapping[str, Any]
    owned: frozenset[int]


def record_epoch(
    engine: sqlalchemy.Engine, trial_id: int, epoch: int, metrics: Mapping[str, float], objective: str | None = None
) -> None:
    """Record the metrics of one epoch (1-based); a repeated epoch replaces the earlier one. NaN and inf are fine.

    `objective` names the metric that pruners judge by, stored as Optuna's intermediate value of that step too.
    Raises Superseded when the trial has ended, and KeyError when it isn't there any more, since its study was deleted.
    """
    judged = None if objective is None else float(metrics[objective])
    parameters = {
        "trial_id": trial_id,
        "epoch": epoch,
        "metrics": list(metrics),
        "values": [float(value) for value in metrics.values()],
        "objective": judged if judged is not None and math.isfinite(judged) else None,
        "kind": None if judged is None else _kind(judged),
    }
    with engine.begin() as connection:
        recorded = connection.execute(query("record_epoch"), parameters).rowcount
    if metrics and recorded == 0:
        if state(engine, trial_id) is None:
            raise KeyError(f"there is no trial id {trial_id}")
        raise Superseded(trial_id)  # while we were cut off, somebody else has brought it to its end


def _kind(value: float) -> str:
    """Return what Optuna writes beside an intermediate value, since not every database holds NaN and infinity."""
    if math.isnan(value):
        return "NAN"
    return "FINITE" if math.isfinite(value) else "INF_POS" if value > 0 else "INF_NEG"


def make_study(engine: sqlalchemy.Engine, name: str, directions: Sequence[str], attribute: tuple[str, Any]) -> None:
    """Make a study with one user attribute (key, JSON value). Directions are Optuna's names: MINIMIZE, MAXIMIZE."""
    key, value = attribute
    given = {"name": name, "directions": list(directions), "key": key, "value": json.dumps(value)}
    with engine.begin() as connection:
        connection.execute(query("make_study"), given)


def record_parameters(engine: sqlalchemy.Engine, trial_id: int, parameters: Sequence[Parameter]) -> None:
    """Store parameters of a running trial; those that are stored already stay as they are."""
    given = {
        "trial_id": trial_id,
        "names": [parameter.name for parameter in parameters],
        "values": [parameter.value for parameter in parameters],
        "distributions": [parameter.distribution for parameter in parameters],
    }
    with engine.begin() as connection:
        connection.execute(query("record_parameters"), given)


def record_attributes(engine: sqlalchemy.Engine, trial_id: int, attributes: Mapping[str, Any]) -> None:
    """Store facts about a running trial (JSON values) as its user attributes."""
    values = [json.dumps(value) for value in attributes.values()]
    with engine.begin() as connection:
        given = {"trial_id": trial_id, "keys": list(attributes), "values": values}
        connection.execute(query("record_attributes"), given)


def survey(engine: sqlalchemy.Engine, study_id: int, keys: Sequence[str]) -> Survey:
    """Move the study's clock on, and return what a claim must know, with the attributes `keys`."""
    row = _rows(engine, "survey", study_id=study_id, keys=list(keys), kind=int(Kind.TRIAL))[0]
    return Survey(float(row.spent), int(row.started), row.attributes or {}, frozenset(row.owned or ()))


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

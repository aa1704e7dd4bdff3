from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import sqlalchemy
from databases import Rows

from search.postgres import records
from search.postgres.connection import connect
from search.postgres.failures import Superseded


@pytest.fixture
def engine(database: str) -> Iterator[sqlalchemy.Engine]:
    engine = connect(database)
    yield engine
    engine.dispose()


def test_epochs_are_kept_and_repeated_ones_replaced(engine: sqlalchemy.Engine, rows: Rows) -> None:
    trial = rows.trial(rows.study())
    records.record_epoch(engine, trial, 2, {"loss": 0.5, "val_accuracy": 0.9})
    records.record_epoch(engine, trial, 1, {"loss": 1.5, "val_accuracy": 0.1})
    records.record_epoch(engine, trial, 2, {"loss": 0.25})
    found = records.epochs(engine, trial)
    assert found == {1: {"loss": 1.5, "val_accuracy": 0.1}, 2: {"loss": 0.25, "val_accuracy": 0.9}}
    assert list(found) == [1, 2]


def test_any_value_and_any_name_can_be_recorded(engine: sqlalchemy.Engine, rows: Rows) -> None:
    trial = rows.trial(rows.study())
    metrics = {
        "nan": math.nan,
        "inf": math.inf,
        "-inf": -math.inf,
        "tiny": 5e-324,
        'it\'s {a} %s "metric" :x': 0.1 + 0.2,
    }
    records.record_epoch(engine, trial, 1, metrics)
    found = records.epochs(engine, trial)[1]
    assert math.isnan(found.pop("nan"))
    assert found == {name: value for name, value in metrics.items() if name != "nan"}
    records.record_epoch(engine, trial, 2, {})
    assert list(records.epochs(engine, trial)) == [1]


def test_nothing_is_recorded_for_a_trial_that_has_ended(engine: sqlalchemy.Engine, rows: Rows) -> None:
    trial = rows.trial(rows.study(), "COMPLETE")
    with pytest.raises(Superseded):
        records.record_epoch(engine, trial, 1, {"loss": 0.5})
    assert records.epochs(engine, trial) == {}


def test_epochs_count_from_one(engine: sqlalchemy.Engine, rows: Rows) -> None:
    trial = rows.trial(rows.study())
    with pytest.raises(sqlalchemy.exc.IntegrityError):
        records.record_epoch(engine, trial, 0, {"loss": 0.5})


def test_the_last_epochs_are_those_of_running_trials_of_the_study(engine: sqlalchemy.Engine, rows: Rows) -> None:
    study, other = rows.study(), rows.study("other")
    one, two, silent, elsewhere = rows.trial(study), rows.trial(study), rows.trial(study), rows.trial(other)
    for trial, epoch in ((one, 1), (one, 2), (two, 1), (elsewhere, 3)):
        records.record_epoch(engine, trial, epoch, {"loss": epoch / 2, "accuracy": 0.5})
    rows.ask("UPDATE trials SET state = 'COMPLETE' WHERE trial_id = :id RETURNING 1", id=two)
    assert records.last_epochs(engine, study) == {one: (2, {"loss": 1.0, "accuracy": 0.5})}
    assert silent not in records.last_epochs(engine, study)


def test_what_was_started_counts_once_and_what_waits_does_not(engine: sqlalchemy.Engine, rows: Rows) -> None:
    study, other = rows.study(), rows.study("other")
    for state in ("RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING"):
        rows.trial(study, state)
    rows.trial(other)
    assert records.survey(engine, study, ()).started == 4


def test_the_clock_counts_the_time_between_ticks_unless_nobody_worked(engine: sqlalchemy.Engine, rows: Rows) -> None:
    study = rows.study()
    assert records.spent(engine, study) == 0
    assert records.tick(engine, study, fresh=False) == 0

    def seen(seconds_ago: int) -> None:
        rows.ask(f"UPDATE search_clock SET seen = now() - interval '{seconds_ago} s' RETURNING 1")

    seen(seconds_ago=100)
    assert records.tick(engine, study, fresh=False) == pytest.approx(100, abs=5)
    seen(seconds_ago=1000)
    assert records.tick(engine, study, fresh=True) == pytest.approx(100, abs=5)
    seen(seconds_ago=50)
    assert records.tick(engine, study, fresh=False) == pytest.approx(150, abs=10)
    seen(seconds_ago=-1000)  # the server's clock was set back
    assert records.tick(engine, study, fresh=False) == pytest.approx(150, abs=10)
    assert records.spent(engine, study) == pytest.approx(150, abs=10)


def test_the_state_of_a_trial_is_optunas_word(engine: sqlalchemy.Engine, rows: Rows) -> None:
    trial = rows.trial(rows.study(), "PRUNED")
    assert records.state(engine, trial) == "PRUNED"
    assert records.state(engine, trial + 1) is None

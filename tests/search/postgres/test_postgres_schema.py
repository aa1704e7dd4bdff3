from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import optuna
import pytest
import sqlalchemy
from databases import make_optuna_tables, new_database
from sqlalchemy import make_url

from search.errors import InputError
from search.postgres import queries, records, schema
from search.postgres.connection import connect
from search.postgres.ownership import Ownership


def make_schema(url: str) -> bool:
    engine = connect(url)
    schema.make(engine, make_optuna_tables(url))
    made = schema.exists(engine)
    engine.dispose()
    return made


def test_six_processes_at_once_make_the_tables_once(empty_database: str) -> None:
    with ProcessPoolExecutor(6, multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(make_schema, [empty_database] * 6)) == [True] * 6
    study = optuna.create_study(storage=empty_database)
    study.tell(study.ask(), 1.0)
    assert len(study.trials) == 1


def test_tables_that_were_half_made_are_completed(empty_database: str) -> None:
    engine = connect(empty_database)
    with pytest.raises(RuntimeError, match="killed"):
        schema.make(engine, lambda: (_ for _ in ()).throw(RuntimeError("killed")))
    make_optuna_tables(empty_database)()
    assert not schema.exists(engine)
    schema.make(engine, make_optuna_tables(empty_database))
    assert schema.exists(engine)
    engine.dispose()


def test_nothing_is_made_when_everything_is_there(database: str) -> None:
    engine = connect(database)
    schema.make(engine, lambda: pytest.fail("made again"))
    engine.dispose()


def test_optuna_may_use_the_engine_with_its_one_connection(empty_database: str) -> None:
    engine = connect(empty_database)

    def create() -> None:
        optuna.storages._rdb.models.BaseModel.metadata.create_all(engine)
        make_optuna_tables(empty_database)()

    schema.make(engine, create)
    assert schema.exists(engine)
    engine.dispose()


def test_a_deleted_study_takes_its_records_along(database: str) -> None:
    engine = connect(database)
    study = optuna.create_study(storage=database, study_name="gone")
    trial = study.ask()
    records.record_epoch(engine, trial._trial_id, 1, {"loss": 1.0})
    records.tick(engine, study._study_id, fresh=True)
    optuna.delete_study(storage=database, study_name="gone")
    with engine.connect() as connection:
        for table in ("search_epochs", "search_clock"):
            assert connection.execute(sqlalchemy.text(f"SELECT count(*) FROM {table}")).scalar() == 0
    engine.dispose()


def test_a_role_without_the_right_to_make_tables_can_work(debian: str) -> None:
    with new_database(debian.replace("postgresql:", "postgresql+psycopg2:")) as url:
        owner = connect(url)
        with owner.begin() as connection:
            connection.execute(sqlalchemy.text("CREATE ROLE worker LOGIN PASSWORD 'w'"))
        worker_url = make_url(url).set(username="worker", password="w").render_as_string(hide_password=False)
        worker = connect(worker_url)
        with pytest.raises(InputError, match="permission denied"):
            schema.make(worker, make_optuna_tables(worker_url))
        schema.make(owner, make_optuna_tables(url))
        with owner.begin() as connection:
            rights = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO worker"
            connection.execute(sqlalchemy.text(rights))
            connection.execute(sqlalchemy.text("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO worker"))
        schema.make(worker, lambda: pytest.fail("made again"))
        study = optuna.create_study(storage=worker_url)
        trial = study.ask()
        ownership = Ownership(worker)
        assert ownership.join(study._study_id)
        assert ownership.try_own(trial._trial_id)
        records.record_epoch(worker, trial._trial_id, 1, {"loss": 1.0})
        records.tick(worker, study._study_id, fresh=False)
        assert records.epochs(worker, trial._trial_id) == {1: {"loss": 1.0}}
        ownership.close()
        owner.dispose()


def test_every_query_has_its_name_and_its_sentence() -> None:
    assert len(queries.load()) > 10
    text = "-- name: tick\n-- Ticks.\nSELECT 1\n"
    with pytest.raises(ValueError, match="missing: epochs, "):
        queries.load(text)
    with pytest.raises(ValueError, match="unknown: tock"):
        queries.load(text.replace("tick", "tock"))
    with pytest.raises(ValueError, match="twice: tick"):
        queries.load(text * 2)
    with pytest.raises(ValueError, match="without a sentence: tick"):
        queries.load(text.replace("-- Ticks.\n", ""))

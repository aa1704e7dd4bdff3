"""Databases of their own for tests, and rows in them."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import optuna
import sqlalchemy
from sqlalchemy import make_url

_numbers = itertools.count(1)


def database_of(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def make_optuna_tables(url: str) -> Callable[[], None]:
    def make() -> None:
        optuna.storages.RDBStorage(url).engine.dispose()

    return make


@contextlib.contextmanager
def new_database(url: str, template: str = "template1") -> Iterator[str]:
    admin = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool)
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with admin.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        yield database_of(url, name)
        connection.execute(sqlalchemy.text(f"DROP DATABASE {name} WITH (FORCE)"))


@dataclass
class Rows:
    """Writes rows as Optuna would, and asks, over a connection of its own."""

    engine: sqlalchemy.Engine

    def ask(self, statement: str, **given: object) -> Any:
        with self.engine.begin() as connection:
            return connection.execute(sqlalchemy.text(statement), given).scalar()

    def study(self, name: str = "digits") -> int:
        return int(self.ask("INSERT INTO studies (study_name) VALUES (:name) RETURNING study_id", name=name))

    def trial(self, study_id: int, state: str = "RUNNING") -> int:
        statement = (
            "INSERT INTO trials (number, study_id, state) SELECT count(*), :study_id, CAST(:state AS trialstate) "
            "FROM trials WHERE study_id = :study_id RETURNING trial_id"
        )
        return int(self.ask(statement, study_id=study_id, state=state))

    def terminate(self, application: str) -> None:
        """End the sessions of that application, as a restart of the server or a broken link would."""
        statement = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name = :name"
        assert self.ask(statement, name=application) > 0

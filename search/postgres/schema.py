"""Are the tables there, and who makes them? Once, by one process, under a lock."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy

from search.errors import InputError
from search.postgres.failures import explain
from search.postgres.locks import Kind
from search.postgres.queries import query


def exists(engine: sqlalchemy.Engine) -> bool:
    """Whether all tables are there, Optuna's and ours."""
    with engine.connect() as connection:
        return bool(connection.execute(query("has_tables")).scalar_one())


def make(engine: sqlalchemy.Engine, create_optuna_tables: Callable[[], None]) -> None:
    """Make all tables unless they are there already; any number of processes may call this at once.

    `create_optuna_tables` may use `engine` or one of its own, and must bear being called again after it was cut short.
    Nothing is done, and no right to make tables is needed, when everything is there. Raises InputError when the right
    is needed and missing. Call it before an `Ownership` holds anything on the same engine.
    """
    if exists(engine):
        return
    with engine.connect() as guard:
        # The lock lives on a connection of its own, so that the pool's only place is free for Optuna.
        guard.detach()
        guard.execute(query("lock"), {"kind": Kind.SCHEMA, "key": 0})
        guard.commit()
        if exists(engine):
            return
        try:
            create_optuna_tables()
            with engine.begin() as connection:
                connection.execute(query("make_epochs"))
                connection.execute(query("make_clock"))
        except Exception as error:
            reason = explain(error, engine.url.render_as_string(hide_password=False))
            if isinstance(reason, InputError):
                raise reason from error
            raise

"""How do we connect to the storage, and what do its failures mean?"""

from __future__ import annotations

from typing import Any

import sqlalchemy

from search.errors import InputError
from search.postgres.failures import explain, is_outage
from search.postgres.queries import query
from search.postgres.silence import limit_waits
from search.postgres.url import hidden, normalise, session_options

__all__ = ["connect", "engine_options", "expect_room", "explain", "hidden", "is_outage", "normalise"]

limit_waits()

OLDEST = (14,)  # the first one that can wait for the end of a session it terminates, and ends idle ones

# The server lets go of what a session holds when its machine or the network is gone (by default after two hours), and
# when its process was stopped in the middle of a transaction; never while a trial trains without asking anything. Over
# a Unix socket the first four say nothing.
_SESSION = {
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
    "idle_session_timeout": "0",
}


def engine_options(application: str, url: str = "") -> dict[str, Any]:
    """Return the keyword arguments for `create_engine`: one connection, UTC, and a dead link that both ends notice.

    `application` is what pg_stat_activity shows. The session options that `url` sets win, but for the time zone.
    """
    ours = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
    options = [ours, session_options(url) if url else "", "-c timezone=UTC"]
    return {
        "pool_size": 1,
        "max_overflow": 0,
        "pool_pre_ping": True,
        "pool_timeout": 10,
        "connect_args": {
            "application_name": application,
            "options": " ".join(option for option in options if option),
            "connect_timeout": 5,
            "keepalives": 1,
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        },
    }


def connect(url: str, application: str = "search") -> sqlalchemy.Engine:
    """Return an engine with one connection for our own statements, tried once.

    Raises InputError when the server refuses us, is too old or is behind a pooler, and StorageUnavailable when it can't
    be reached.
    """
    url = normalise(url)
    engine = sqlalchemy.create_engine(url, **engine_options(application, url))
    try:
        with engine.connect() as connection:
            _expect_locks_to_work(connection, url)
    except sqlalchemy.exc.DBAPIError as error:
        engine.dispose()
        raise explain(error, url) from None
    except InputError:
        engine.dispose()
        raise
    return engine


def expect_room(engine: sqlalchemy.Engine, workers: int) -> None:
    """Raise InputError unless the server has connections for so many workers, and for who started them."""
    with engine.connect() as connection:
        room = connection.execute(query("room")).scalar_one()
    if workers + 1 > room:
        raise InputError(
            f"{workers} workers need {workers + 1} connections to the database, one each and one for this command; "
            f"it allows {room}.",
            f"Ask for at most {room - 1} workers (--workers, --per-gpu), or raise the server's max_connections or the "
            "limit of the role or the database.",
        )


def _expect_locks_to_work(connection: sqlalchemy.Connection, url: str) -> None:
    version = connection.dialect.server_version_info or OLDEST
    if version < OLDEST:
        raise InputError(
            f"The database at {hidden(url)} is PostgreSQL {version[0]}.", f"Use PostgreSQL {OLDEST[0]} or newer."
        )
    session: Any = connection.connection.dbapi_connection
    if session.info.backend_pid != connection.execute(query("session")).scalar():
        # Locks would belong to whichever session the pooler picks for a transaction, and trials to nobody or to two.
        raise InputError(
            f"A connection pooler (PgBouncer or the like) stands before the database at {hidden(url)}.",
            "Use the URL of PostgreSQL itself: workers own their trials by locks of their session.",
        )

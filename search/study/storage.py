"""How Optuna reaches PostgreSQL: one connection, that owns what its worker owns, and calls that outlast an outage."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import optuna
import sqlalchemy
from sqlalchemy import Engine

from search.errors import InputError, StorageUnavailable
from search.postgres import schema
from search.postgres.connection import connect, engine_options, is_outage
from search.postgres.ownership import Ownership
from search.postgres.queries import query
from search.postgres.server import StoppedOnPurpose
from search.study.lean import LeanStorage

T = TypeVar("T")

log = logging.getLogger(__name__)

PATIENCE = 600.0  # seconds that a call waits for a storage that went away
LEAVING = 5.0  # as many if the process was asked to leave
LONGEST_PAUSE = 2.0


@dataclass(frozen=True)
class Storage:
    """Optuna's storage, the engine below it (a pool of one connection), and the ownership bound to that connection.

    `restart` brings the embedded server back after an outage; None for a server of the user's own. `leaving` says
    whether this process was asked to leave.
    """

    url: str
    backend: LeanStorage = field(repr=False)
    engine: Engine = field(repr=False)
    ownership: Ownership = field(repr=False)
    restart: Callable[[], object] | None = field(default=None, repr=False)
    leaving: Callable[[], bool] = field(default=lambda: False, repr=False)
    told: set[str] = field(default_factory=set, repr=False, compare=False)  # why the server did not start

    def again(self, call: Callable[[], T], patience: float = PATIENCE) -> T:
        """Return what `call` returns, calling it again while the storage is away.

        `call` must be one thought that may be repeated. Raises StorageUnavailable after `patience` seconds, or soon if
        the process was asked to leave; what the ownership raises when the trial went to somebody else passes through.
        """
        started, pause = time.monotonic(), 0.05
        while True:
            try:
                return call()
            except Exception as error:
                if not is_outage(error):
                    raise
                waited = time.monotonic() - started
                if waited > (min(patience, LEAVING) if self.leaving() else patience):
                    raise StorageUnavailable(
                        f"the storage has been away for {waited:.0f} s; the same command continues when it is back"
                    ) from error
                log.warning("the storage is away (%s); trying again", type(error).__name__)
            time.sleep(pause * (0.5 + random.random()))
            pause = min(pause * 2, LONGEST_PAUSE)
            self.try_restart()

    def try_restart(self) -> None:
        """Bring the embedded server back, if it is ours and can be had now."""
        if self.restart is None:
            return
        try:
            self.restart()
            self.told.clear()
        except StoppedOnPurpose:
            raise
        except Exception as error:
            level = logging.DEBUG if str(error) in self.told else logging.WARNING
            self.told.add(str(error))
            log.log(level, "the embedded server did not start: %s", error)

    def close(self) -> None:
        """Give back the connection, and with it everything that is owned."""
        self.ownership.close()
        self.engine.dispose()


def make_schema(url: str) -> None:
    """Create Optuna's tables and ours if they aren't there, safely under a lock. Raises SearchError."""

    def optuna_tables() -> None:
        options = {**engine_options("search-schema", url), "pool_size": 3}
        optuna.storages.RDBStorage(url, engine_kwargs=options).engine.dispose()

    engine = connect(url, "search-schema")
    try:
        schema.make(engine, optuna_tables)
    finally:
        engine.dispose()


def open_storage(
    url: str,
    application: str,
    restart: Callable[[], object] | None = None,
    leaving: Callable[[], bool] = lambda: False,
) -> Storage:
    """Open the storage of a process: one connection; tables are made if need be.

    Raises SearchError; InputError if the tables are those of another version of Optuna.
    """
    make_schema(url)
    _let_optuna_log_as_we_do()
    own = _backend(url, application, ping=False)  # `again` notices a dead connection as well
    _check_version(own)
    return Storage(url, LeanStorage(own), own.engine, Ownership(own.engine), restart, leaving)


def shared_storage(
    url: str, application: str, connections: int = 8, restart: Callable[[], object] | None = None
) -> optuna.storages.BaseStorage:
    """Open a cached storage that several threads may use: for the dashboard. The schema must exist.

    `restart` brings the server back when it can't be reached, whenever a connection is needed.
    """
    own = _backend(url, application, pool_size=connections)
    _check_version(own)
    if restart is not None:
        _restart_when_gone(own.engine, restart)
    _let_optuna_log_as_we_do()
    return optuna.storages.get_storage(own)


def _restart_when_gone(engine: Engine, restart: Callable[[], object]) -> None:
    @sqlalchemy.event.listens_for(engine, "do_connect")
    def connect_or_restart(dialect: Any, record: Any, arguments: Any, options: Any) -> Any:
        try:
            return dialect.connect(*arguments, **options)
        except Exception as error:
            if not is_outage(error):
                raise
        restart()
        return dialect.connect(*arguments, **options)


class _Backend(optuna.storages.RDBStorage):
    def delete_study(self, study_id: int) -> None:
        """Delete a study for good: Optuna's own gives up without a word when a worker writes in the same moment."""
        session = self.scoped_session()  # one per thread: Optuna goes on in this transaction
        try:
            for rows in ("hold_study", "hold_trials"):
                session.execute(query(rows), {"study_id": study_id})
        except BaseException:
            session.close()
            raise
        super().delete_study(study_id)


def _backend(url: str, application: str, pool_size: int = 1, ping: bool = True) -> _Backend:
    options = {**engine_options(application, url), "pool_size": pool_size, "pool_pre_ping": ping}
    # With a pool of one, Optuna's own check of the version would wait for a second connection: see `_check_version`.
    return _Backend(url, engine_kwargs=options, skip_compatibility_check=True, skip_table_creation=True)


def _check_version(backend: optuna.storages.RDBStorage) -> None:
    """Raise InputError unless the tables are those that this Optuna makes; nothing is changed."""
    theirs, ours = backend.get_current_version(), backend.get_head_version()
    if theirs == ours:
        return
    backend.engine.dispose()
    way_out = (
        "back the database up, then: optuna storage upgrade --storage URL"
        if theirs in backend.get_all_versions()
        else f"install a newer Optuna here (this is {optuna.__version__})"
    )
    raise InputError(
        f"the database's tables are those of another version of Optuna: {theirs}, expected {ours}; {way_out}; "
        "or name another database in SEARCH_STORAGE"
    )


def _let_optuna_log_as_we_do() -> None:
    optuna.logging.disable_default_handler()
    optuna.logging.enable_propagation()
    optuna.logging.set_verbosity(optuna.logging.WARNING)

"""Who owns what? A worker's claims are session advisory locks on its only connection, so they end when it ends.

The server drops the locks with the connection: a worker that is killed or cut off from the network owns nothing. A new
connection takes everything back before any statement runs on it, so whoever lost a trial can't write.
Locks of a session need a session: a pooler that shares connections out by transaction can't stand in between.
https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import psycopg2
import sqlalchemy
from sqlalchemy import event

from search.postgres.failures import Superseded, is_cut
from search.postgres.locks import Kind
from search.postgres.queries import Name, query

_PATIENCE = 60.0  # seconds to wait for our turn to ask before it counts as an outage
_SILENCE = "30s"  # without a statement while it is our turn; then it is over
_LOCK_NOT_AVAILABLE = "55P03"


class LockLost(psycopg2.OperationalError):
    """The connection was lost while asking. An outage: leave `asking` and begin the claim again."""


class Ownership:
    """The claims of one worker, in one thread, on an engine whose pool has one connection.

    Every method may raise what SQLAlchemy raises in an outage (call it again), or Superseded when a reconnection found
    our trial taken by another worker. `owned` is the trial's id, or None.
    """

    def __init__(self, engine: sqlalchemy.Engine) -> None:
        self.owned: int | None = None
        self._engine = engine
        self._study: int | None = None
        self._asking: int | None = None
        self._superseded = False
        self._session: dict[str, Any] | None = None
        event.listen(engine, "do_connect", self._connect)
        # A connection that was made before nobody listened would go on without a known session behind it.
        engine.dispose()

    def join(self, study_id: int) -> bool:
        """Be present in the study until `close`; return whether no other worker is. Of several at once one is alone."""
        with self._engine.begin() as connection:
            alone = _ask(connection, "try_lock", Kind.PRESENCE, study_id)
            _ask(connection, "lock_shared", Kind.PRESENCE, study_id)
            if alone:
                _ask(connection, "unlock", Kind.PRESENCE, study_id)
            self._study = study_id
        return alone

    def open(self, study_id: int) -> None:
        """Be known as one who has opened the study, until `close` or until the connection is lost."""
        with self._engine.begin() as connection:
            _ask(connection, "lock_shared", Kind.OPENED, study_id)

    @contextlib.contextmanager
    def asking(self, study_id: int) -> Iterator[None]:
        """Be the only one in the study that counts and asks.

        When the connection is lost inside, every further statement inside raises an outage: retry the whole block, not
        its parts. The server ends the connection when it hears nothing for half a minute, so that a process that is
        stopped inside doesn't stop the others. An outage is also raised when our turn doesn't come within a minute.
        """
        self._wait_for_turn(study_id)
        try:
            yield
        finally:
            self._asking = None
            self._unlock(Kind.ASKING, study_id, "unlock_awake")

    def try_own(self, trial_id: int) -> bool:
        """Own the trial, unless another worker owns it."""
        self._expect_nothing_owned(trial_id)
        with self._engine.begin() as connection:
            got = _ask(connection, "try_lock", Kind.TRIAL, trial_id)
        # Only now: had the connection broken before, the lock would have ended with it.
        self.owned = trial_id if got else None
        return got

    def own(self, trial_id: int) -> None:
        """Own the trial; raises Superseded when another worker was faster."""
        if not self.try_own(trial_id):
            raise Superseded(trial_id)

    def release(self) -> None:
        """Own no trial any more. After Superseded nothing else works until this is called."""
        trial_id, self.owned, self._superseded = self.owned, None, False
        if trial_id is not None:
            self._unlock(Kind.TRIAL, trial_id)

    def owners(self) -> set[int]:
        """Return the ids of all trials in this database that any worker owns now."""
        return set(self._holders(Kind.TRIAL))

    def workers(self, study_id: int) -> int:
        """Return how many workers are present in the study now."""
        return self._holders(Kind.PRESENCE).get(study_id, 0)

    def in_use(self, study_id: int) -> bool:
        """Say whether anybody has opened the study or works in it now."""
        return any(study_id in self._holders(kind) for kind in (Kind.OPENED, Kind.PRESENCE))

    def close(self) -> None:
        """Let everything go and close the connection; the engine can still be used, without owning anything."""
        self.owned, self._study, self._asking, self._superseded = None, None, None, False
        if event.contains(self._engine, "do_connect", self._connect):
            event.remove(self._engine, "do_connect", self._connect)
        self._engine.dispose()

    def _connect(self, dialect: Any, record: Any, arguments: Any, parameters: Any) -> Any:
        """Connect and take back everything; the pool never sees a connection that doesn't have it all."""
        if self._asking is not None:
            raise LockLost("the connection was lost while asking for a trial")
        if self._superseded and self.owned is not None:
            # Even if the other worker is done by now: what we still hold in memory is older than what it wrote.
            raise Superseded(self.owned)
        connection = dialect.connect(*arguments, **parameters)
        try:
            with connection.cursor() as cursor:
                self._take_back(lambda name, **given: _raw(dialect, cursor, name, given))
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection

    def _take_back(self, ask: Any) -> None:
        if self._session is not None and (self.owned, self._study) != (None, None):
            # The server may not have noticed that our last connection is dead: we would be superseded by ourselves.
            ask("evict", **self._session)
        if self.owned is not None and not ask("try_lock", kind=Kind.TRIAL, key=self.owned)[0]:
            self._superseded = True
            raise Superseded(self.owned)
        if self._study is not None:
            ask("lock_shared", kind=Kind.PRESENCE, key=self._study)
        self._session = dict(zip(("pid", "backend_start"), ask("who_am_i"), strict=True))

    def _wait_for_turn(self, study_id: int) -> None:
        if self._asking is not None:
            raise RuntimeError(f"already asking in study id {self._asking}")
        patience = time.monotonic() + _PATIENCE
        while self._asking is None:
            try:
                with self._engine.begin() as connection:
                    # psycopg2 answers no signal while it waits for the server, so the wait is cut into seconds.
                    connection.execute(query("wait_at_most"), {"wait": "1s"})
                    given = {"kind": int(Kind.ASKING), "key": study_id, "silence": _SILENCE}
                    connection.execute(query("lock_awake"), given)
                self._asking = study_id
            except sqlalchemy.exc.OperationalError as error:
                if getattr(error.orig, "pgcode", "") != _LOCK_NOT_AVAILABLE or time.monotonic() > patience:
                    raise

    def _unlock(self, kind: Kind, key: int, how: Name = "unlock") -> None:
        try:
            with self._engine.begin() as connection:
                _ask(connection, how, kind, key)
        except sqlalchemy.exc.DBAPIError as error:
            if not is_cut(error):  # else the lock has ended with its connection
                raise

    def _holders(self, kind: Kind) -> dict[int, int]:
        with self._engine.begin() as connection:
            rows = connection.execute(query("holders"), {"kind": kind})
            return {row.key: row.sessions for row in rows}

    def _expect_nothing_owned(self, trial_id: int) -> None:
        if self.owned is not None:
            raise RuntimeError(f"can't own trial id {trial_id} while owning trial id {self.owned}: release it first")


def _ask(connection: sqlalchemy.Connection, name: Name, kind: Kind, key: int) -> bool:
    return bool(connection.execute(query(name), {"kind": int(kind), "key": key}).scalar())


def _raw(dialect: Any, cursor: Any, name: Name, given: dict[str, Any]) -> Any:
    given = {key: int(value) if isinstance(value, Kind) else value for key, value in given.items()}
    cursor.execute(str(query(name).compile(dialect=dialect)), given)
    return cursor.fetchone()

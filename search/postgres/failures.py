"""What went wrong with the database: an outage that passes, or something the user has to change?"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import sqlalchemy.exc

from search.errors import InputError, SearchError, StorageUnavailable
from search.postgres.url import hidden, scrubbed


class Superseded(Exception):  # noqa: N818 (another worker going on with the trial is not an error)
    """The connection was lost and another worker has taken our trial: let the trial go and ask for a new one."""

    def __init__(self, trial_id: int) -> None:
        self.trial_id = trial_id
        super().__init__(f"trial id {trial_id} is owned by another worker now")


# SQLSTATE codes and classes, https://www.postgresql.org/docs/current/errcodes-appendix.html
_PASSING = ("08", "40", "53", "55P03", "57P01", "57P02", "57P03", "57P05", "57014", "25P03", "25006", "58")

_POOLER = (
    "A connection pooler (PgBouncer or the like) stands there. Use the URL of PostgreSQL itself: workers own their "
    "trials by locks of their session."
)

# A refused connection has no SQLSTATE in psycopg2, only a text. Whatever is not listed here counts as an outage,
# since giving up during an outage loses more than trying too long with a wrong password.
_REFUSALS = (
    ("unsupported startup parameter", _POOLER),
    ("statement pooling mode", _POOLER),
    ("password authentication failed", "Check the user name and the password."),
    ("no password supplied", "Put the password into the URL, or into a file named by PGPASSFILE (mode 0600)."),
    ("Peer authentication failed", "Connect as the operating system's user that the server's pg_hba.conf expects."),
    ("Ident authentication failed", "Use a role with a password, or change the server's pg_hba.conf."),
    ("authentication failed", "Check the user name, the password and the server's pg_hba.conf."),
    ("no pg_hba.conf entry", "Let this host, role and database in, in the server's pg_hba.conf."),
    ("is not permitted to log in", "Give the role the right to log in: ALTER ROLE … LOGIN."),
    ("Permission denied", "Run as an account that may use this socket."),
    ("permission denied", "Give the role the right to connect: GRANT CONNECT ON DATABASE … TO …."),
    ("does not exist", "Check the names in the URL, or make what is missing (createdb, createuser)."),
    ("does not support SSL", "Remove sslmode from the URL, or let the server speak SSL."),
    ("certificate", "Check sslmode, sslrootcert and the host name in the URL."),
    ("invalid connection option", "Check the part of the URL after the question mark."),
    ("invalid integer value", "Check the numbers in the URL."),
    ("invalid port number", "Check the port in the URL."),
    ("invalid sslmode value", "Use one of disable, allow, prefer, require, verify-ca, verify-full."),
)
# The same holds for a server whose max_connections, or whose limit for this role or database, is reached.
_FULL = ("too many clients", "connection slots", "too many connections")
_CODES = {
    "28P01": "Check the user name and the password.",
    "28000": "Check the user name, and whether the role may log in.",
    "3D000": "Check the database's name in the URL, or make it: createdb.",
    "3F000": "Check the schema that the URL's options name.",
    "42501": "Give the role this right, or let a role that has it make the tables once.",
}


def is_outage(error: BaseException) -> bool:
    """Whether `error`, or what it was raised from or during, is an outage of the storage that may pass.

    Not a refusal (password, unknown database, missing right), and never `Superseded`.
    """
    passing = False
    for link in _chain(error):
        if isinstance(link, Superseded) or _refusal(link) is not None:
            return False
        passing = passing or _is_passing(link)
    return passing


def has_no_connection(error: BaseException) -> bool:
    """Whether the server runs, but has no connection left for us."""
    return any(
        isinstance(link, psycopg2.Error) and any(words in str(link) for words in _FULL) for link in _chain(error)
    )


def is_cut(error: sqlalchemy.exc.DBAPIError) -> bool:
    """Whether the error ended the connection, and with it all locks that the connection held."""
    return error.connection_invalidated or not _code(error)


def explain(error: BaseException, url: str) -> SearchError:
    """Turn a failure of the database into an error for a person; the password is never in its text."""
    text = next((_text(link) for link in _chain(error) if isinstance(link, psycopg2.Error)), str(error))
    text = scrubbed(text, url)
    for link in _chain(error):
        way_out = _refusal(link)
        if way_out is not None:
            return InputError(f"The database at {hidden(url)} refused: {text}", way_out)
    if has_no_connection(error):
        return StorageUnavailable(
            f"The database at {hidden(url)} has no free connection: {text}",
            "Wait until other clients leave it, or raise its max_connections: each worker needs one.",
        )
    if is_outage(error):
        return StorageUnavailable(
            f"The database at {hidden(url)} can't be reached: {text}",
            "Check that it runs and that the host and port are right, then give the same command again.",
        )
    return SearchError(f"The database at {hidden(url)} gave an error that was not foreseen: {text}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        if isinstance(link, sqlalchemy.exc.DBAPIError) and isinstance(link.orig, BaseException):
            yield link.orig
        link = link.__cause__ if link.__suppress_context__ else link.__context__


def _is_passing(link: BaseException) -> bool:
    if isinstance(link, sqlalchemy.exc.PendingRollbackError | StorageUnavailable):
        # Optuna's RDBStorage swallows an OperationalError in one place and asks again on the dead transaction.
        return True
    if isinstance(link, sqlalchemy.exc.DBAPIError) and link.connection_invalidated:
        return True
    if not isinstance(link, psycopg2.Error | sqlalchemy.exc.DBAPIError):
        return False
    code = _code(link)
    if code:
        return code.startswith(_PASSING)
    return isinstance(
        link,
        psycopg2.OperationalError
        | psycopg2.InterfaceError
        | sqlalchemy.exc.OperationalError
        | sqlalchemy.exc.InterfaceError,
    )


def _refusal(link: BaseException) -> str | None:
    if not isinstance(link, psycopg2.Error):
        return None
    code = _code(link)
    if code:
        return _CODES.get(code)
    if not isinstance(link, psycopg2.OperationalError | psycopg2.ProgrammingError):
        return None
    text = str(link)
    if "No such file or directory" in text or "Connection refused" in text:
        return None
    return next((way_out for words, way_out in _REFUSALS if words in text), None)


def _code(link: BaseException) -> str:
    inner = link.orig if isinstance(link, sqlalchemy.exc.DBAPIError) else link
    return getattr(inner, "pgcode", None) or ""


def _text(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2]) if lines else type(error).__name__

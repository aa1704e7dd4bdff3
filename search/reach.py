"""Where the storage is: a server of the user's own, or the embedded one below the state folder, started if need be."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import URL, make_url

from search.errors import InputError
from search.postgres import server
from search.postgres.connection import hidden, normalise
from search.settings import Settings


@dataclass(frozen=True)
class Reach:
    """How to reach PostgreSQL. `shown` may be printed; `psql` is a shell command, which may need `password`."""

    url: str = field(repr=False)
    shown: str
    psql: str
    password: str | None = field(repr=False)
    restart: Callable[[], object] | None = field(repr=False)
    release: Callable[[], object] = field(repr=False)


def reach(settings: Settings, create: bool = True) -> Reach:
    """Reach the storage of the settings. The embedded server is started; with `create` False only if there is one.

    Raises SearchError.
    """
    if settings.storage.value is not None:
        url = normalise(settings.storage.value)
        plain = make_url(url).set(drivername="postgresql")
        bare = URL.create(**{**plain._asdict(), "password": None}).render_as_string(hide_password=False)
        shown = hidden(url).replace("postgresql+psycopg2://", "postgresql://", 1)
        return Reach(url, shown, f"psql {shlex.quote(bare)}", plain.password, None, lambda: None)
    state, user = settings.state.value, settings.service_user.value
    if not create and not server.exists(state, user=user):
        raise InputError(
            f"there is no study in {state} yet",
            "start one with: python -m search run space.yaml; or say where it is: --state DIR or SEARCH_STORAGE",
        )
    attached = server.ensure(state, binaries=settings.binaries.value, user=user)
    return Reach(
        attached.url, f"the embedded PostgreSQL in {state}", attached.psql, None, attached.revive, attached.release
    )

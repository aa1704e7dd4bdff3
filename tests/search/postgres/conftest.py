from __future__ import annotations

from collections.abc import Iterator

import pytest
from databases import Rows, make_optuna_tables, new_database
from server_project import Project, new_project, skip_unless_ordinary_possible
from servers import debian_server, reachable_folder
from sqlalchemy import make_url

from search.postgres import schema, server
from search.postgres.connection import connect


@pytest.fixture(scope="session")
def embedded() -> Iterator[server.Server]:
    """The embedded server, for all tests that only need a database."""
    with reachable_folder() as folder:
        held = server.ensure(folder / "state")
        yield held
        assert held.release()


@pytest.fixture(scope="session")
def debian() -> Iterator[str]:
    """The URL of a server of somebody else's."""
    with debian_server() as url:
        yield url


@pytest.fixture
def empty_database(embedded: server.Server) -> Iterator[str]:
    with new_database(embedded.url) as url:
        yield url


@pytest.fixture(scope="session")
def template(embedded: server.Server) -> Iterator[str]:
    with new_database(embedded.url) as url:
        engine = connect(url)
        schema.make(engine, make_optuna_tables(url))
        engine.dispose()
        yield str(make_url(url).database)


@pytest.fixture
def database(embedded: server.Server, template: str) -> Iterator[str]:
    """The URL of a database of its own, with all tables."""
    with new_database(embedded.url, template) as url:
        yield url


@pytest.fixture
def rows(database: str) -> Iterator[Rows]:
    engine = connect(database, "rows")
    yield Rows(engine)
    engine.dispose()


@pytest.fixture
def project() -> Iterator[Project]:
    with reachable_folder() as folder, new_project(folder, None) as made:
        yield made


@pytest.fixture(params=[None, "nobody"], ids=["as_ourselves", "as_an_ordinary_user"])
def anyones_project(request: pytest.FixtureRequest) -> Iterator[Project]:
    skip_unless_ordinary_possible(request.param)
    with reachable_folder() as folder, new_project(folder, request.param) as made:
        yield made


@pytest.fixture(scope="session")
def embedded_url(embedded: server.Server) -> str:
    return embedded.url

"""A database whose tables another version of Optuna made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy
from servers import embedded_server

from search.errors import InputError
from search.study.storage import make_schema, open_storage, shared_storage


@pytest.mark.parametrize(
    ("version", "way_out"),
    [("v3.0.0.a", "optuna storage upgrade"), ("v99.0.0.a", "install a newer Optuna")],
    ids=["older", "newer"],
)
def test_tables_of_another_optuna_are_refused_with_the_way_out_and_left_as_they_are(
    tmp_path: Path, version: str, way_out: str, record_property: Callable[[str, object], None]
) -> None:
    with embedded_server(tmp_path) as embedded:
        make_schema(embedded.url)
        engine = sqlalchemy.create_engine(embedded.url)
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("UPDATE alembic_version SET version_num = :v"), {"v": version})
        for opened in (open_storage, shared_storage):
            with pytest.raises(InputError, match=f"{version}.*{way_out}"):
                opened(embedded.url, "test")
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).scalar() == version
        engine.dispose()
        record_property(
            "fault", ("tables of an older or newer Optuna", 1, "refused with the way out, left as they are")
        )

"""A worker and a dashboard with the rights of deploy/roles.sql: they do their work, and can do nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import commands
import dashboards
import psycopg2
import pytest
import toys
from servers import debian_server

SECRET = "of-this-test"
CHANGES = ["INSERT INTO search_clock (study_id) VALUES (77)", "UPDATE trials SET number = 9", "DELETE FROM trials"]
RUIN = [
    "ALTER TABLE trials ADD COLUMN more integer", "DROP TABLE search_epochs", "CREATE TABLE more (x integer)",
    "TRUNCATE search_epochs", "DELETE FROM trials", "UPDATE alembic_version SET version_num = 'x'",
]  # fmt: skip


@pytest.fixture(scope="module")
def owner() -> Iterator[str]:
    with debian_server() as url:
        yield url


@pytest.fixture(scope="module")
def project(owner: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[toys.Toy]:
    """Give a study that the owner has begun, in a database where the roles have been made."""
    with toys.toy(tmp_path_factory.mktemp("roles"), "shared", {"SEARCH_STORAGE": owner}) as toy:
        toy.write(body="pass", trials=2, epochs=2)
        done = toy.run("--workers", "1")
        assert done.returncode == 0, done.stderr + done.stdout
        recipe = (commands.ROOT / "deploy" / "roles.sql").read_text()
        for _ in range(2):  # it may be run again
            execute(owner, recipe)
        for role in ("search_worker", "search_dashboard"):
            execute(owner, f"ALTER ROLE {role} PASSWORD '{SECRET}'")
        yield toy


def execute(url: str, statement: str) -> None:
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


def as_role(owner: str, role: str) -> str:
    return f"postgresql://{role}:{SECRET}@{owner.rpartition('@')[2]}"


def test_a_worker_without_other_rights_goes_on_with_the_study(owner: str, project: toys.Toy) -> None:
    env = {"SEARCH_STORAGE": as_role(owner, "search_worker")}
    project.write(body="pass", trials=4, epochs=2)
    done = project.run("--workers", "1", env=env)
    assert done.returncode == 0, done.stderr + done.stdout
    execute(
        owner, "UPDATE study_user_attributes SET value_json = replace(value_json, '\"trials\": 4', '\"trials\": 6')"
    )
    done = commands.run(["worker", "space.yaml"], project.folder, env=env)
    assert done.returncode == 0, done.stderr + done.stdout
    assert toys.trials(owner, "shared") == [(number, "COMPLETE") for number in range(6)]
    assert len(toys.epochs(owner, "shared")) == 12


def test_a_worker_who_may_delete_nothing_is_refused_another_space_though_nothing_has_begun(
    owner: str, project: toys.Toy
) -> None:
    env = {"SEARCH_STORAGE": as_role(owner, "search_worker")}
    space = toys.SPACE.replace("STUDY", "early").replace("epochs: EPOCHS", "epochs: EPOCHS, time: 0.001s")
    for text, code in ((space, 0), (space.replace("[0.0, 1.0]", "[0.0, 2.0]"), 2)):
        project.write(body="pass", trials=2, epochs=2, space=text)
        done = project.run("--workers", "1", env=env)
        assert done.returncode == code, done.stderr + done.stdout
    assert "study 'early' exists with another space" in done.stderr
    assert toys.trials(owner, "early") == [(0, "WAITING")]


@pytest.mark.parametrize("statement", RUIN)
def test_a_worker_can_not_ruin_the_tables(statement: str, owner: str, project: toys.Toy) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        execute(as_role(owner, "search_worker"), statement)


def test_a_dashboard_that_may_only_read_shows_everything(owner: str, project: toys.Toy) -> None:
    env = {"SEARCH_STORAGE": as_role(owner, "search_dashboard")}
    for command in (["status", "shared"], ["best", "shared"]):
        done = commands.run(command, project.folder, env=env)
        assert done.returncode == 0, done.stderr + done.stdout
    with dashboards.dashboard(project.folder, env=env) as dashboard:
        assert dashboard.ask("/dashboard/").status == 200
        assert set(dashboards.states(dashboard.study("shared"))) == {"Complete"}


@pytest.mark.parametrize("statement", CHANGES)
def test_a_dashboard_can_change_nothing(statement: str, owner: str, project: toys.Toy) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        execute(as_role(owner, "search_dashboard"), statement)

from __future__ import annotations

import re

import psycopg2
import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from search.errors import InputError, SearchError, StorageUnavailable
from search.postgres.connection import connect, engine_options, expect_room, explain, hidden, is_outage, normalise
from search.postgres.failures import Superseded
from search.postgres.url import scrubbed

SECRET = "p@ss:w/o#r%d{}"
ENCODED = "p%40ss%3Aw%2Fo%23r%25d%7B%7D"


@pytest.mark.parametrize(
    ("given_url", "expected"),
    [
        ("postgresql://u:p@h/d", "postgresql+psycopg2://u:p@h/d"),
        ("postgres://u:p@h/d", "postgresql+psycopg2://u:p@h/d"),
        ("postgresql+psycopg2://u:p@h/d", "postgresql+psycopg2://u:p@h/d"),
        ("POSTGRES://u:p@h:5433/d", "postgresql+psycopg2://u:p@h:5433/d"),
        ("  postgresql://u:p@h/d\n", "postgresql+psycopg2://u:p@h/d"),
        ("postgresql://h/d", "postgresql+psycopg2://h/d"),
        ("postgresql://", "postgresql+psycopg2:///"),
        ("postgresql:///d?host=/run/postgresql", "postgresql+psycopg2://@/d?host=/run/postgresql"),
        ("postgresql://u@[::1]:5432/d", "postgresql+psycopg2://u@[::1]:5432/d"),
        ("postgresql://u@db.example.com/d?sslmode=verify-full", "postgresql+psycopg2://u@db.example.com/d?sslmode=verify-full"),
        (f"postgresql://u:{SECRET}@h/d", f"postgresql+psycopg2://u:{ENCODED}@h/d"),
        (f"postgresql://u:{ENCODED}@h/d", f"postgresql+psycopg2://u:{ENCODED}@h/d"),
        ("postgresql://me@corp:p@h/d", "postgresql+psycopg2://me%40corp:p@h/d"),
        ("postgresql://u:who?me=no@h/d", "postgresql+psycopg2://u:who%3Fme%3Dno@h/d"),
        ("postgresql://u:100%@h/d", "postgresql+psycopg2://u:100%25@h/d"),
        ("postgresql://u:a b+c@h/d", "postgresql+psycopg2://u:a%20b%2Bc@h/d"),
    ],
)  # fmt: skip
def test_a_url_is_normalised(given_url: str, expected: str) -> None:
    assert normalise(given_url) == expected
    assert normalise(expected) == expected
    assert expected.format() == expected  # Optuna calls format on it


@pytest.mark.parametrize(
    ("given_url", "message"),
    [
        ("sqlite:///study.db", "received sqlite://"),
        (f"mysql://u:{SECRET}@h/d", "received mysql://"),
        (f"postgresq://u:{SECRET}@h/d", "did you mean postgresql://|Did you mean postgresql://"),
        (f"postgresql+asyncpg://u:{SECRET}@h/d", "received postgresql\\+asyncpg://"),
        (f"u:{SECRET}@h/d", "no scheme"),
        ("", "no scheme"),
        (f"postgresql://u:{SECRET}@h/d/e", "can't be read"),
        (f"postgresql://u:{SECRET}@h:port/d", "can't be read"),
        (f"postgresql://u:{SECRET}@h/d?nonsense=1", "can't be read"),
        ("postgresql://u:p@h/d?application_name=me@home", "more than one way"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(given_url: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        normalise(given_url)
    assert_nothing_leaks(str(caught.value))
    assert caught.value.__cause__ is None
    assert_nothing_leaks(hidden(given_url))


def assert_nothing_leaks(text: str) -> None:
    for part in (SECRET, ENCODED, "ss:w", "o#r", "%d"):
        assert part not in text


characters = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=30)


@given(password=characters, user=characters)
def test_any_encoded_password_survives(password: str, user: str) -> None:
    url = sqlalchemy.URL.create("postgresql", user, password, "h", 5432, "d").render_as_string(hide_password=False)
    url = url.replace(" ", "%20").replace("+", "%2B")
    normal = normalise(url)
    assert (make_url(normal).username, make_url(normal).password) == (user, password)
    assert normal.format() == normal


@given(password=st.text(st.sampled_from("@:/?#%{}[]&= +~aZ0é\"'\\"), min_size=1, max_size=12))
def test_a_raw_password_survives_or_is_refused_but_is_never_misread(password: str) -> None:
    if re.search("%[0-9a-fA-F]{2}", password):
        return  # such a text is an encoded character, and nobody can tell that it was meant otherwise
    try:
        normal = normalise(f"postgresql://u:{password}@h/d?sslmode=prefer")
    except InputError:
        return
    assert (make_url(normal).password, make_url(normal).host, make_url(normal).database) == (password, "h", "d")


@given(password=st.text(st.sampled_from("@:/?#%{}[]&= +~xyzé"), min_size=6, max_size=12))
def test_a_password_is_never_shown(password: str) -> None:
    url = f"postgresql://u:{password}@h:5432/d"
    assert password not in hidden(url)
    assert hidden(url) in ("postgresql+psycopg2://u:***@h:5432/d", "postgresql://***")


def test_a_password_among_the_parameters_is_hidden_too() -> None:
    assert hidden("postgresql://u@h/d?password=geheim&sslmode=require") == (
        "postgresql+psycopg2://u@h/d?password=***&sslmode=require"
    )


def test_the_session_options_of_the_url_are_kept() -> None:
    url = "postgresql://u@h/d?options=-c%20search_path%3Dmine"
    assert engine_options("me", url)["connect_args"]["options"].endswith(" -c search_path=mine -c timezone=UTC")
    assert engine_options("me")["connect_args"]["options"].endswith(" -c timezone=UTC")


def test_a_session_has_our_name_and_utc(embedded_url: str) -> None:
    engine = connect(embedded_url, "somebody")
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SHOW timezone")).scalar() == "UTC"
        assert connection.execute(sqlalchemy.text("SHOW application_name")).scalar() == "somebody"
    engine.dispose()


def test_a_password_with_every_special_character_opens_a_server(debian: str) -> None:
    raw = debian.replace(ENCODED, SECRET)
    assert raw != debian
    for url in (debian, raw):
        engine = connect(url)
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text("SELECT current_user")).scalar() == "search"
        engine.dispose()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"password": "wr0ng{}/@"}, "password authentication failed"),
        ({"database": "nowhere"}, '"nowhere" does not exist'),
        ({"username": "stranger"}, "password authentication failed"),
        ({"query": {"sslmode": "require"}}, "does not support SSL"),
    ],
)
def test_a_refusal_of_the_server_is_the_users_to_change(debian: str, change: dict[str, object], message: str) -> None:
    url = make_url(debian).set(**change).render_as_string(hide_password=False)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message) as caught:
        connect(url)
    assert_nothing_leaks(str(caught.value))
    assert "wr0ng" not in str(caught.value)


def test_a_missing_password_is_the_users_to_give(debian: str) -> None:
    with pytest.raises(InputError, match=r"no password supplied(.|\n)*PGPASSFILE"):
        connect(debian.replace(f":{ENCODED}", ""))


def test_a_server_that_is_not_there_is_unavailable(debian: str) -> None:
    url = make_url(debian).set(port=1).render_as_string(hide_password=False)
    with pytest.raises(StorageUnavailable, match="Connection refused") as caught:
        connect(url)
    assert_nothing_leaks(str(caught.value))
    with pytest.raises(StorageUnavailable):
        connect("postgresql://u:p@no-such-host.invalid/d")


def test_the_connections_of_a_limited_role_are_counted(debian: str) -> None:
    admin = connect(debian)
    with admin.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE ROLE few LOGIN PASSWORD 'few' CONNECTION LIMIT 3"))
    engine = connect(make_url(debian).set(username="few", password="few").render_as_string(hide_password=False))
    expect_room(engine, 2)
    with pytest.raises(InputError, match=r"3 workers need 4 connections.*it allows 3"):
        expect_room(engine, 3)
    expect_room(admin, 99)  # max_connections, for a superuser
    with pytest.raises(InputError, match="it allows 100"):
        expect_room(admin, 100)
    engine.dispose(), admin.dispose()


def test_a_missing_right_is_the_users_to_change(debian: str) -> None:
    engine = connect(debian)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("CREATE ROLE reader LOGIN"))
        connection.execute(sqlalchemy.text("SET ROLE reader"))
        with pytest.raises(sqlalchemy.exc.ProgrammingError) as caught:
            connection.execute(sqlalchemy.text("CREATE TABLE public.mine (x int)"))
    engine.dispose()
    assert not is_outage(caught.value)
    assert isinstance(explain(caught.value, debian), InputError)


def test_a_session_that_was_ended_is_an_outage(embedded_url: str) -> None:
    engine, other = connect(embedded_url, "victim"), connect(embedded_url)
    with pytest.raises(sqlalchemy.exc.OperationalError) as caught, engine.connect() as connection:
        pid = connection.execute(sqlalchemy.text("SELECT pg_backend_pid()")).scalar()
        with other.connect() as killer:
            killer.execute(sqlalchemy.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        connection.execute(sqlalchemy.text("SELECT 1"))
    engine.dispose(), other.dispose()
    assert is_outage(caught.value)


def raised(
    error: BaseException, cause: BaseException | None = None, context: BaseException | None = None
) -> BaseException:
    error.__context__ = context
    if cause is not None:
        error.__cause__ = cause
    return error


down = psycopg2.OperationalError("connection to server failed: Connection refused")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (down, True),
        (psycopg2.InterfaceError("connection already closed"), True),
        (sqlalchemy.exc.PendingRollbackError("the transaction was rolled back"), True),
        (StorageUnavailable("later"), True),
        (raised(RuntimeError("storage"), cause=down), True),
        (raised(UnboundLocalError("masks it"), context=down), True),
        (raised(RuntimeError(), cause=raised(RuntimeError(), context=down)), True),
        (psycopg2.OperationalError('FATAL:  password authentication failed for user "u"'), False),
        (psycopg2.OperationalError('FATAL:  database "d" does not exist'), False),
        (psycopg2.OperationalError("FATAL:  the database system is starting up"), True),
        (psycopg2.ProgrammingError("syntax"), False),
        (ValueError("a bug"), False),
        (sqlalchemy.exc.TimeoutError("the only connection is in use: a bug"), False),
        (raised(Superseded(1), context=down), False),
        (raised(RuntimeError(), cause=raised(Superseded(1), context=down)), False),
    ],
)  # fmt: skip
def test_an_outage_is_told_from_everything_else(error: BaseException, expected: bool) -> None:
    assert is_outage(error) is expected


def test_a_cause_that_was_cut_off_does_not_count() -> None:
    error = ValueError("a bug")
    error.__context__, error.__suppress_context__ = down, True
    assert not is_outage(error)


def test_a_chain_that_bites_its_tail_ends() -> None:
    first, second = ValueError(), ValueError()
    first.__context__, second.__context__ = second, first
    assert not is_outage(first)


def test_an_unforeseen_error_stays_one() -> None:
    error = explain(ValueError("odd"), "postgresql://u:geheim@h/d")
    assert type(error) is SearchError
    assert error.exit_code == 3
    assert "geheim" not in str(error)


@pytest.mark.parametrize(
    "url",
    ["postgresql://u:p%40ss!%2fé%20x@h/db", "postgresql://u@h/db?password=p@ss!/é x&sslmode=require"],
    ids=["of the authority", "among the parameters"],
)
@pytest.mark.parametrize(
    "written",
    ["p@ss!/é x", "p%40ss%21%2F%C3%A9%20x", "p%40ss!%2fé%20x", "p%40ss!/%c3%A9%20x", "%70@ss%21/é x", "p@ss!/é+x"],
)
def test_a_password_is_scrubbed_however_its_characters_are_encoded(url: str, written: str) -> None:
    assert scrubbed(f"no {written}: u:{written}@h", url) == "no ***: u:***@h"


def test_a_very_short_password_is_left_as_it_is_unless_it_is_encoded() -> None:
    assert scrubbed("a b of 100: a@b, a%40b", "postgresql://u:a%40b@h/db") == "a b of 100: a@b, ***"


def test_of_two_forms_the_one_that_holds_the_other_is_scrubbed_whole() -> None:
    assert scrubbed("100%25, 100%", "postgresql://u:100%25@h/db") == "***, ***"
    assert scrubbed("secrets, secret", "postgresql://u:secret@h/db?sslpassword=secrets") == "***, ***"

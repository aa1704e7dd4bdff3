from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import optuna
import pytest
import sqlalchemy
from databases import Rows, new_database

from search.postgres import records, server
from search.postgres.connection import connect, engine_options, is_outage
from search.postgres.failures import Superseded
from search.postgres.ownership import Ownership

Make = Callable[[str], tuple[sqlalchemy.Engine, Ownership]]


@pytest.fixture
def worker(database: str) -> Iterator[Make]:
    """Makes workers: an engine and its ownership, with the application name that they are known by."""
    made: list[tuple[sqlalchemy.Engine, Ownership]] = []

    def make(name: str) -> tuple[sqlalchemy.Engine, Ownership]:
        engine = connect(database, name)
        made.append((engine, Ownership(engine)))
        return made[-1]

    yield make
    for engine, ownership in made:
        ownership.close()
        engine.dispose()


def one(engine: sqlalchemy.Engine) -> object:
    with engine.begin() as connection:
        return connection.execute(sqlalchemy.text("SELECT 1")).scalar()


def test_only_one_worker_owns_a_trial(worker: Make, rows: Rows) -> None:
    study = rows.study()
    first, second = rows.trial(study), rows.trial(study)
    (_, a), (_, b) = worker("a"), worker("b")
    assert a.try_own(first)
    assert not b.try_own(first)
    assert b.owned is None
    b.own(second)
    assert a.owners() == b.owners() == {first, second}
    a.release()
    assert a.owned is None
    assert b.owners() == {second}
    b.release()
    assert b.try_own(first)
    with pytest.raises(Superseded):
        a.own(first)


def test_a_worker_owns_one_trial_at_a_time(worker: Make) -> None:
    _, a = worker("a")
    a.own(1)
    with pytest.raises(RuntimeError, match="release it first"):
        a.try_own(2)


def test_the_trials_of_another_database_are_not_ours(worker: Make, embedded: server.Server) -> None:
    _, a = worker("a")
    with new_database(embedded.url) as url:
        engine = connect(url)
        elsewhere = Ownership(engine)
        elsewhere.own(7)
        assert a.owners() == set()
        assert a.try_own(7)
        elsewhere.close()


def test_a_worker_knows_whether_it_is_alone(worker: Make, rows: Rows) -> None:
    study, other = rows.study(), rows.study("other")
    (_, a), (_, b), (_, c) = worker("a"), worker("b"), worker("c")
    assert a.workers(study) == 0
    assert a.join(study)
    assert not b.join(study)
    assert c.join(other)
    assert a.workers(study) == 2
    a.close()
    assert b.workers(study) == 1
    rows.terminate("b")
    assert c.workers(study) == 0


def test_of_workers_that_join_at_once_exactly_one_is_alone(worker: Make, rows: Rows) -> None:
    study = rows.study()
    ownerships = [worker(f"w{number}")[1] for number in range(6)]
    together = threading.Barrier(6)

    def join(ownership: Ownership) -> bool:
        together.wait()
        return ownership.join(study)

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(join, ownerships)) == [False] * 5 + [True]
    assert ownerships[0].workers(study) == 6


def test_one_worker_asks_at_a_time_and_an_error_ends_its_turn(worker: Make, rows: Rows) -> None:
    study = rows.study()
    (_, a), (_, b) = worker("a"), worker("b")
    order: list[str] = []

    def ask() -> None:
        with b.asking(study):
            order.append("b")

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(ValueError, match="while asking"), a.asking(study):
            turn = pool.submit(ask)
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            while not rows.ask(waiting):
                pass
            order.append("a")
            raise ValueError("while asking")
        turn.result(20)
    assert order == ["a", "b"]
    with a.asking(study), b.asking(study + 1):
        pass


def test_a_connection_lost_while_asking_is_an_outage_till_the_end_of_the_turn(worker: Make, rows: Rows) -> None:
    study = rows.study()
    (engine, a), (_, b) = worker("a"), worker("b")
    with a.asking(study):
        rows.terminate("a")
        with b.asking(study):  # the lock is really gone, so going on would be wrong
            for _ in range(3):
                with pytest.raises(sqlalchemy.exc.OperationalError) as caught:
                    one(engine)
                assert is_outage(caught.value)
    assert one(engine) == 1
    with a.asking(study):
        assert one(engine) == 1


def test_a_new_connection_takes_everything_back_before_any_statement(worker: Make, rows: Rows) -> None:
    study = rows.study()
    trial = rows.trial(study)
    (engine, a), (_, b) = worker("a"), worker("b")
    a.join(study)
    a.own(trial)
    rows.terminate("a")
    assert b.owners() == set()
    assert one(engine) == 1
    assert b.owners() == {trial}
    assert b.workers(study) == 1
    assert not b.try_own(trial)


def test_a_worker_that_lost_its_trial_cannot_write_till_it_lets_go(worker: Make, rows: Rows) -> None:
    study = rows.study()
    trial = rows.trial(study)
    (engine, a), (other, b) = worker("a"), worker("b")
    a.own(trial)
    records.record_epoch(engine, trial, 1, {"loss": 1.0})
    rows.terminate("a")
    b.own(trial)
    records.record_epoch(other, trial, 1, {"loss": 2.0})
    for _ in range(3):
        with pytest.raises(Superseded):
            records.record_epoch(engine, trial, 1, {"loss": 3.0})
    b.release()  # even now: what the first one has in memory is older
    with pytest.raises(Superseded):
        records.record_epoch(engine, trial, 1, {"loss": 4.0})
    assert records.epochs(other, trial) == {1: {"loss": 2.0}}
    a.release()
    assert one(engine) == 1
    assert a.try_own(trial)


def test_optunas_own_writes_are_held_back_too(database: str, worker: Make, rows: Rows) -> None:
    optuna.create_study(storage=database, study_name="shared")
    storage = optuna.storages.RDBStorage(
        database,
        engine_kwargs=engine_options("optuna"),
        skip_compatibility_check=True,
        skip_table_creation=True,
    )
    study = storage.get_study_id_from_name("shared")
    trial = storage.create_new_trial(study)
    a, (_, b) = Ownership(storage.engine), worker("b")
    a.own(trial)
    storage.set_trial_intermediate_value(trial, 1, 0.1)
    rows.terminate("optuna")
    storage.set_trial_intermediate_value(trial, 2, 0.2)  # reconnects, and has its trial back
    rows.terminate("optuna")
    b.own(trial)
    for write in (
        lambda: storage.set_trial_intermediate_value(trial, 3, 0.3),
        lambda: storage.set_trial_user_attr(trial, "key", "value"),
        lambda: storage.set_trial_state_values(trial, optuna.trial.TrialState.COMPLETE, [1.0]),
    ):
        with pytest.raises(Superseded):
            write()
    a.release()
    kept = storage.get_trial(trial)
    assert kept.intermediate_values == {1: 0.1, 2: 0.2}
    assert (kept.state.name, kept.user_attrs) == ("RUNNING", {})
    a.close()
    storage.scoped_session.remove()


def test_a_session_that_the_server_still_believes_in_does_not_supersede_its_own_worker(
    worker: Make, rows: Rows
) -> None:
    study = rows.study()
    trial = rows.trial(study)
    engine, a = worker("a")
    a.join(study)
    a.own(trial)
    # As after a broken link: the server keeps the old session, and we have to make a new one.
    half_dead = engine.raw_connection()
    half_dead.detach()
    assert one(engine) == 1
    assert a.owned == trial
    assert a.owners() == {trial}
    assert a.workers(study) == 1
    half_dead.close()


def test_a_claim_that_an_outage_cut_short_can_be_made_again(worker: Make, rows: Rows) -> None:
    trial = rows.trial(rows.study())
    engine, a = worker("a")
    assert one(engine) == 1
    rows.terminate("a")
    assert a.try_own(trial)
    rows.terminate("a")
    a.release()
    assert a.owned is None
    assert a.try_own(trial)
    assert a.owners() == {trial}


def test_close_lets_everything_go_even_without_a_server(worker: Make, rows: Rows) -> None:
    study = rows.study()
    trial = rows.trial(study)
    (engine, a), (_, b) = worker("a"), worker("b")
    a.join(study)
    a.own(trial)
    a.close()
    assert (b.owners(), b.workers(study)) == (set(), 0)
    assert one(engine) == 1  # the engine can still be used, without owning anything
    assert (b.owners(), b.workers(study)) == (set(), 0)
    b.own(trial)
    rows.terminate("b")
    b.close()

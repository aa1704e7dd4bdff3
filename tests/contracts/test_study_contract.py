"""What a study promises, on the embedded server and on one that is not ours."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any
from uuid import uuid4

import optuna
import pytest
import sqlalchemy
from claimers import GRACE, claimed, hold, process, said, spec_of, spend, toy, trained
from servers import debian_server, embedded_server

from search.errors import InputError
from search.postgres import records
from search.postgres.failures import Superseded
from search.study import claim
from search.study.claim import Claims
from search.study.history import look
from search.study.storage import Storage, open_storage
from search.study.study import BUDGET, Study, load, load_of, newest, open_study
from search.study.trial import OwnedTrial, take

State = optuna.trial.TrialState


@pytest.fixture(scope="session", params=["embedded", "debian"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same tests on both kinds of server."""
    if request.param == "debian":
        with debian_server() as found:
            yield found.replace("postgresql://", "postgresql+psycopg2://", 1)
        return
    with embedded_server(tmp_path_factory.mktemp("study-contract")) as embedded:
        yield embedded.url


@pytest.fixture
def storages(url: str) -> Iterator[Any]:
    """Opens storages; each is a worker of its own as far as PostgreSQL can tell."""
    with ExitStack() as stack:

        def opened(keep: bool = True) -> Storage:
            storage = open_storage(url, "test")
            if keep:
                stack.callback(storage.close)
            return storage

        yield opened


@pytest.fixture
def name() -> str:
    return f"study-{uuid4().hex[:10]}"


def joined(storage: Storage, name: str, grace: float = GRACE) -> Claims:
    study = load(storage, name)
    study.join()
    return Claims(study, grace)


def numbers(study: Study) -> list[int]:
    return [trial.number for trial in study.handle.get_trials(deepcopy=False)]


def epochs_in_table(study: Study, trial: OwnedTrial) -> list[int]:
    return list(records.epochs(study.storage.engine, trial.id))


def cut(storage: Storage, by: Storage) -> None:
    """End a storage's connection as an outage of the network would."""
    assert storage.ownership._session is not None
    with by.engine.begin() as connection:
        connection.execute(
            sqlalchemy.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": storage.ownership._session["pid"]}
        )


@contextmanager
def dead_worker(storages: Any, name: str) -> Iterator[OwnedTrial]:
    """Claim a trial, and die at the end of the block: PostgreSQL sees the connection go, and nothing else."""
    with closing(storages(keep=False)) as storage:
        yield claimed(joined(storage, name, grace=0.0))


# --- made, continued, refused, branched


def test_a_study_is_made_once_and_then_continues(storages: Any, name: str) -> None:
    made = open_study(storages(), spec_of(toy(name)))
    again = open_study(storages(), spec_of(toy(name)))
    assert (made.told, again.told) == (f"new study {name!r}", f"study {name!r} continues")
    assert (made.id, made.seed) == (again.id, again.seed)


def test_a_changed_space_is_refused_with_the_difference_and_nothing_is_changed(storages: Any, name: str) -> None:
    storage = storages()
    trained(claimed(Claims(open_study(storage, spec_of(toy(name))))))
    with pytest.raises(InputError) as refused:
        open_study(storage, spec_of(toy(name, x="float: [0.0, 0.5]")))
    told = str(refused.value)
    assert told.startswith(f"space.yaml: study '{name}' exists with another space")
    assert "space.x: float [0.0, 1.0] -> float [0.0, 0.5]" in told
    assert "--branch" in told
    assert "[0.0, 1.0]" in load(storage, name).spec.text


def test_a_study_in_which_nothing_has_begun_takes_another_space(storages: Any, name: str) -> None:
    storage, running = storages(), storages()
    first = open_study(running, spec_of(toy(name, x="float: [0.0, 1.0], prior: 0.5")))
    changed = spec_of(toy(name, x="float: [2.0, 3.0], prior: 2.5"))
    with pytest.raises(InputError, match="exists with another space"):
        open_study(storage, changed)  # the other one's workers will join soon
    running.close()
    with closing(storages(keep=False)) as working:
        load(working, name).join()
        with pytest.raises(InputError, match="exists with another space"):
            open_study(storage, changed)
    again = open_study(storage, changed)
    assert again.id != first.id
    assert "nothing had begun" in again.told
    assert claimed(Claims(again)).parameters["x"] == 2.5


def test_another_algorithm_budget_or_prior_is_no_other_space(storages: Any, name: str) -> None:
    storage = storages()
    open_study(storage, spec_of(toy(name)))
    changed = toy(name, trials=9, algorithm="sampler: tpe, pruner: none", x="float: [0.0, 1.0], prior: 0.5")
    assert open_study(storage, spec_of(changed)).told == f"study {name!r} continues"
    assert look(load(storage, name)).trials == 9


def test_a_branch_copies_the_trials_that_its_space_holds_and_has_its_budget_to_itself(storages: Any, name: str) -> None:
    storage = storages()
    old = open_study(storage, spec_of(toy(name, trials=6)))
    claims = Claims(old)
    for _ in range(6):
        trained(claimed(claims))
    old_values = {trial.number: trial.flat for trial in look(old).all}
    narrow = spec_of(toy(name, trials=3, x="float: [0.0, 0.5], prior: 0.25"))
    branch = open_study(storage, narrow, branch=True)
    held = [number for number, params in old_values.items() if params["x"] <= 0.5]
    assert 0 < len(held) < 6, "the seed of this test should put trials on both sides"
    assert branch.name == f"{name}-branch-2"
    assert f"{len(held)} compatible trials copied" in branch.told
    copies = [t for t in branch.handle.get_trials(deepcopy=False) if t.state == State.COMPLETE]
    assert [(t.user_attrs["copied_from"], t.params) for t in copies] == [(n, old_values[n]) for n in held]
    branch.join()
    fresh = [trained(claimed(Claims(branch))) for _ in range(3)]
    assert Claims(branch).next() == "done"
    assert fresh[0].parameters["x"] == 0.25, "the baseline is tried in the branch too"
    assert look(branch).finished == 3
    assert open_study(storage, narrow).id == branch.id, "the file now belongs to the branch, without --branch"
    assert load_of(storages(), narrow).id == branch.id
    assert load_of(storages(), spec_of(toy(name, trials=6))).id == old.id
    assert look(old).finished == 6


def test_a_branch_divides_its_data_as_its_origin_did_and_draws_other_values(storages: Any, name: str) -> None:
    storage = storages()
    unseeded = toy(name, trials=6, algorithm="sampler: random, pruner: none")
    origin = open_study(storage, spec_of(unseeded))
    origin.same_data("a")
    claims = Claims(origin)
    claimed(claims).fail("user", "an error")
    kept = [trained(claimed(claims)).parameters["x"] for _ in range(3)]
    wider = spec_of(unseeded.replace("[0.0, 1.0]", "[0.0, 1.5]"))
    branch = open_study(storage, wider, branch=True)
    assert (branch.split, look(branch).copied) == (origin.split, 3)
    branch.same_data("a")
    again = open_study(storages(), wider)
    assert (again.seed, again.split) == (branch.seed, origin.split)
    drawn = [1.5 * x for x in kept]
    new = [trained(claimed(Claims(branch))).parameters["x"] for _ in range(3)]
    assert not {round(x, 9) for x in drawn} & {round(x, 9) for x in new}


def test_nothing_is_copied_when_the_values_mean_something_else(storages: Any, name: str) -> None:
    storage = storages()
    trained(claimed(Claims(open_study(storage, spec_of(toy(name))))))
    branch = open_study(storage, spec_of(toy(name).replace("minimize", "maximize")), branch=True)
    assert look(branch).copied == 0
    assert branch.handle.direction.name == "MAXIMIZE"


def test_a_study_whose_maker_was_killed_is_made_whole(storages: Any, name: str) -> None:
    storage = storages()
    records.make_study(storage.engine, name, ["MINIMIZE"], (BUDGET, {"trials": 4, "time": None}))
    optuna.load_study(study_name=name, storage=storage.backend).enqueue_trial({"x": 0.5})
    study = open_study(storage, spec_of(toy(name, x="float: [0.0, 1.0], prior: 0.5")))
    assert study.told == f"new study {name!r}"
    trials = [trained(claimed(Claims(study))) for _ in range(4)]
    assert [trial.number for trial in trials] == [0, 1, 2, 3]
    assert trials[0].parameters["x"] == 0.5


PLAIN: dict[str, Callable[[optuna.Study], object]] = {
    "empty": lambda study: None,
    "with a trial that waits": lambda study: study.enqueue_trial({"x": 0.5}),
    "with a trial that was trained": lambda study: study.tell(study.ask(), 1.0),
}


@pytest.mark.parametrize("fill", PLAIN.values(), ids=PLAIN)
def test_a_study_made_by_plain_optuna_is_refused_and_left_as_it_is(
    storages: Any, name: str, fill: Callable[[optuna.Study], object], record_property: Any
) -> None:
    storage = storages()
    plain = optuna.create_study(study_name=name, storage=storage.backend)
    fill(plain)
    storage.backend.refresh()
    before = [(trial.state, trial.params) for trial in plain.trials]
    refused = r"not made from a space file.*\n.*give `study:` another name; look at it, or delete it"
    with pytest.raises(InputError, match=refused):
        open_study(storage, spec_of(toy(name)))
    with pytest.raises(InputError, match=refused):
        load(storage, name)
    storage.backend.refresh()
    assert (plain.user_attrs, plain.metric_names) == ({}, None)
    assert [(trial.state, trial.params) for trial in plain.trials] == before
    record_property(
        "fault", ("a study of that name made by plain Optuna", 1, "refused with the way out, left as it is")
    )


def test_the_newest_study_is_one_that_was_made_from_a_space_file(storages: Any, name: str) -> None:
    storage = storages()
    open_study(storage, spec_of(toy(name)))
    optuna.create_study(study_name=name + "-plain", storage=storage.backend)
    assert newest(storages()) == name


def test_an_unknown_study_is_told_with_the_nearest_name(storages: Any, name: str) -> None:
    storage = storages()
    open_study(storage, spec_of(toy(name)))
    with pytest.raises(InputError, match=f"did you mean '{name}'"):
        load(storage, name + "x")


def test_values_of_other_data_never_join(storages: Any, name: str) -> None:
    study = open_study(storages(), spec_of(toy(name)))
    study.same_data("a" * 64)
    load(storages(), name).same_data("a" * 64)
    with pytest.raises(InputError, match=r"the data has changed .*aaaaaaaaaaaa.*bbbbbbbbbbbb"):
        load(storages(), name).same_data("b" * 64)


# --- the budget


def test_four_workers_spend_a_budget_of_fifty_exactly_and_a_larger_one_continues(
    url: str, storages: Any, name: str
) -> None:
    storage = storages()
    study = open_study(storage, spec_of(toy(name, trials=50, epochs=1)))
    with ExitStack() as stack:
        pipes = [stack.enter_context(process(spend, url, name))[1] for _ in range(4)]
        shares = [said(pipe, 60) for pipe in pipes]
    assert sorted(number for share in shares for number in share) == list(range(50))
    assert numbers(study) == list(range(50))
    assert sum(bool(share) for share in shares) > 1, "one worker did everything"
    assert Claims(study).next() == "done"
    larger = open_study(storage, spec_of(toy(name, trials=52, epochs=1)))
    assert [trained(claimed(Claims(larger))).number for _ in range(2)] == [50, 51]
    assert Claims(larger).next() == "done"


def test_no_trial_begins_after_the_time_budget_on_the_servers_clock(
    storages: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = storages()
    text = toy(name, trials=1000).replace("budget: {", "budget: {time: 1s, ")
    study = open_study(storage, spec_of(text))
    study.join()
    monkeypatch.setattr(time, "time", lambda: 0.0)  # a worker whose clock is wrong
    claims = Claims(study)
    trained(claimed(claims))
    while (left := claims.time_left()) is not None and left > 0:
        time.sleep(0.02)
    assert claims.next() == "done"
    longer = open_study(storage, spec_of(text.replace("1s", "1h")))
    assert isinstance(Claims(longer).next(), OwnedTrial)


def test_time_without_a_worker_costs_nothing(storages: Any, name: str) -> None:
    with closing(storages(keep=False)) as first:
        study = open_study(first, spec_of(toy(name).replace("budget: {", "budget: {time: 1h, ")))
        study.join()
        trained(claimed(Claims(study)))
        spent = look(study).spent
    with (other := storages()).engine.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE search_clock SET seen = seen - interval '2 hours'"))
    joined(other, name)
    assert look(load(other, name)).spent == pytest.approx(spent, abs=1.0)


# --- ownership


@pytest.mark.parametrize("moment", ["asked", "suggested", "reported"])
def test_a_trial_whose_owner_was_killed_is_continued_under_its_number(
    url: str, storages: Any, name: str, moment: str
) -> None:
    open_study(storages(), spec_of(toy(name, trials=1)))
    claims = joined(storages(), name)
    with process(hold, url, name, moment) as (owner, pipe):
        said(pipe)
        assert claims.next() == "wait", "its owner lives"
        owner.kill()
        owner.join()
        [stored] = load(storages(), name).handle.get_trials()
        trial = claimed(claims)
    assert (trial.number, trial.adopted) == (0, True)
    assert trial.epoch == (3 if moment == "reported" else 0)
    [after] = load(storages(), name).handle.get_trials()
    assert stored.params.items() <= after.params.items()
    assert after.params["x"] == trial.parameters["x"]
    assert (moment == "reported") <= ("x" in stored.params)
    assert trial.metrics == ({"loss": 1 / 3} if moment == "reported" else {})
    trained(trial)
    assert claims.next() == "done"
    assert epochs_in_table(claims.study, trial) == [1, 2, 3, 4]


def test_a_free_worker_takes_an_orphan_before_it_begins_a_new_trial(storages: Any, name: str) -> None:
    open_study(storages(), spec_of(toy(name, trials=9)))
    with dead_worker(storages, name) as orphan:
        orphan.record(1, {"loss": 1.0})
    assert claimed(joined(storages(), name)).number == orphan.number


def test_a_half_drawn_trial_is_finished_by_the_studys_own_sampler(url: str, storages: Any, name: str) -> None:
    study = open_study(storages(), spec_of(toy(name, trials=9)))
    whole = claimed(Claims(study)).parameters
    twin = open_study(storages(), spec_of(toy(name + "b", trials=9)))
    with process(hold, url, twin.name, "asked") as (owner, pipe):
        said(pipe)
        owner.kill()
        owner.join()
        assert claimed(joined(storages(), twin.name)).parameters == whole


def test_a_stopped_process_still_owns_its_trial(url: str, storages: Any, name: str) -> None:
    open_study(storages(), spec_of(toy(name, trials=1)))
    claims = joined(storages(), name)
    with process(hold, url, name, "reported") as (owner, pipe):
        said(pipe)
        assert owner.pid is not None
        os.kill(owner.pid, signal.SIGSTOP)
        deadline = time.monotonic() + 3 * GRACE
        while time.monotonic() < deadline:
            assert claims.next() == "wait"
        os.kill(owner.pid, signal.SIGCONT)
        pipe.send("finish")
        assert said(pipe) == "done"
    assert claims.next() == "done"
    assert look(claims.study).counts["complete"] == 1


def test_a_worker_that_was_cut_off_goes_on_when_nobody_took_its_trial(storages: Any, name: str) -> None:
    open_study(storages(), spec_of(toy(name, trials=1)))
    mine, other = storages(), storages()
    trial = claimed(joined(mine, name))
    trial.record(1, {"loss": 1.0})
    cut(mine, other)
    trained(trial)
    assert look(load(other, name)).counts["complete"] == 1
    assert epochs_in_table(load(other, name), trial) == [1, 2, 3, 4]


def test_a_superseded_worker_can_write_nothing_and_claims_anew(storages: Any, name: str) -> None:
    open_study(storages(), spec_of(toy(name, trials=2)))
    mine, other = storages(), storages()
    my_claims = joined(mine, name)
    lost = claimed(my_claims)
    lost.record(1, {"loss": 1.0})
    others = joined(other, name, grace=0.0)
    cut(mine, other)
    theirs = claimed(others)
    assert (theirs.number, theirs.epoch) == (lost.number, 1)
    with pytest.raises(Superseded):
        lost.record(2, {"loss": 0.5})
    for write in (lambda: lost.complete([0.0]), lambda: lost.fail("user", "x"), lambda: lost.remember({"a": 1})):
        with pytest.raises(Superseded):
            write()
    assert epochs_in_table(others.study, theirs) == [1]
    assert claimed(my_claims).number == 1
    trained(theirs)
    assert [trial.state for trial in look(others.study).all] == ["complete", "running"]


def test_a_worker_that_is_superseded_while_it_draws_claims_another_trial(
    storages: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_study(storages(), spec_of(toy(name, trials=2)))
    mine, other = storages(), storages()
    my_claims, others = joined(mine, name), joined(other, name, grace=0.0)

    def cut_off_and_take(*arguments: Any) -> OwnedTrial:
        monkeypatch.undo()
        cut(mine, other)
        assert claimed(others).number == 0
        return take(*arguments)

    monkeypatch.setattr(claim, "take", cut_off_and_take)
    assert claimed(my_claims).number == 1


def test_a_trial_left_on_purpose_is_continued_at_once(storages: Any, name: str) -> None:
    open_study(storages(), spec_of(toy(name, trials=2)))
    claims = joined(storages(), name, grace=3600.0)
    trial = claimed(claims)
    trial.record(1, {"loss": 1.0})
    trial.leave()
    again = claimed(joined(storages(), name, grace=3600.0))
    assert (again.number, again.epoch, again.adopted) == (0, 1, True)


# --- how trials end


def test_a_trial_that_kills_three_workers_at_one_epoch_is_given_up(storages: Any, name: str) -> None:
    open_study(storages(), spec_of(toy(name, trials=1)))
    with dead_worker(storages, name) as trial:
        trial.record(1, {"loss": 1.0})
    for _ in range(2):
        with dead_worker(storages, name) as trial:
            assert (trial.number, trial.epoch) == (0, 1)
    claims = joined(storages(), name, grace=0.0)
    assert claims.next() == "done"
    [ended] = look(claims.study).all
    assert (ended.state, ended.reason) == ("failed", "crashed")
    assert "3 workers died at epoch 2" in (ended.error or "")


def test_deaths_at_different_epochs_are_no_reason_to_give_up(storages: Any, name: str) -> None:
    open_study(storages(), spec_of(toy(name, trials=1, epochs=9)))
    for epoch in range(1, 5):
        with dead_worker(storages, name) as trial:
            trial.record(epoch, {"loss": 1.0})
    assert claimed(joined(storages(), name, grace=0.0)).epoch == 4


def test_leaving_on_purpose_is_no_death_and_forgives_none(storages: Any, name: str) -> None:
    open_study(storages(), spec_of(toy(name, trials=1)))
    for _ in range(4):
        claimed(joined(storages(), name, grace=0.0)).leave()
    for _ in range(3):
        with dead_worker(storages, name) as trial:
            assert trial.outcome is None
    claims = joined(storages(), name, grace=0.0)
    assert claims.next() == "done"
    assert look(claims.study).all[0].reason == "crashed"


@pytest.mark.parametrize(
    ("reason", "stored"),
    [("oom", State.PRUNED), ("nan", State.PRUNED), ("user", State.FAIL), ("timeout", State.FAIL)],
)
def test_every_failure_has_its_name_and_counts_once(storages: Any, name: str, reason: str, stored: State) -> None:
    study = open_study(storages(), spec_of(toy(name, trials=2)))
    claims = Claims(study)
    failed = claimed(claims)
    failed.record(1, {"loss": float("nan") if reason == "nan" else 1.0})
    failed.fail(reason, f"what went wrong: {reason}")
    trained(claimed(claims))
    assert claims.next() == "done"
    now = look(study)
    assert (now.all[0].state, now.all[0].reason) == ("failed", reason)
    assert now.all[0].error == f"what went wrong: {reason}"
    told = study.handle.get_trials(deepcopy=False)[0]
    assert (told.state, told.user_attrs["ended"]) == (stored, reason)
    if stored == State.PRUNED:  # what samplers rank below every number
        assert math.isnan(told.intermediate_values[max(told.intermediate_values)])
        assert told.value is None
    assert now.counts == {"complete": 1, "pruned": 0, "failed": 1, "running": 0, "waiting": 0}
    assert [trial.number for trial in now.best] == [1]


def test_a_repeated_epoch_replaces_what_was_recorded(storages: Any, name: str) -> None:
    study = open_study(storages(), spec_of(toy(name, trials=1)))
    trial = claimed(Claims(study))
    for epoch, value in ((1, 1.0), (2, 0.5), (2, 0.25), (1, 0.75)):
        trial.record(epoch, {"loss": value})
    found = records.epochs(study.storage.engine, trial.id)
    assert {epoch: metrics["loss"] for epoch, metrics in found.items()} == {1: 0.75, 2: 0.25}
    assert trial.epoch == 2


# --- baseline, seeds


def test_the_first_trial_takes_every_prior(storages: Any, name: str) -> None:
    text = toy(name, trials=2, x="float: [0.0, 1.0], prior: 0.125").replace("int: [1, 9]", "int: [1, 9], prior: 7")
    study = open_study(storages(), spec_of(text.replace("    choice:", "    prior: a\n    choice:")))
    claims = Claims(study)
    first, second = trained(claimed(claims)), claimed(claims)
    assert (first.number, first.parameters) == (0, {"x": 0.125, "kind": {"a": {"y": 7}}})
    assert second.parameters != first.parameters


SAMPLERS = ["tpe", "random", "qmc", "nsga2", "cmaes"]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_two_workers_never_begin_with_the_same_configuration(storages: Any, name: str, sampler: str) -> None:
    text = toy(name, trials=9, algorithm=f"sampler: {sampler}, seed: 5")
    open_study(storages(), spec_of(text))
    drawn = [claimed(joined(storages(), name)).parameters["x"] for _ in range(4)]
    assert len(set(drawn)) == 4


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc"])
def test_one_worker_draws_the_same_from_the_same_seed(storages: Any, name: str, sampler: str) -> None:
    def drawn(study_name: str, seed: int) -> list[Any]:
        text = toy(study_name, trials=4, algorithm=f"sampler: {sampler}, seed: {seed}")
        claims = Claims(open_study(storages(), spec_of(text)))
        return [trained(claimed(claims)).parameters for _ in range(4)]

    assert drawn(name, 5) == drawn(name + "b", 5)
    assert drawn(name + "c", 6) != drawn(name + "d", 5)


def test_quasi_random_trials_fill_the_space_evenly(storages: Any, name: str) -> None:
    text = f"""
study: {name}
trainer: train.py:train
objective: {{minimize: loss}}
budget: {{trials: 17, epochs: 1}}
algorithm: {{sampler: qmc, seed: 1}}
space: {{x: {{float: [0.0, 1.0]}}}}
"""
    claims = Claims(open_study(storages(), spec_of(text)))
    drawn = [trained(claimed(claims), epochs=1).parameters["x"] for _ in range(17)][1:]
    assert len(set(drawn)) == 16
    quarters = [sum(quarter / 4 <= x < (quarter + 1) / 4 for x in drawn) for quarter in range(4)]
    assert quarters == [4, 4, 4, 4]


def test_quasi_random_trials_differ_below_a_branch_too(storages: Any, name: str) -> None:
    text = toy(name, trials=24, epochs=1, algorithm="sampler: qmc, seed: 1")
    claims = Claims(open_study(storages(), spec_of(text)))
    drawn = [trained(claimed(claims), epochs=1).parameters["kind"] for _ in range(24)]
    assert len({kind["a"]["y"] for kind in drawn if "a" in kind}) > 3


# --- algorithms

SAMPLER_WORDS = [
    "{tpe: {n_startup_trials: 3, n_ei_candidates: 8, multivariate: true, group: false, constant_liar: false}}",
    "tpe",
    "random",
    "{qmc: {qmc_type: halton}}",
    "{nsga2: {population_size: 4, mutation_prob: 0.5, crossover_prob: 0.5, swapping_prob: 0.5}}",
    "{cmaes: {n_startup_trials: 2, popsize: 4}}",
    "{gp: {n_startup_trials: 2, deterministic_objective: true}}",
]


@pytest.mark.parametrize("sampler", SAMPLER_WORDS)
def test_every_sampler_searches_with_its_options(storages: Any, name: str, sampler: str) -> None:
    if "gp" in sampler:
        pytest.importorskip("torch", reason="the sampler gp needs torch: pip install 'search[gp]'")
    study = open_study(storages(), spec_of(toy(name, trials=8, algorithm=f"sampler: {sampler}, pruner: none, seed: 2")))
    claims = Claims(study)
    drawn = [trained(claimed(claims), epochs=1) for _ in range(8)]
    assert claims.next() == "done"
    assert len({trial.parameters["x"] for trial in drawn}) > 4
    assert all(0.0 <= trial.parameters["x"] <= 1.0 for trial in drawn)


def test_a_sampler_whose_package_is_missing_says_what_to_install(
    storages: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(**options: Any) -> None:
        raise ImportError("no module named torch", name="torch")

    monkeypatch.setattr(optuna.samplers, "GPSampler", missing)
    study = open_study(storages(), spec_of(toy(name, algorithm="sampler: gp")))
    with pytest.raises(InputError, match=r"pip install 'search\[gp\]'"):
        Claims(study).next()
    assert numbers(study) == [], "no trial was begun"


PRUNER_WORDS = [
    "hyperband",
    "{hyperband: {min_resource: 1, reduction_factor: 2, bootstrap_count: 0}}",
    "{asha: {min_resource: 1, reduction_factor: 2, min_early_stopping_rate: 0}}",
    "{median: {n_startup_trials: 2, n_warmup_steps: 1, interval_steps: 1, n_min_trials: 1}}",
    "{percentile: {percentile: 40.0, n_startup_trials: 2, n_warmup_steps: 1}}",
    "{patient: {patience: 1, min_delta: 0.0, pruner: {median: {n_startup_trials: 1, n_warmup_steps: 0}}}}",
    "{patient: {patience: 1}}",
    "none",
]


@pytest.mark.parametrize("pruner", PRUNER_WORDS)
def test_every_pruner_ends_only_bad_trials_and_none_at_the_last_epoch(storages: Any, name: str, pruner: str) -> None:
    epochs = 6
    text = toy(name, trials=12, epochs=epochs, algorithm=f"sampler: random, pruner: {pruner}, seed: 4")
    study = open_study(storages(), spec_of(text))
    claims = Claims(study)
    ended: list[tuple[str | None, int, bool]] = []
    for index in range(12):
        trial, good = claimed(claims), index < 3
        for epoch in range(1, epochs + 1):
            # Good ones get better all the time, bad ones worse.
            trial.record(epoch, {"loss": 1.0 / epoch - index * 0.001 if good else 5.0 + epoch + index})
            if trial.should_prune():
                trial.prune()
                break
        else:
            trial.complete([0.1])
        ended.append((trial.outcome, trial.epoch, good))
    assert all(outcome == "complete" for outcome, _, good in ended if good)
    assert all(epoch < epochs for outcome, epoch, _ in ended if outcome == "pruned")
    assert any(outcome == "pruned" for outcome, _, _ in ended) == (pruner != "none")


def test_pruners_count_epochs_from_one(storages: Any, name: str) -> None:
    algorithm = "sampler: random, pruner: {asha: {min_resource: 2, reduction_factor: 2}}"
    claims = Claims(open_study(storages(), spec_of(toy(name, trials=9, epochs=8, algorithm=algorithm))))
    for _ in range(2):
        trained(claimed(claims), epochs=8, value=0.0)
    bad = claimed(claims)
    bad.record(1, {"loss": 9.0})
    assert not bad.should_prune(), "the first rung is after the second epoch"
    bad.record(2, {"loss": 9.0})
    assert bad.should_prune()


def test_of_several_objectives_nothing_is_pruned_and_the_front_is_the_best(storages: Any, name: str) -> None:
    text = toy(name, trials=5, algorithm="seed: 1").replace("{minimize: loss}", "[{minimize: loss}, {maximize: speed}]")
    study = open_study(storages(), spec_of(text))
    claims = Claims(study)
    for loss, speed in ((0.1, 1.0), (0.2, 2.0), (0.3, 1.5)):
        trial = claimed(claims)
        for epoch in (1, 2, 3, 4):
            trial.record(epoch, {"loss": loss + 9 * epoch, "speed": speed})
            assert not trial.should_prune()
        trial.complete([loss, speed])
    claimed(claims).fail("oom", "too big")
    claimed(claims).prune("time")
    assert claims.next() == "done"
    now = look(study)
    assert [trial.number for trial in now.best] == [0, 1]
    assert (now.metrics, now.directions) == (("loss", "speed"), ("minimize", "maximize"))
    assert [trial.reason for trial in now.all[3:]] == ["oom", "time"]


# --- the user's own code


def test_changed_code_is_refused_once_there_are_values_and_told_with_the_ways_out(storages: Any, name: str) -> None:
    storage, spec = storages(), spec_of(toy(name))
    old, new = {"train.py": "a", "net.py": "b"}, {"train.py": "c", "more.py": "d"}
    study = open_study(storage, spec, code=old)
    assert "train.py has changed" in open_study(storage, spec, code=new).told, "nothing to compare yet"
    open_study(storage, spec, code=old)
    trained(claimed(joined(storage, name)))
    assert open_study(storage, spec, code=old).told == f"study {name!r} continues"
    with pytest.raises(InputError) as refused:
        open_study(storage, spec, code=new)
    told = str(refused.value)
    assert all(line in told for line in ("more.py is new", "net.py is gone", "train.py has changed"))
    assert "--accept-code" in told
    assert "--branch" in told
    with pytest.raises(InputError, match="your own code here"):
        load(storage, name).same_code(new)
    load(storage, name).same_code(old)
    branch = open_study(storage, spec, branch=True, code=new)
    assert (branch.name, "0 compatible trials copied" in branch.told) == (f"{name}-branch-2", True)
    assert load_of(storage, spec, new).id == branch.id
    assert load_of(storage, spec, old).id == study.id
    accepted = open_study(storage, spec, code={"train.py": "e"}, accept_code=True)
    assert accepted.id == study.id
    load(storage, name).same_code({"train.py": "e"})

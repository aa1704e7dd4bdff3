"""A trial that breaks a constraint of the file: kept and told to every sampler, and never the best."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any
from uuid import uuid4

import pytest
from claimers import claimed, spec_of, toy
from servers import embedded_server

from search.errors import InputError
from search.progress import headline, trial_line
from search.study.claim import Claims
from search.study.constraints import TOLD, broken, violations
from search.study.history import look
from search.study.storage import Storage, open_storage
from search.study.study import Study, load, open_study
from search.study.trial import OwnedTrial
from spaces.errors import Place
from spaces.spec import Constraint

SIZE = "{size: {max: 100}}"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded_server(tmp_path_factory.mktemp("constraints")) as held:
        yield held.url


@pytest.fixture
def storages(url: str) -> Iterator[Any]:
    """Opens storages; each is a worker of its own as far as PostgreSQL can tell."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(open_storage(url, "test")))


@pytest.fixture
def name() -> str:
    return f"study-{uuid4().hex[:10]}"


def constrained(name: str, constraints: str = SIZE, **options: Any) -> str:
    return toy(name, **options) + (f"constraints: {constraints}\n" if constraints else "")


def opened(storage: Storage, text: str, branch: bool = False) -> Study:
    return open_study(storage, spec_of(text), branch=branch)


def ended(claims: Claims, loss: float, **measured: float) -> OwnedTrial:
    trial = claimed(claims)
    trial.record(1, {"loss": loss})
    trial.complete([loss], {"loss": loss, **measured})
    return trial


# --- how much is missed


def test_what_is_missed_is_told_in_shares_of_each_end() -> None:
    place = Place("space.yaml", 1, 1)
    both = [Constraint("size", 50.0, 100.0, place), Constraint("recall", 0.8, None, place)]
    assert violations(both, {"size": 120.0, "recall": 0.6}) == pytest.approx([-1.4, 0.2, 0.25])
    assert violations([Constraint("gap", None, 0.0, place)], {"gap": 3.0}) == [3.0]
    assert broken(both, {"size": 120.0, "recall": 0.6}) == ("size 120 is above 100", "recall 0.6 is below 0.8")
    assert broken(both, {"size": 100001.0}) == ("size 1e+05 is above 100",)
    assert broken(both, {"size": 100.0, "recall": 0.800001}) == ()
    close = [Constraint("size", None, 100000.0, place)]
    assert broken(close, {"size": 100001.0}) == ("size 100001 is above 100000",)


def test_an_end_is_kept_when_met_exactly_in_single_precision() -> None:
    [nine_tenths] = spec_of(constrained("s", "{recall: {min: 0.9}}")).constraints
    assert broken([nine_tenths], {"recall": 0.8999999761581421}) == ()
    assert violations([nine_tenths], {"recall": 0.8999999761581421}) == [0.0]
    assert broken([nine_tenths], {"recall": 0.89999}) == ("recall 0.89999 is below 0.9",)


# --- best, shown, seen by others


def test_a_trial_that_breaks_a_constraint_is_kept_and_shown_and_not_the_best(storages: Any, name: str) -> None:
    study = opened(storages(), constrained(name))
    claims = Claims(study)
    ended(claims, 0.1, size=150.0)
    assert look(study).best == ()
    assert headline(look(study), None) == "1/4 trials · 1 complete, 1 infeasible · none keeps the constraints yet"
    ended(claims, 0.3, size=100.0)
    ended(claims, 0.2, size=60.0)
    now = look(study)
    assert [trial.number for trial in now.best] == [2]
    assert [(trial.state, trial.reason, trial.broken) for trial in now.all] == [
        ("complete", "infeasible", ("size 150 is above 100",)),
        ("complete", "complete", ()),
        ("complete", "complete", ()),
    ]
    assert headline(now, None).startswith("3/4 trials · 3 complete, 1 infeasible · best loss 0.2000 (trial 2)")
    assert trial_line(now, now.all[0]).startswith("trial 0 complete (infeasible) · loss 0.1000 · size 150 is above 100")
    other = load(storages(), name).handle
    assert [trial.system_attrs[TOLD] for trial in other.get_trials()] == [[0.5], [0.0], [-0.4]]
    assert other.best_trial.number == 2, "as Optuna itself judges"
    assert other.get_trials()[0].user_attrs["constraints"] == {"size": 150.0}


def test_the_pareto_front_has_none_that_breaks_a_constraint(storages: Any, name: str) -> None:
    text = constrained(name, trials=5).replace("{minimize: loss}", "[{minimize: loss}, {minimize: size}]")
    study = opened(storages(), text)
    claims = Claims(study)
    for loss, size in ((0.1, 200.0), (0.2, 90.0), (0.3, 80.0), (0.4, 85.0)):
        claimed(claims).complete([loss, size], {"loss": loss, "size": size})
    claimed(claims).reject({"size": 300.0})
    now = look(study)
    assert [trial.number for trial in now.best] == [1, 2]
    assert now.infeasible == 2
    assert claims.next() == "done"


def test_a_trial_that_was_not_trained_counts_once_and_is_told_as_infeasible(storages: Any, name: str) -> None:
    study = opened(storages(), constrained(name, trials=2))
    claims = Claims(study)
    claimed(claims).reject({"size": 125.0})
    ended(claims, 0.5, size=1.0)
    assert claims.next() == "done"
    [untrained, trained] = look(study).all
    assert (untrained.state, untrained.reason, untrained.epoch) == ("pruned", "infeasible", 0)
    assert untrained.broken == ("size 125 is above 100",)
    assert look(study).best == (trained,)
    assert load(storages(), name).handle.get_trials()[0].constraints == {"0": 0.25}


def test_a_worker_that_dies_between_telling_and_ending_leaves_nothing_wrong(storages: Any, name: str) -> None:
    first = storages()
    opened(first, constrained(name))
    with closing(first):
        dying = claimed(Claims(load(first, name)))
        dying.record(1, {"loss": 0.5})
        dying._tell_constraints({"size": 150.0})
    study = load(storages(), name)
    study.join()
    adopted = claimed(Claims(study, grace=0.0))
    assert (adopted.number, adopted.epoch) == (dying.number, 1)
    assert look(study).infeasible == 0, "it has not ended"
    adopted.complete([0.5], {"size": 90.0})
    assert [trial.number for trial in look(study).best] == [0]


# --- samplers

LEARNING = ["tpe", "{gp: {n_startup_trials: 6}}", "{nsga2: {population_size: 6}}"]


@pytest.mark.parametrize("sampler", LEARNING)
def test_samplers_that_learn_turn_to_where_the_constraint_is_kept(storages: Any, name: str, sampler: str) -> None:
    if "gp" in sampler:
        pytest.importorskip("torch", reason="the sampler gp needs torch: pip install 'search[gp]'")
    trials = 16 if "gp" in sampler else 48
    algorithm = f"sampler: {sampler}, pruner: none, seed: 3"
    study = opened(storages(), constrained(name, "{size: {max: 20}}", trials=trials, algorithm=algorithm))
    claims = Claims(study)
    for _ in range(trials):
        trial = claimed(claims)
        x = trial.parameters["x"]
        # The smaller the loss, the larger what is constrained: without the constraint all would go to x = 1.
        measured = {"loss": 1 - x, "size": 100 * x}
        if trial.may_be_rejected and trial.infeasible(measured) and trial.number % 2:
            trial.reject(measured)
        else:
            trial.complete([1 - x], measured)
    late = [trial.flat["x"] for trial in look(study).all][trials // 2 :]
    assert sum(x <= 0.2 for x in late) > 0.4 * len(late), late


def test_a_sampler_that_learns_of_complete_trials_alone_has_them_trained(storages: Any, name: str) -> None:
    storage = storages()
    for sampler, may in (("gp", False), ("tpe", True), ("random", True), ("qmc", True), ("nsga2", False)):
        study = opened(storage, constrained(f"{name}-{sampler}", algorithm=f"sampler: {sampler}"))
        assert OwnedTrial(study, 0, 0, False, 0, {}).may_be_rejected is may


# --- another file


def test_other_constraints_are_refused_with_the_difference(storages: Any, name: str) -> None:
    storage = storages()
    claimed(Claims(opened(storage, constrained(name)))).complete([0.5], {"size": 10.0})
    with pytest.raises(InputError, match=r"constraints\.size: \{max: 100\} -> \{max: 50\}"):
        opened(storage, constrained(name, "{size: {max: 50}}"))
    with pytest.raises(InputError, match=r"constraints\.size: removed \(\{max: 100\}\)"):
        opened(storage, constrained(name, ""))
    assert opened(storage, constrained(name, "{size: {max: 100.0}}")).told == f"study {name!r} continues"


@pytest.mark.parametrize(
    ("constraints", "copied", "best"),
    [
        ("{size: {max: 50}}", {0: [2.0], 1: [0.6], 2: [-0.2], 3: None, 4: [5.0]}, 2),
        ("{size: {max: 200}}", {0: [-0.25], 1: [-0.6], 2: [-0.8], 3: None, 4: [0.5]}, 0),
        ("{size: {max: 400}}", {0: [-0.625], 1: [-0.8], 2: [-0.9], 3: None}, 0),
        ("{size: {max: 100}, speed: {min: 3}}", {3: None, 4: [2.0]}, None),
        ("", {0: None, 1: None, 2: None, 3: None}, 0),
    ],
    ids=["tighter", "looser", "loose enough for what was not trained", "of what was not measured", "none"],
)
def test_a_branch_judges_the_copied_trials_by_its_own_constraints(
    storages: Any, name: str, constraints: str, copied: dict[int, Any], best: int | None
) -> None:
    storage = storages()
    old = opened(storage, constrained(name, trials=5))
    claims = Claims(old)
    for loss, size in ((0.1, 150.0), (0.2, 80.0), (0.3, 40.0)):
        ended(claims, loss, size=size)
    (pruned := claimed(claims)).record(1, {"loss": 9.0})
    pruned.prune()
    claimed(claims).reject({"size": 300.0})
    branch = opened(storage, constrained(name, constraints, trials=5), branch=True)
    found = {t.user_attrs["copied_from"]: t.system_attrs.get(TOLD) for t in branch.handle.get_trials(deepcopy=False)}
    assert found == {number: missed and pytest.approx(missed) for number, missed in copied.items()}
    now = look(branch)
    assert [list(copied)[trial.number] for trial in now.best] == ([] if best is None else [best])
    assert all((trial.reason == "infeasible") == bool(trial.broken) for trial in now.all)

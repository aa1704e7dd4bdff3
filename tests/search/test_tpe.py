"""Our TPE draws what Optuna's draws, to the last bit, and asks a finished trial for its parameters once."""

from __future__ import annotations

from random import Random
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from search.study import tpe
from search.study.tpe import TPESampler

TRIALS = 40
OPTIONS: dict[str, dict[str, Any]] = {
    "independent": {"multivariate": False},
    "multivariate": {"multivariate": True},
    "branches": {"multivariate": True, "group": True},
    "branches and workers": {"multivariate": True, "group": True, "constant_liar": True},
}


def drawn(sampler: optuna.samplers.BaseSampler, directions: list[str]) -> list[dict[str, Any]]:
    """Return the parameters of a study's trials: two at a time, some of which branch, are pruned, fail or run on.

    Some have equal values, and some break a constraint.
    """
    study = optuna.create_study(sampler=sampler, directions=directions)
    for _ in range(TRIALS // 2):
        pair = [study.ask(), study.ask()]
        started = [trial.suggest_float("x", 1e-4, 1.0, log=True) for trial in pair]
        for trial, x in zip(pair, started, strict=True):
            units = trial.suggest_int("units", 8, 64, step=8)
            if trial.suggest_categorical("kind", ["sgd", "adam"]) == "sgd":
                x += trial.suggest_float("momentum", 0.0, 0.9)
            if trial.number % 7 == 3 and len(directions) == 1:
                trial.report(x, 1)
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            elif trial.number % 7 == 4:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            elif trial.number % 7 != 5:
                trial.set_constraint("units", units - 48)
                study.tell(trial, [round(x, 1), units / 64 - x][: len(directions)])
    return [trial.params for trial in study.trials]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("directions", [["minimize"], ["maximize"], ["maximize", "minimize"]], ids="-".join)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_it_draws_what_optunas_draws(options: dict[str, Any], directions: list[str]) -> None:
    ours, theirs = (kind(seed=7, **options) for kind in (TPESampler, optuna.samplers.TPESampler))
    assert drawn(ours, directions) == drawn(theirs, directions)


STATES = [TrialState.COMPLETE] * 5 + [TrialState.PRUNED] * 3 + [TrialState.RUNNING]


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_trials_are_split_as_optuna_splits_them(direction: str) -> None:
    """Many values are equal; some trials break a constraint, and in one case the best must be filled up with others."""
    random, few = Random(7), []
    for amount, best in ((0, 0), (30, 0), (30, 4), (200, 25), (200, 190)):
        study = optuna.create_study(direction=direction)
        for state in random.choices(STATES, k=amount):
            limit = {"constraints": [float(random.randint(-2, 1))]}
            value = float(random.randint(0, 9)) if state == TrialState.COMPLETE else None
            study.add_trial(optuna.trial.create_trial(state=state, value=value, system_attrs=limit))
        trials, sampler = study.get_trials(), TPESampler()
        assert sampler._split(study, trials, best) == tpe._usual(study, trials, best)
        few.append(len(sampler._values) < best)
    assert few == [False, False, False, False, True]


def test_a_finished_trial_is_asked_for_its_parameters_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    inner = optuna.samplers.TPESampler._get_internal_repr

    def counting(self: Any, trials: list[FrozenTrial], *rest: Any) -> Any:
        asked.extend(trial.number for trial in trials)
        return inner(self, trials, *rest)

    monkeypatch.setattr(optuna.samplers.TPESampler, "_get_internal_repr", counting)
    study = optuna.create_study(sampler=TPESampler(seed=7, multivariate=True))
    study.optimize(lambda trial: trial.suggest_float("x", 0.0, 1.0), n_trials=TRIALS)
    assert sorted(asked) == list(range(TRIALS - 1))

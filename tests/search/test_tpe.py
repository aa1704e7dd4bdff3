"""Our TPE draws what Optuna's draws, to the last bit, and asks a finished trial for its parameters once."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial

from search.study.tpe import TPESampler

TRIALS = 40
OPTIONS: dict[str, dict[str, Any]] = {
    "independent": {"multivariate": False},
    "multivariate": {"multivariate": True},
    "branches": {"multivariate": True, "group": True},
    "branches and workers": {"multivariate": True, "group": True, "constant_liar": True},
}


def drawn(sampler: optuna.samplers.BaseSampler, directions: list[str]) -> list[dict[str, Any]]:
    """Return the parameters of a study's trials: two at a time, some of which branch, are pruned, fail or run on."""
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
                study.tell(trial, [x, units / 64 - x][: len(directions)])
    return [trial.params for trial in study.trials]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("directions", [["minimize"], ["maximize", "minimize"]], ids=["one objective", "two"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_it_draws_what_optunas_draws(options: dict[str, Any], directions: list[str]) -> None:
    ours, theirs = (kind(seed=7, **options) for kind in (TPESampler, optuna.samplers.TPESampler))
    assert drawn(ours, directions) == drawn(theirs, directions)


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

"""A sampler's state in the database is data: nothing in it is executed."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import optuna
import pytest

from search.errors import InputError
from search.study.cmaes import CmaEsSampler


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def study() -> optuna.Study:
    made = optuna.create_study(sampler=CmaEsSampler(seed=3, n_startup_trials=1))
    made.optimize(lambda trial: trial.suggest_float("x", 0, 1) + trial.suggest_float("y", 0, 1), n_trials=30)
    return made


def test_cmaes_goes_on_from_its_own_state() -> None:
    made = study()
    keys = [key for trial in made.trials for key in trial.system_attrs if "optimizer" in key]
    assert len(keys) > 1, "a state was stored, and read back for the next"
    plain = optuna.create_study(sampler=optuna.samplers.CmaEsSampler(seed=3, n_startup_trials=1))
    plain.optimize(lambda trial: trial.suggest_float("x", 0, 1) + trial.suggest_float("y", 0, 1), n_trials=30)
    assert [trial.params for trial in made.trials] == [trial.params for trial in plain.trials]


def test_a_state_that_would_run_something_is_refused(tmp_path: Path) -> None:
    made = study()
    last = max(trial.number for trial in made.trials if any("optimizer" in key for key in trial.system_attrs))
    trial = made.trials[last]
    key = next(key for key in trial.system_attrs if "optimizer" in key).rpartition(":")[0]
    trial.system_attrs.clear()
    trial.system_attrs[f"{key}:0"] = pickle.dumps(Evil(tmp_path / "owned")).hex()
    with pytest.raises(InputError, match=r"\.mkdir"):
        made.sampler._restore_optimizer([trial])  # type: ignore[attr-defined]
    assert not (tmp_path / "owned").exists()

"""Reading a study for the first time isn't held up by looking for garbage, nor is anything after it by many trials."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import optuna
import pytest

from search.study import lean
from search.study.lean import LeanStorage


@pytest.fixture(autouse=True)
def nothing_frozen() -> Iterator[None]:
    frozen = gc.get_freeze_count()
    yield
    if gc.get_freeze_count() > frozen:
        gc.unfreeze()
    assert gc.isenabled()


def unread(trials: int) -> tuple[LeanStorage, int]:
    """A storage that hasn't read a study of so many trials yet, and the study's id."""
    backend = optuna.storages.RDBStorage("sqlite://")
    study = optuna.create_study(storage=backend)
    study.add_trials([optuna.trial.create_trial(value=float(number)) for number in range(trials)])
    return LeanStorage(backend), study._study_id


def test_garbage_is_not_looked_for_while_a_study_is_read_for_the_first_time(monkeypatch: pytest.MonkeyPatch) -> None:
    storage, study = unread(3)
    looked_for: list[bool] = []
    inner = storage._backend._get_trials
    monkeypatch.setattr(
        storage._backend, "_get_trials", lambda *a, **named: (looked_for.append(gc.isenabled()), inner(*a, **named))[1]
    )
    for _ in range(3):
        storage.refresh()
        assert [trial.value for trial in storage.get_all_trials(study)] == [0.0, 1.0, 2.0]
    assert looked_for == [False, True, True]


@pytest.mark.parametrize(("trials", "kept"), [(2, False), (3, True)], ids=["few", "many"])
def test_many_trials_are_never_looked_at_again(trials: int, kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean, "MANY", 3)
    storage, study = unread(trials)
    before = gc.get_freeze_count()
    storage.get_all_trials(study)
    assert (gc.get_freeze_count() > before) == kept


@pytest.mark.parametrize("enabled", [True, False], ids=["on", "off"])
def test_garbage_collection_is_left_as_it_was_also_by_an_outage(enabled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise ConnectionError

    storage, study = unread(3)
    monkeypatch.setattr(storage._backend, "_get_trials", away)
    if not enabled:
        gc.disable()
    try:
        with pytest.raises(ConnectionError):
            storage.get_all_trials(study)
        assert gc.isenabled() == enabled
    finally:
        gc.enable()

"""Every callback has its effect, and a trial that goes on in another process goes on as if nothing had happened."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fake_run import TABULAR, FakeRun, few_tumours

from trainers import find
from trainers.contract import TrialOver
from trainers.training import callbacks
from trainers.user_code import FindError
from trainers.words.callbacks import CALLBACKS
from trainers.words.reading import read
from trainers.words.training import OPTIONS

PARAMS = {"layers": [], "batch_size": 60, "learning_rate": 0.05}


def trained(folder: Path, chosen: Any, epochs: int = 4, over_at: int | None = None, **params: Any) -> FakeRun:
    folder.mkdir(exist_ok=True)
    run = FakeRun(few_tumours(), folder, epochs=epochs, over_at=over_at)
    run.result = find.load(TABULAR, folder)({**PARAMS, "callbacks": chosen, **params}, run)
    return run


def ends_a_trial_that_no_longer_improves(tmp_path: Path) -> None:
    stopping = {"early_stopping": {"monitor": "val_accuracy", "min_delta": 10.0, "patience": 2}}
    run = trained(tmp_path, stopping, epochs=8)
    assert [epoch for epoch, _ in run.reports] == [1, 2, 3]
    assert run.result == run.reports[-1][1]
    assert len(run.kept) == 1


def test_early_stopping_may_keep_the_best_epoch(tmp_path: Path) -> None:
    # A loss that is said to be better when it is larger is best after the first epoch.
    stopping = {"monitor": "val_loss", "mode": "max", "patience": 2, "restore_best_weights": True}
    run = trained(tmp_path, {"early_stopping": stopping}, epochs=8)
    assert [epoch for epoch, _ in run.reports] == [1, 2, 3]
    assert run.result == run.reports[0][1]
    model = keras.saving.load_model(run.kept[0])
    right = model.predict(run.data.x_validation, verbose=0).argmax(axis=1) == run.data.y_validation
    assert right.mean() == pytest.approx(run.result["val_accuracy"])


def test_early_stopping_may_watch_a_metric_that_nobody_else_asked_for(tmp_path: Path) -> None:
    run = trained(tmp_path, {"early_stopping": {"monitor": "val_f1", "patience": 5}}, epochs=1)
    assert "val_f1" in run.reports[0][1]


def test_a_resumed_trial_stops_where_an_undisturbed_one_does(tmp_path: Path) -> None:
    stopping = {"early_stopping": {"monitor": "val_loss", "mode": "max", "patience": 3, "restore_best_weights": True}}
    undisturbed = trained(tmp_path / "a", stopping, epochs=8)
    with pytest.raises(TrialOver):
        trained(tmp_path / "b", stopping, epochs=8, over_at=2)
    resumed = trained(tmp_path / "b", stopping, epochs=8)
    assert [epoch for epoch, _ in resumed.reports] == [2, 3, 4]
    assert [epoch for epoch, _ in undisturbed.reports] == [1, 2, 3, 4]
    assert resumed.result["val_loss"] == pytest.approx(undisturbed.result["val_loss"], rel=1e-6)
    assert resumed.result["val_loss"] == pytest.approx(undisturbed.reports[0][1]["val_loss"], rel=1e-6)


def test_a_trial_that_had_stopped_stays_stopped(tmp_path: Path) -> None:
    stopping = {"early_stopping": {"monitor": "val_accuracy", "min_delta": 10.0, "patience": 1}}
    with pytest.raises(TrialOver):
        trained(tmp_path, stopping, epochs=8, over_at=2)
    assert [epoch for epoch, _ in trained(tmp_path, stopping, epochs=8).reports] == [2]


def test_a_plateau_is_remembered_by_a_resumed_trial(tmp_path: Path) -> None:
    plateau = {"reduce_on_plateau": {"monitor": "loss", "patience": 2, "factor": 0.5, "min_delta": 1e9}}
    with pytest.raises(TrialOver):
        trained(tmp_path, None, over_at=2, schedule=plateau)
    resumed = trained(tmp_path, None, schedule=plateau)
    assert [metrics["learning_rate"] for _, metrics in resumed.reports] == pytest.approx([0.05, 0.05, 0.025])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def writes_one_row_an_epoch_also_after_a_resume(tmp_path: Path) -> None:
    log = {"csv_log": {"folder": "notes", "separator": ";"}}
    with pytest.raises(TrialOver):
        trained(tmp_path, log, over_at=2)
    path = tmp_path / "notes" / "trial-0.csv"
    assert [row["epoch"] for row in rows(path)] == ["0", "1"]
    with path.open("a") as file:
        file.write("2;" + ";".join("9" for _ in range(len(rows(path)[0]) - 1)) + "\n")  # of an epoch that was lost
    run = trained(tmp_path, log)
    assert [row["epoch"] for row in rows(path)] == ["0", "1", "2", "3"]
    assert float(rows(path)[-1]["val_loss"]) == pytest.approx(run.result["val_loss"])


def writes_files_for_tensorboard_beside_the_space_file(tmp_path: Path) -> None:
    trained(tmp_path, {"tensorboard": {"folder": "board"}}, epochs=1)
    written = {path.parent.name for path in (tmp_path / "board" / "trial-0").rglob("events.*")}
    assert written == {"train", "validation"}


def test_nothing_is_written_without_the_word(tmp_path: Path) -> None:
    trained(tmp_path, None, epochs=1)
    assert not list(tmp_path.rglob("*.csv"))
    assert not (tmp_path / "logs").exists()


OWN = """
import keras

class Ending(keras.callbacks.Callback):
    seen = []

    def __init__(self, last):
        super().__init__()
        self.last = last

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append((epoch, logs["val_loss"]))
        self.model.stop_training = epoch + 1 == self.last

class Halving(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate = 0.05 / 2**epoch

class Testing(keras.callbacks.Callback):
    seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(batch)

    def on_test_begin(self, logs=None):
        self.seen.append("begin")

    def on_test_end(self, logs=None):
        self.seen.append(logs["loss"])

class Other: pass
"""


def own(folder: Path, reference: str, **options: Any) -> dict[str, Any]:
    (folder / "mine.py").write_text(OWN)
    return {"own": {"class": reference, "options": options}}


def is_found_beside_the_space_file_and_called(tmp_path: Path) -> None:
    run = trained(tmp_path, own(tmp_path, "mine.py:Ending", last=2), epochs=5)
    assert [epoch for epoch, _ in run.reports] == [1, 2]
    (hook,) = callbacks.callbacks(read(OPTIONS, {"callbacks": own(tmp_path, "mine.py:Ending", last=2)}), run)
    assert [value for _, value in hook.seen] == [metrics["val_loss"] for _, metrics in run.reports]


def test_ones_own_callback_may_set_the_learning_rate_where_no_schedule_does(tmp_path: Path) -> None:
    halving = own(tmp_path, "mine.py:Halving")
    rates = [metrics["learning_rate"] for _, metrics in trained(tmp_path, halving, epochs=3).reports]
    assert rates == pytest.approx([0.05, 0.025, 0.0125])
    plateau = {"monitor": "loss", "patience": 1, "factor": 0.1, "min_delta": 1e9}
    chosen = own(tmp_path, "keras.callbacks:ReduceLROnPlateau", **plateau)
    reports = trained(tmp_path / "own", chosen).reports
    assert reports[-1][1]["learning_rate"] < reports[0][1]["learning_rate"] / 5
    by_word = trained(tmp_path / "word", None, schedule={"reduce_on_plateau": plateau}).reports
    assert [metrics["val_loss"] for _, metrics in reports] == [metrics["val_loss"] for _, metrics in by_word]


def test_ones_own_callback_sees_the_validation_and_is_told_that_it_sees_no_batch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = trained(tmp_path, own(tmp_path, "mine.py:Testing"), epochs=2)
    (hook,) = callbacks.callbacks(read(OPTIONS, {"callbacks": own(tmp_path, "mine.py:Testing")}), run)
    assert hook.seen == [value for _, metrics in run.reports for value in ("begin", metrics["val_loss"])]
    assert "mine.py:Testing: on_train_batch_end won't be called" in caplog.text


@pytest.mark.parametrize(
    ("reference", "options", "message"),
    [
        ("mine.py:Endling", {}, "mine.py has no function 'Endling'"),
        ("mine.py:Ending", {"lats": 2}, "can't be made with the options {'lats': 2}"),
        ("mine.py:Other", {}, "gives a Other; expected a keras.callbacks.Callback"),
        ("none.py:Ending", {}, "no file"),
    ],
)
def test_ones_own_callback_that_cant_be_had_is_told(
    reference: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    words = read(OPTIONS, {"callbacks": own(tmp_path, reference, **options)})
    with pytest.raises(FindError, match=message):
        callbacks.callbacks(words, FakeRun(few_tumours(), tmp_path))


EFFECTS = {
    "early_stopping": ends_a_trial_that_no_longer_improves,
    "csv_log": writes_one_row_an_epoch_also_after_a_resume,
    "tensorboard": writes_files_for_tensorboard_beside_the_space_file,
    "own": is_found_beside_the_space_file_and_called,
}


@pytest.mark.parametrize("name", [word.name for word in CALLBACKS])
def test_a_callback_has_its_effect_on_a_trial(name: str, tmp_path: Path) -> None:
    EFFECTS[name](tmp_path)


def test_state_is_arrays_and_is_given_back_whole(tmp_path: Path) -> None:
    words = read(OPTIONS, {"callbacks": {"early_stopping": {"patience": 3, "restore_best_weights": True}}})
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])

    def begun() -> Any:
        (hook,) = callbacks.callbacks(words, FakeRun(few_tumours(), tmp_path))
        hook.set_model(model)
        hook.on_train_begin()
        return hook

    first = begun()
    for epoch, loss in enumerate((2.0, 1.0, 3.0)):
        model.set_weights([np.full((2, 1), loss), np.zeros(1)])
        first.on_epoch_end(epoch, {"val_loss": loss, "loss": 9.0})
    second = begun()
    callbacks.restore([second], callbacks.state([first]))
    assert (second.best, second.wait, second.best_epoch) == (1.0, 1, 1)
    assert callbacks.result([second], {}) == {"val_loss": 1.0, "loss": 9.0}
    second.on_train_end()
    assert model.get_weights()[0].tolist() == [[1.0], [1.0]]

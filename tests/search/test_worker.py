"""One worker in this process, on a server of its own: what becomes of trials, whatever the trainer does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from claimers import claimed, spec_of
from servers import embedded_server

from search import places
from search.errors import Aborted, InputError, Interrupted, StorageUnavailable
from search.shutdown import Shutdown
from search.study.claim import Claims
from search.study.history import Snapshot, look
from search.study.storage import Storage, open_storage
from search.study.study import UNREAD, load, open_study
from search.study.trial import OwnedTrial
from search.worker import Worker

SPACE = """
study: NAME
trainer: train.py:train
objective: {minimize: loss}
budget: {trials: 4, epochs: 3}
algorithm: {sampler: random, pruner: none, seed: 3}
space: {x: {float: [0.0, 1.0], prior: 0.5}}
"""

GOOD = """
def train(params, run):
    for epoch in range(1, run.epochs + 1):
        run.report(epoch, loss=params["x"] / epoch)
    return {"loss": params["x"]}
"""


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    with embedded_server(tmp_path_factory.mktemp("worker")) as held, closing(open_storage(held.url, "test")) as opened:
        yield opened


class Bench:
    """A study with a trainer, and a worker for it."""

    def __init__(self, storage: Storage, folder: Path) -> None:
        self.storage, self.folder, self.name = storage, folder, f"study-{uuid4().hex[:8]}"
        self.shutdown = Shutdown()

    def worker(self, trainer: str = GOOD, space: str = SPACE) -> Worker:
        (self.folder / "train.py").write_text(trainer)
        open_study(self.storage, spec_of(space.replace("NAME", self.name), self.folder))
        study = load(self.storage, self.name)
        return Worker(study, self.folder / "state", self.shutdown, {"host": "here"})

    def work(self, trainer: str = GOOD, space: str = SPACE) -> Snapshot:
        worker = self.worker(trainer, space)
        worker.work()
        return look(worker.study)


@pytest.fixture
def bench(storage: Storage, tmp_path: Path) -> Iterator[Bench]:
    yield Bench(storage, tmp_path)
    storage.ownership.release()
    storage.backend.forget()


def trainer(body: str, result: str = '{"loss": params["x"]}') -> str:
    """A trainer whose first two trials are good; then `body` runs before the report of each epoch."""
    lines = body.strip().replace("\n", "\n            ")
    return f"""
import os, sys

def train(params, run):
    for epoch in range(1, run.epochs + 1):
        if run.number > 1:
            {lines}
        run.report(epoch, loss=params["x"] / epoch)
    return {result}
"""


def test_a_worker_trains_until_the_budget_is_spent(bench: Bench) -> None:
    now = bench.work()
    assert now.counts == {"complete": 4, "pruned": 0, "failed": 0, "running": 0, "waiting": 0}
    assert [(trial.number, trial.epoch) for trial in now.all] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert now.all[0].flat == {"x": 0.5}
    assert now.best[0].values == (min(trial.flat["x"] for trial in now.all),)
    [attributes, *_] = [t.user_attrs for t in load(bench.storage, bench.name).handle.get_trials(deepcopy=False)]
    assert attributes["host"] == "here"
    assert attributes["train_seconds"] >= 0
    assert not any(path.is_file() for path in (bench.folder / "state" / "checkpoints").rglob("*"))


WRAPPED = """
try:
    run.report(1, loss=float('nan'))
except Exception as error:
    raise RuntimeError from error
"""


@pytest.mark.parametrize(
    ("body", "reason", "error"),
    [
        ("raise KeyError('missing')", "user", "KeyError: 'missing'"),
        ("raise MemoryError", "oom", "MemoryError"),
        ("sys.exit(5)", "user", "the trainer called sys.exit(5)"),
        ("run.report(epoch, loss=float('nan'))", "nan", "epoch 1: loss is nan"),
        ("run.report(epoch, loss=float('inf'))", "nan", "epoch 1: loss is inf"),
        ("run.report(0, loss=1.0)", "user", "received epoch 0; expected a whole number, the first epoch being 1"),
        ("run.report(1.0, loss=1.0)", "user", "received epoch 1.0"),
        ("run.report(10**12, loss=1.0)", "user", "received epoch 1000000000000"),
        ("run.report(1, **{'loss\\0': 1.0})", "user", "expected a name that can be stored"),
        ("run.report(1, loss='low')", "user", "received loss='low'; expected a number"),
        ("return 0.5", "user", "the trainer returned 0.5; expected metrics by name, such as {'loss': 0.5}"),
        ("return {'loss': 'low'}", "user", "the trainer returned {'loss': 'low'}; expected metrics by name"),
        ("return {'loss': float('nan')}", "nan", "the trainer returned {'loss': nan}"),
        (WRAPPED, "nan", "RuntimeError"),
    ],
)
def test_a_failed_trial_has_its_reason_and_the_study_goes_on(bench: Bench, body: str, reason: str, error: str) -> None:
    now = bench.work(trainer(body))
    assert [trial.state for trial in now.all] == ["complete", "complete", "failed", "failed"]
    assert [trial.reason for trial in now.all[2:]] == [reason, reason]
    assert error in (now.all[2].error or "")
    assert "search/worker.py" not in (now.all[2].error or ""), "our own frames say nothing"


def test_a_trainer_that_returns_nothing_has_its_last_report(bench: Bench) -> None:
    now = bench.work(GOOD.replace('return {"loss": params["x"]}', ""))
    assert [trial.values for trial in now.all] == [(trial.flat["x"] / 3,) for trial in now.all]


def test_a_metric_that_is_missing_ends_the_worker_and_costs_no_trial(bench: Bench) -> None:
    for wrong in (
        GOOD.replace("loss=", "los="),
        GOOD.replace("run.report", "(lambda *_, **__: 0)").replace('"loss":', '"los":'),
    ):
        with pytest.raises(InputError, match="did you mean 'los'"):
            bench.worker(wrong).work()
        [first] = look(load(bench.storage, bench.name)).all
        assert (first.number, first.state) == (0, "waiting")
        (bench.folder / "train.py").unlink()
        bench.folder = bench.folder / "next"  # a module is imported once
        bench.folder.mkdir()
    assert bench.work().counts["complete"] == 4


def test_one_error_in_the_first_trials_gives_the_study_up(bench: Bench) -> None:
    bad = "def train(params, run):\n    raise ValueError(f'no layer for {params}')\n"
    with pytest.raises(Aborted) as given_up:
        bench.work(bad)
    told = str(given_up.value)
    assert "3 trials failed with the same error, none succeeded" in told
    assert "train.py" in told
    assert "ValueError: no layer for {'x': " in told
    assert len(look(load(bench.storage, bench.name)).all) == 3


def test_different_errors_do_not_give_the_study_up(bench: Bench) -> None:
    bad = "def train(params, run):\n    raise (ValueError, KeyError, TypeError)[run.number % 3]('bad')\n"
    assert bench.work(bad).counts["failed"] == 4


def test_a_budget_of_one_is_given_up_after_one_error(bench: Bench) -> None:
    with pytest.raises(Aborted, match="1 trial failed with the same error"):
        bench.work("def train(params, run):\n    raise ValueError\n", SPACE.replace("trials: 4", "trials: 1"))


@pytest.mark.parametrize("swallows", [False, True])
def test_a_worker_that_is_asked_to_leave_keeps_the_epoch_and_its_checkpoints(bench: Bench, swallows: bool) -> None:
    asks = """
import os, signal

def train(params, run):
    (run.folder / "checkpoint").touch()
    os.kill(os.getpid(), signal.SIGTERM)
    try:
        for epoch in range(1, run.epochs + 1):
            run.report(epoch, loss=1.0)
    except Exception:
        if not SWALLOWS:
            raise
    return {"loss": 1.0}
""".replace("SWALLOWS", str(swallows))
    worker = bench.worker(asks)
    with bench.shutdown.listening(), pytest.raises(Interrupted):
        worker.work()
    [trial] = look(worker.study).all
    assert (trial.number, trial.epoch, trial.state) == (0, 1, "waiting")
    assert (places.checkpoints(worker.state, bench.name, 0) / "checkpoint").exists()
    again = claimed(Claims(worker.study))
    assert (again.number, again.epoch) == (0, 1)


@pytest.mark.parametrize("asked", [True, False])
def test_an_epoch_that_could_not_be_reported_is_in_the_checkpoint_of_a_worker_that_was_asked_to_leave(
    asked: bool, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise StorageUnavailable("the storage has been away")

    monkeypatch.setattr(OwnedTrial, "record", away)
    monkeypatch.setattr(OwnedTrial, "leave", away)
    worker = bench.worker(f"""
import os, signal
from trainers.contract import TrialOver

def train(params, run):
    if {asked}:
        os.kill(os.getpid(), signal.SIGTERM)
    try:
        run.report(1, loss=1.0)
    except TrialOver:
        (run.folder / "checkpoint").touch()
        raise
""")
    with bench.shutdown.listening(), pytest.raises(StorageUnavailable):
        worker.work()
    assert (places.checkpoints(worker.state, bench.name, 0) / "checkpoint").exists() == asked


LEAVES_LAST = """
import os, signal

def train(params, run):
    for epoch in range(1, run.epochs + 1):
        if epoch == run.epochs:
            os.kill(os.getpid(), signal.SIGTERM)
        run.report(epoch, loss=1.0)
    return {"loss": 1.0}
"""


def test_the_last_epoch_is_finished_even_when_asked_to_leave(bench: Bench) -> None:
    worker = bench.worker(LEAVES_LAST)
    with bench.shutdown.listening(), pytest.raises(Interrupted):
        worker.work()
    assert [trial.state for trial in look(worker.study).all] == ["complete"]


@pytest.mark.parametrize(
    ("budget", "state", "reason"), [("time: 0.2s", "pruned", "time"), ("trial_time: 0.2s", "failed", "timeout")]
)
def test_a_trial_out_of_time_ends_at_its_next_epoch(bench: Bench, budget: str, state: str, reason: str) -> None:
    slow = GOOD.replace("run.report", "__import__('time').sleep(0.25); run.report")
    now = bench.work(slow, SPACE.replace("trials: 4, ", f"trials: 1, {budget}, "))
    assert [(trial.state, trial.reason, trial.epoch) for trial in now.all] == [(state, reason, 1)]


def test_a_parameter_that_nobody_reads_is_told_once_a_trial_is_complete(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        space = SPACE.replace("space: {", "space: {unused: {int: [1, 3]}, ")
        worker = bench.worker(
            "def train(params, run):\n    if run.number == 0: raise ValueError\n    return {'loss': params['x']}\n",
            space,
        )
        worker.work()
    assert worker.study.attributes()[UNREAD] == ["unused"]
    assert caplog.text.count("never read by the trainer, so searched in vain: unused") == 1


def test_models_of_the_best_trials_alone_are_kept(bench: Bench) -> None:
    keeps = GOOD.replace("    return", "    run.keep(lambda path: path.write_text(str(run.number)))\n    return")
    now = bench.work(keeps)
    best = now.best[0].number
    kept = places.models(bench.folder / "state", bench.name)
    assert [path.name for path in kept.iterdir()] == [f"{best}.keras"]
    assert (kept / f"{best}.keras").read_text() == str(best)


def test_a_model_that_cannot_be_saved_fails_its_trial_with_the_reason(bench: Bench) -> None:
    broken = GOOD.replace("    return", "    run.keep(lambda path: path / 0)\n    return")
    with pytest.raises(Aborted, match="TypeError"):
        bench.work(broken)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("def trian(params, run): ...", "has no function 'train'; did you mean 'trian'"),
        ("def train(params): ...", r"expected train\(params, run\)"),
        ("import nothing_like_that\ndef train(params, run): ...", "ModuleNotFoundError"),
    ],
)
def test_a_trainer_that_cannot_be_loaded_costs_no_trial(bench: Bench, wrong: str, told: str) -> None:
    worker = bench.worker(wrong)
    with pytest.raises(InputError, match=told):
        worker.work()
    assert [trial.state for trial in look(worker.study).all if trial.state != "waiting"] == []


LOST = """
from trainers.contract import DataLost

def train(params, run):
    run.report(1, loss=1.0)
    raise DataLost("the data can't be read any more: t.csv is gone")
"""


def test_data_that_is_lost_in_training_ends_the_worker_and_costs_no_trial(bench: Bench) -> None:
    with pytest.raises(InputError, match=r"t\.csv is gone"):
        bench.work(LOST)
    (trial,) = look(load(bench.storage, bench.name)).all
    assert (trial.number, trial.state) == (0, "waiting")


def test_a_trainer_that_asks_for_data_without_any_is_told(bench: Bench) -> None:
    with pytest.raises(InputError, match="the file has no `data:`"):
        bench.work("def train(params, run):\n    run.data\n")


TELLS_SEED = """
def train(params, run):
    return {"loss": params["x"], "seed": run.seed}
"""


def test_each_trial_has_a_seed_of_its_own_that_stays(bench: Bench) -> None:
    seeds = []
    worker = bench.worker(TELLS_SEED)
    train = worker.trainer

    def watched(params: Any, run: Any) -> Any:
        seeds.append(run.seed)
        return train(params, run)

    worker.trainer = watched
    worker.work()
    assert seeds == [(3 * 1_000_003 + number) % 2**31 for number in range(4)]


COSTS = """
def train(params, run):
    run.cost(size=params["x"] * 100)
    for epoch in range(1, run.epochs + 1):
        run.report(epoch, loss=params["x"] / epoch)
    run.keep(lambda path: path.write_text(str(run.number)))
    return {"loss": -params["x"], "recall": 1 - params["x"]}
"""


def constrained(constraints: str) -> str:
    return SPACE.replace("budget:", f"constraints: {constraints}\nbudget:")


def test_a_trial_that_is_known_to_break_a_constraint_is_not_trained(bench: Bench) -> None:
    now = bench.work(COSTS, constrained("{size: {max: 45}}"))
    large = [trial.flat["x"] > 0.45 for trial in now.all]
    assert 0 < sum(large) < 4, "the seed of this test should put trials on both sides"
    assert [(trial.reason, trial.epoch) for trial in now.all] == [
        ("infeasible", 0) if is_large else ("complete", 3) for is_large in large
    ]
    assert now.best[0].flat["x"] == max(x for trial in now.all if (x := trial.flat["x"]) <= 0.45)
    kept = places.models(bench.folder / "state", bench.name)
    assert [path.name for path in kept.iterdir()] == [f"{now.best[0].number}.keras"]


def test_a_constraint_on_the_result_is_judged_at_the_end_and_such_a_model_is_not_kept(bench: Bench) -> None:
    now = bench.work(COSTS, constrained("{recall: {min: 0.95}}"))
    assert [trial.state for trial in now.all] == ["complete"] * 4
    assert [trial.reason for trial in now.all] == ["infeasible"] * 4
    assert [trial.epoch for trial in now.all] == [3] * 4
    assert now.best == ()
    assert not places.models(bench.folder / "state", bench.name).exists()


def test_a_constrained_metric_that_nobody_reports_ends_the_worker_and_costs_no_trial(bench: Bench) -> None:
    with pytest.raises(InputError, match=r"constraints: 'recal' is not a metric .* did you mean 'recall'"):
        bench.work(COSTS, constrained("{recal: {min: 0.5}}"))
    [first] = look(load(bench.storage, bench.name)).all
    assert (first.number, first.state) == (0, "waiting")


def test_a_constrained_metric_that_is_no_number_fails_its_trial(bench: Bench) -> None:
    now = bench.work(COSTS.replace('1 - params["x"]', 'float("nan")'), constrained("{recall: {min: 0.5}}"))
    assert [trial.reason for trial in now.all] == ["nan"] * 4

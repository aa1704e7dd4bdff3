"""Checkpoints survive what happens to disks and processes."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from trainers.training import checkpoint
from trainers.training.checkpoint import State


def state(epoch: int) -> State:
    arrays = {"model.0": np.full((2, 3), epoch, np.float32), "model.1": np.array([epoch], np.int64)}
    return State(epoch, {"loss": 0.1 * epoch}, arrays)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, state(3))
    loaded = checkpoint.load(tmp_path)
    assert loaded is not None
    assert (loaded.epoch, loaded.metrics) == (3, {"loss": 0.1 * 3})
    for name, array in state(3).arrays.items():
        assert loaded.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded.arrays[name], array)


def test_an_empty_folder_has_none(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path) is None


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    for epoch in (8, 9, 10, 11):
        checkpoint.save(tmp_path, state(epoch))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "epoch-000010.json",
        "epoch-000010.npz",
        "epoch-000011.json",
        "epoch-000011.npz",
    ]


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "epoch-000002.npz").write_bytes(b"nothing"),
        lambda folder: (folder / "epoch-000002.npz").unlink(),
        lambda folder: (folder / "epoch-000002.npz").write_bytes((folder / "epoch-000001.npz").read_bytes()),
        lambda folder: (folder / "epoch-000002.json").write_text('{"epoch": 2'),
        lambda folder: (folder / "epoch-000002.json").write_text(json.dumps({"epoch": 2})),
        lambda folder: (folder / "epoch-000002.json").write_text("[]"),
    ],
    ids=["arrays cut", "arrays gone", "arrays of another epoch", "JSON cut", "no hash", "no map"],
)
def test_a_damaged_newest_one_falls_back_to_the_one_before(tmp_path: Path, damage: object) -> None:
    for epoch in (1, 2):
        checkpoint.save(tmp_path, state(epoch))
    assert callable(damage)
    damage(tmp_path)
    loaded = checkpoint.load(tmp_path)
    assert loaded is not None
    assert loaded.epoch == 1


def test_an_interrupted_save_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.save(tmp_path, state(1))
    written = checkpoint._write

    def killed(path: Path, content: bytes) -> None:
        if path.suffix == ".json":
            raise KeyboardInterrupt
        written(path, content)

    monkeypatch.setattr(checkpoint, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(tmp_path, state(2))
    loaded = checkpoint.load(tmp_path)
    assert loaded is not None
    assert loaded.epoch == 1


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, state(1))
    checkpoint.save(tmp_path, State(2, {}, {"model.0": np.array([{}], object)}))
    loaded = checkpoint.load(tmp_path)
    assert loaded is not None
    assert loaded.epoch == 1


def test_what_trains_for_less_than_a_second_writes_nothing_unless_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    asked: list[int] = []

    def offered(epoch: int) -> State:
        asked.append(epoch)
        return state(epoch)

    with checkpoint.Writer(tmp_path) as writer:
        for epoch in range(1, 5):
            now[0] += 0.3
            writer.offer(partial(offered, epoch))
    assert asked == [4]
    with checkpoint.Writer(tmp_path / "short") as writer:
        writer.offer(partial(offered, 5))
        (tmp_path / "short").mkdir()
        writer.save(state(5))
    assert asked == [4]
    loaded = [checkpoint.load(folder) for folder in (tmp_path, tmp_path / "short")]
    assert [one.epoch for one in loaded if one is not None] == [4, 5]

"""Data that is too large for its device is streamed by itself, and the plan says so, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_run import IMAGE, NOWHERE, FakeRun, few_digits

from spaces.spec import DataSpec
from trainers import find, runtime
from trainers.data import placing
from trainers.training import programs, ready


def told(folder: Path, kind: Any, location: str, memory: int | None = None, **options: Any) -> str:
    return placing.foretold(DataSpec(kind, location, NOWHERE, 0.25, options), folder, memory)


@pytest.mark.parametrize(("spare", "kind"), [(0, "CompiledEpochs"), (-1, "StreamedEpochs")])
def test_data_that_takes_more_than_its_share_of_the_device_is_streamed(
    spare: int, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = few_digits()
    memory = int(data.size / placing.LARGEST_SHARE_OF_GPU) + spare
    monkeypatch.setattr(runtime, "device_memory", lambda: memory)
    known = programs.Programs()
    monkeypatch.setattr("trainers.training.train.programs", lambda _: known)
    find.load(IMAGE, tmp_path)({"layers": [], "batch_size": 64}, FakeRun(data, tmp_path, epochs=1))
    (program,) = known.kept.values()
    assert type(program.epochs).__name__ == kind
    assert ready.fits_on_device(data) == (spare == 0)


def test_the_plan_tells_where_data_will_be_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pd.DataFrame({"n": range(40), "city": ["Rome", "Oslo"] * 20, "y": ["low", "high"] * 20})
    table.to_csv(tmp_path / "t.csv", index=False)
    assert told(tmp_path, "csv", "t.csv", label="y") == "30 + 10 examples, 480 bytes, on the device"
    assert told(tmp_path, "csv", "t.csv", memory=480 * 4, label="y").endswith("on the device")
    small = told(tmp_path, "csv", "t.csv", memory=480 * 4 - 4, label="y")
    assert small == "30 + 10 examples, 480 bytes, streamed: more than a quarter of the device's 2 kB"
    size = (tmp_path / "t.csv").stat().st_size
    assert told(tmp_path, "csv", "t.csv", label="y", stream=True) == f"{size} bytes in files, streamed (stream: true)"
    monkeypatch.setattr(placing, "LARGEST_READ", 0)
    unread = told(tmp_path, "csv", "t.csv", label="y")
    assert unread.startswith(f"{size} bytes in files; streamed if its numbers take more than the 4.3 GB")
    assert told(tmp_path, "csv", "u.csv", label="y").startswith("can't be read here: no such file")


def test_the_plan_counts_pictures_texts_and_what_a_function_gives(tmp_path: Path) -> None:
    for name in ("dark", "light"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(4):
            (tmp_path / "pictures" / name / f"{number}.png").touch()
    assert told(tmp_path, "images", "pictures", size=[4, 5]) == "6 + 2 examples, 512 bytes, on the device"
    np.savez(tmp_path / "a.npz", x=np.zeros((8, 3, 3, 1), np.uint8), y=np.arange(8) % 2)
    assert told(tmp_path, "npz", "a.npz") == "6 + 2 examples, 104 bytes, on the device"
    (tmp_path / "f.py").write_text("def texts(): return ['one two three'] * 8, [0, 1] * 4\ndef none(): pass\n")
    assert told(tmp_path, "function", "f.py:texts") == "6 + 2 examples, 128 bytes, on the device"
    assert told(tmp_path, "dataset", "f.py:none") == "streamed (dataset always is)"
    assert told(tmp_path, "keras", "mnist") == "known when a worker has loaded it"

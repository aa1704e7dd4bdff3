"""Whatever stands where data should be, the door says what is wrong with it and the way out; nothing gets through."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_run import NOWHERE

from spaces.spec import DataSpec
from trainers.data import DataError, load, placing

ROWS = 40
Y = ["low", "high"] * (ROWS // 2)


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"n": np.arange(ROWS) / 3, "m": np.arange(ROWS), "y": Y, **columns})


def csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False).encode()


SPOILT = np.where(np.arange(ROWS) == 33, "?", np.arange(ROWS).astype(str))
TEN_GIGABYTES = 10 * 10**9

TABLES: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "nothing": (b"", {}, "can't be read as CSV: No columns to parse"),
    "a header alone": (b"n,y\n", {}, "is empty|no rows"),
    "another encoding": (csv(frame(c="Z")).replace(b"Z", b"\xe9"), {}, "save it as UTF-8"),
    "bytes": (bytes(range(256)) * 20, {}, "can't be read as CSV|no column 'y'"),
    "a row too long": (csv(frame()) + b"1,2,low,4,5\n", {}, "can't be read as CSV: .*Expected 3 fields"),
    "no label": (csv(frame()), {"label": "z"}, "no column 'z'"),
    "another separator": (csv(frame()).replace(b",", b";"), {}, "no column 'y'"),
    "one class": (csv(frame(y="low")), {}, r"one class only \(low\)"),
    "a label that is missing": (csv(frame(y=["low", None] * 20)), {}, "labels.* are missing in y"),
    "a number that is missing": (
        csv(frame(n=[None, 1.0] * 20)),
        {},
        r"(missing values in n|in n \(20\)).*write preprocessing: {missing: median}",
    ),
    "an infinite number": (csv(frame(n=[np.inf, 1.0] * 20)), {}, r"infinite values in (n|.* in n \(20\))"),
    "a question mark among numbers": (
        csv(frame(m=SPOILT)),
        {},
        "column 'm' holds numbers, but for '\\?'; leave these cells empty, or name the column under categorical",
    ),
    "weights below 0": (csv(frame()), {"weights": "w"}, "no column 'w'"),
    "weights of text": (
        csv(frame(w="many")),
        {"weights": "w"},
        "dtype .*expected numbers|holds texts; expected numbers",
    ),
    "weights that are missing": (
        csv(frame(w=[1.0, None] * 20)),
        {"weights": "w"},
        "labels or weights are missing in w",
    ),
    "quantities as classes": (
        csv(frame()),
        {"label": "n", "task": "classification"},
        "holds? fractions; expected class numbers",
    ),
    "texts as quantities": (csv(frame()), {"task": "regression"}, "expected numbers for a regression"),
}


@pytest.mark.parametrize("stream", [{}, {"stream": True}], ids=["in memory", "streamed"])
@pytest.mark.parametrize(("content", "options", "message"), TABLES.values(), ids=TABLES)
def test_a_hostile_table_is_refused(
    content: bytes, options: dict[str, Any], message: str, stream: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=f"^data csv: t.csv: (?s:.*)(?:{message})"):
        load(DataSpec("csv", "t.csv", NOWHERE, 0.25, {"label": "y", **options, **stream}), tmp_path, 0)


@pytest.mark.parametrize("options", [{}, {"stream": True}, {"stream": True, "cache": "kept"}], ids=str)
@pytest.mark.parametrize("kind", ["csv", "parquet", "images"])
def test_data_that_isnt_there_is_told_with_the_nearest_name(kind: Any, options: Any, tmp_path: Path) -> None:
    (tmp_path / "table").mkdir()
    with pytest.raises(DataError, match=r"no such file: .*/tabel; did you mean 'table'"):
        load(DataSpec(kind, "tabel", NOWHERE, 0.25, {"label": "y", **options}), tmp_path, 0)


@pytest.mark.parametrize("stream", [{}, {"stream": True}], ids=["in memory", "streamed"])
def test_codes_that_look_like_numbers_are_categories_where_the_file_says_so(
    stream: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_bytes(csv(frame(m=SPOILT)))
    options = {"label": "y", "categorical": ["m"], **stream}
    data = load(DataSpec("csv", "t.csv", NOWHERE, 0.25, options), tmp_path, 0)
    assert data.columns is not None
    assert data.columns[1].kind == "category"


def header(shape: tuple[int, ...]) -> bytes:
    """An archive whose array is said to be larger than what is there."""
    array, archive = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(array, {"descr": "<f4", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("x.npy", array.getvalue() + b"few")
        file.writestr("y.npy", array.getvalue())
    return archive.getvalue()


FILES: dict[str, tuple[str, str, Callable[[], bytes] | None, str]] = {
    "10 GB named but absent": ("npz", "ten-gigabytes.npz", None, "no such file: .*ten-gigabytes.npz"),
    "10 GB promised": ("npz", "a.npz", lambda: header((25 * 10**8, 1)), "can't be read as a NumPy archive"),
    "half an archive": ("npz", "a.npz", lambda: header((5, 5))[:60], "can't be read as a NumPy archive"),
    "an empty archive": ("npz", "a.npz", bytes, "can't be read as a NumPy archive"),
    "no Parquet": ("parquet", "a.parquet", lambda: b"PAR1 is how it begins", "can't be read as Parquet"),
    "no records": ("tfrecord", "a.tfrecord", bytes, "holds no records"),
    "half a record": ("tfrecord", "a.tfrecord", lambda: b"\x09" + bytes(20), "can't be read as TFRecord"),
    "no pictures": ("images", "a", None, "no folders; expected one folder of pictures per class"),
    "a file for a folder": ("texts", "a.txt", lambda: b"text", "no folders"),
}


@pytest.mark.parametrize(("kind", "name", "content", "message"), FILES.values(), ids=FILES)
def test_a_hostile_file_is_refused(
    kind: Any, name: str, content: Callable[[], bytes] | None, message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content())
    elif kind == "images":
        (tmp_path / name).mkdir()
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    options = {"label": "y"} if kind == "parquet" else {}
    with pytest.raises(DataError, match=f"^data {kind}: {name}: (?s:.*){message}"):
        load(DataSpec(kind, name, NOWHERE, 0.25, options), tmp_path, 0)


@pytest.mark.parametrize(("kind", "way_out"), [("csv", "add stream: true"), ("npz", "stream it: tfrecord, or dataset")])
def test_a_file_that_is_larger_than_the_memory_is_refused_before_it_is_read(
    kind: Any, way_out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / f"t.{kind}").open("wb") as file:
        file.truncate(TEN_GIGABYTES)  # takes no room on the disk
    memory = type("Memory", (), {"available": TEN_GIGABYTES - 1})
    monkeypatch.setattr(placing.psutil, "virtual_memory", lambda: memory)
    with pytest.raises(DataError, match=f"10.0 GB in files, and 10.0 GB of memory are left; {way_out}"):
        load(DataSpec(kind, f"t.{kind}", NOWHERE, 0.25, {"label": "y"}), tmp_path, 0)


def test_an_archive_that_unpacks_to_more_than_the_memory_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(2**24))
        archive.writestr("y.npy", bytes(100))
    assert (tmp_path / "bomb.npz").stat().st_size < 2**16
    memory = type("Memory", (), {"available": 2**23})
    monkeypatch.setattr(placing.psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(DataError, match=r"16.8 MB in files, and 8.4 MB of memory are left"):
        load(DataSpec("npz", "bomb.npz", NOWHERE, 0.25, {}), tmp_path, 0)


def test_objects_in_an_archive_are_never_unpickled(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "owned",))

    np.savez(tmp_path / "pickled.npz", x=np.array([Evil()] * 4, dtype=object), y=np.arange(4) % 2)
    with pytest.raises(DataError, match="without pickled objects"):
        load(DataSpec("npz", "pickled.npz", NOWHERE, 0.25, {}), tmp_path, 0)
    assert not (tmp_path / "owned").exists()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["npz", "csv", "parquet", "tfrecord", "images", "texts"])
@pytest.mark.parametrize("what", ["a pipe", "/dev/zero"])
def test_what_never_ends_is_not_read(kind: Any, what: str, tmp_path: Path) -> None:
    if what == "a pipe":
        os.mkfifo(tmp_path / "data")
    else:
        (tmp_path / "data").symlink_to(what)
    for stream in ({}, {"stream": True}) if kind in ("csv", "parquet", "images") else ({},):
        with pytest.raises(DataError, match=r"pipe or a device|no folders"):
            load(DataSpec(kind, "data", NOWHERE, 0.25, {"label": "y", **stream}), tmp_path, 0)


def test_a_picture_among_many_that_is_none_is_told(tmp_path: Path) -> None:
    import tensorflow as tf

    for name in ("dark", "light"):
        (tmp_path / "p" / name).mkdir(parents=True)
        for number in range(4):
            (tmp_path / "p" / name / f"{number}.png").write_bytes(
                tf.io.encode_png(np.zeros((3, 3, 3), np.uint8)).numpy()
            )
    (tmp_path / "p" / "light" / "2.png").write_bytes(b"")
    for options in ({}, {"stream": True}, {"stream": True, "cache": "kept"}):
        with pytest.raises(DataError, match="can't be read"):
            load(DataSpec("images", "p", NOWHERE, 0.25, options), tmp_path, 0)


HOSTILE = """
import numpy as np
x, y = np.ones((8, 2)), [0, 1] * 4
def fewer(): return x, y[:5]
def lists_of_nothing(): return [], []
def mixed(): return np.array([[1, "a"], [2, "b"]] * 4, object), y
def nested(): return [[1, [2]]] * 8, y
def dates(): return x, np.array(["2026-01-01"] * 8, "datetime64[D]")
def complex(): return x.astype("complex64"), y
def stops(): raise SystemExit(3)
def number(): return 7
"""


@pytest.mark.parametrize(
    "name", ["fewer", "lists_of_nothing", "mixed", "nested", "dates", "complex", "stops", "number"]
)
def test_whatever_a_function_returns_is_refused_with_its_name(name: str, tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text(HOSTILE)
    with pytest.raises(DataError, match=f"^data function: f.py:{name}: .*(expected|failed)"):
        load(DataSpec("function", f"f.py:{name}", NOWHERE, 0.25, {}), tmp_path, 0)

"""Data that doesn't fit in memory is read while it is trained on, in an order of its own every epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from fake_run import IMAGE, NOWHERE, TABULAR, FakeRun

from spaces.errors import SpaceError
from spaces.reader import parse
from spaces.spec import DataSpec
from trainers import find
from trainers.contract import DataLost, TrialOver
from trainers.data import Data, DataError, load, stream_store, survey, table_chunks
from trainers.data.data import Column, Raw
from trainers.data.loading import prepared
from trainers.data.moments import moments, together
from trainers.fitting import fit

ROWS = 40


def read(
    folder: Path, kind: Any, location: str, missing: bool = False, validation: float = 0.25, **options: Any
) -> Data:
    return load(DataSpec(kind, location, NOWHERE, validation, options), folder, 7, missing)


def epoch(data: Data, number: int = 1, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    assert data.stream is not None
    x, y, *_ = zip(*data.stream.training(seed, number, 7).as_numpy_iterator(), strict=True)
    return np.concatenate(x), np.concatenate(y)


def held(data: Data) -> tuple[np.ndarray, np.ndarray]:
    assert data.stream is not None
    x, y = zip(*data.stream.validation(7).as_numpy_iterator(), strict=True)
    return np.concatenate(x), np.concatenate(y)


FUNCTIONS = """
import numpy as np, tensorflow as tf
x = np.arange(80.0).reshape(40, 2)
y = np.arange(40) % 2
whole = tf.data.Dataset.from_tensor_slices((x, y))
def one(): return whole
def two(): return whole.take(30), whole.skip(30)
def several(): return tf.data.Dataset.from_tensor_slices((x, np.eye(2)[y]))
def weighted(): return tf.data.Dataset.from_tensor_slices((x, y, x[:, 0] / 2))
def quantity(): return tf.data.Dataset.from_tensor_slices((x, x[:, :1]))
def batches(): return whole.batch(4)
def arrays(): return x, y
def gaps(): return tf.data.Dataset.from_tensor_slices((x, y * 2))
def texts(): return tf.data.Dataset.from_tensor_slices((np.array(["a"] * 40), y))
def nothing(): return whole.take(0), whole
def endless(): return whole.repeat()
def broken(): return undefined
def nan(): return tf.data.Dataset.from_tensor_slices((x * np.nan, y))
"""


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    (tmp_path / "f.py").write_text(FUNCTIONS)
    return tmp_path


def test_a_functions_data_set_is_divided_and_every_example_comes_once(functions: Path) -> None:
    data = read(functions, "dataset", "f.py:one")
    assert data.stream is not None
    (x, y), (x_held, _) = epoch(data), held(data)
    assert (data.stream.examples, len(x), len(x_held)) == (30, 30, 10)
    assert sorted([*x[:, 0], *x_held[:, 0]]) == list(range(0, 80, 2))
    np.testing.assert_array_equal(y, x[:, 0] // 2 % 2)
    assert (data.task, data.classes, data.input_shape, x.dtype) == ("classification", 2, (2,), np.float32)
    two = read(functions, "dataset", "f.py:two")
    np.testing.assert_array_equal(held(two)[0][:, 0], np.arange(60, 80, 2))


def test_an_epochs_order_is_its_own_and_the_same_again(functions: Path) -> None:
    data = read(functions, "dataset", "f.py:one")
    first = epoch(data)[0]
    np.testing.assert_array_equal(first, epoch(read(functions, "dataset", "f.py:one"))[0])
    assert (first != epoch(data, 2)[0]).any()
    assert (first != epoch(data, 1, seed=4)[0]).any()
    np.testing.assert_array_equal(np.sort(epoch(data, 2)[0], axis=0), np.sort(first, axis=0))
    ordered = epoch(read(functions, "dataset", "f.py:two", shuffle=1))[0]
    np.testing.assert_array_equal(ordered[:, 0], np.arange(0, 60, 2))


def test_labels_may_be_several_or_a_quantity(functions: Path) -> None:
    assert read(functions, "dataset", "f.py:several", task="multi_label").y_train.shape[1:] == (2,)
    data = read(functions, "dataset", "f.py:quantity")
    assert (data.task, epoch(data)[1].shape, data.y_train.ndim) == ("regression", (30,), 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("batches", "x has the shape .*no batches: set it with tf.ensure_shape, take batches apart with .unbatch"),
        ("arrays", "returned ndarray, ndarray; expected a tf.data.Dataset, or two"),
        ("gaps", "y holds the labels 0, 2; expected whole class numbers from 0 without a gap"),
        ("texts", "x is text, which can't be streamed"),
        ("nothing", "training: there are no examples"),
        ("endless", "the data set never ends; leave .repeat\\(\\) out"),
        ("broken", "the function failed at (?s:.*)NameError"),
        ("nan", "training: NaN or infinite values in feature 0, 1; write preprocessing: {missing: median}"),
        ("ones", "no function 'ones'; did you mean 'one'"),
    ],
)
def test_a_functions_mistakes_are_told(functions: Path, name: str, message: str) -> None:
    with pytest.raises(DataError, match=f"data dataset: f.py:{name}: (?s:.*){message}"):
        read(functions, "dataset", f"f.py:{name}")


def records(path: Path, rows: list[Mapping[str, Any]]) -> None:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row in rows:
            writer.write(tf.train.Example(features=tf.train.Features(feature=row)).SerializeToString())


def whole(*values: int) -> Any:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def test_records_of_numbers_and_of_pictures_are_read(tmp_path: Path) -> None:
    floats = [tf.train.Feature(float_list=tf.train.FloatList(value=[i, 1, 2, 3])) for i in range(ROWS)]
    for part in range(2):
        rows = [{"x": floats[i], "y": whole(i % 2)} for i in range(part, ROWS, 2)]
        records(tmp_path / f"n-{part}.tfrecord", rows)
    data = read(tmp_path, "tfrecord", "n-*.tfrecord", shape=[2, 2])
    assert (data.input_shape, len(epoch(data)[0]), len(held(data)[0])) == ((2, 2), 30, 10)
    pictures = [tf.io.encode_png(np.full((6, 5, 3), 5 * i, np.uint8)).numpy() for i in range(ROWS)]
    encoded = [tf.train.Feature(bytes_list=tf.train.BytesList(value=[picture])) for picture in pictures]
    records(tmp_path / "p.tfrecord", [{"image": encoded[i], "label": whole(i % 2)} for i in range(ROWS)])
    data = read(tmp_path, "tfrecord", "p.tfrecord", size=[4, 4])
    x, y = epoch(data)
    assert (data.input_shape, x.dtype) == ((4, 4, 3), np.uint8)
    np.testing.assert_array_equal(x[:, 0, 0, 0] // 5 % 2, y)


def test_functions_and_records_may_give_weights(functions: Path) -> None:
    number = [tf.train.Feature(float_list=tf.train.FloatList(value=[value])) for value in range(ROWS)]
    records(functions / "w.tfrecord", [{"x": number[2 * i], "y": whole(i % 2), "w": number[i]} for i in range(20)])
    given = read(functions, "dataset", "f.py:weighted"), read(functions, "tfrecord", "w.tfrecord", weights="w")
    for data in given:
        assert data.stream is not None
        assert data.stream.weighted
        x, _, weights = zip(*data.stream.training(3, 1, 7).as_numpy_iterator(), strict=True)
        np.testing.assert_array_equal(np.concatenate(x)[:, 0] / 2, np.concatenate(weights))
        assert len(held(data)[0]) == len(np.concatenate(x)) // 3
    with pytest.raises(DataError, match="no feature 'v'"):
        read(functions, "tfrecord", "w.tfrecord", weights="v")


def test_a_records_mistakes_are_told(tmp_path: Path) -> None:
    records(tmp_path / "n.tfrecord", [{"imagse": whole(1, 2), "y": whole(i % 2)} for i in range(8)])
    with pytest.raises(DataError, match=r"no feature 'image'; did you mean 'imagse'\? The first record has imagse, y"):
        read(tmp_path, "tfrecord", "n.tfrecord", x="image")
    with pytest.raises(DataError, match=r"'imagse' has 2 numbers; data.shape \[3\] has 3"):
        read(tmp_path, "tfrecord", "n.tfrecord", x="imagse", shape=[3])
    with pytest.raises(DataError, match=r"no file fits .*m.tfrecord"):
        read(tmp_path, "tfrecord", "m.tfrecord")
    (tmp_path / "bad.tfrecord").write_text("these are no records, whatever the name says")
    with pytest.raises(DataError, match="can't be read as TFRecord"):
        read(tmp_path, "tfrecord", "bad.tfrecord")


def pictures(folder: Path) -> None:
    for shade, name in ((0, "dark"), (200, "light")):
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(ROWS // 2):
            picture = np.full((10, 12, 3), shade + number, np.uint8)
            (folder / "pictures" / name / f"{number}.png").write_bytes(tf.io.encode_png(picture).numpy())


def test_pictures_are_the_same_whether_streamed_or_not(tmp_path: Path) -> None:
    pictures(tmp_path)
    options = {"size": [4, 6], "channels": 1}
    data, loaded = (read(tmp_path, "images", "pictures", **options, **more) for more in ({"stream": True}, {}))
    (x, y), (x_held, y_held) = epoch(data), held(data)
    assert (data.class_names, data.input_shape, x.dtype) == (loaded.class_names, (4, 6, 1), np.uint8)
    np.testing.assert_array_equal(np.sort(x, axis=0), np.sort(loaded.x_train, axis=0))
    np.testing.assert_array_equal(x_held, loaded.x_validation)
    np.testing.assert_array_equal(y_held, loaded.y_validation)
    np.testing.assert_array_equal(y, x[:, 0, 0, 0] >= 200)
    assert read(tmp_path, "images", "pictures", stream=True, prefetch=5, **options).fingerprint == data.fingerprint
    assert read(tmp_path, "images", "pictures", stream=True, size=[4, 5]).fingerprint != data.fingerprint
    (tmp_path / "pictures" / "dark" / "0.png").write_text("no picture")
    with pytest.raises(DataError, match="a picture can't be read"):
        read(tmp_path, "images", "pictures", stream=True)


@pytest.mark.parametrize("cache", [True, "kept"])
def test_what_is_cached_is_read_once(tmp_path: Path, cache: Any) -> None:
    pictures(tmp_path)
    data = read(tmp_path, "images", "pictures", stream=True, cache=cache)
    assert data.stream is not None
    first, first_held = epoch(data)[0], held(data)[0]
    for file in (tmp_path / "pictures").rglob("*.png"):
        file.unlink()
    np.testing.assert_array_equal(np.sort(epoch(data, 2)[0], axis=0), np.sort(first, axis=0))
    np.testing.assert_array_equal(held(data)[0], first_held)


def contents(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir() if path.is_dir()}


def test_a_cache_is_shared_and_follows_the_data(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "t.csv", index=False)
    options: dict[str, Any] = {"label": "y", "ignore": ["n", "city"], "stream": True}
    plain, first, second = (read(tmp_path, "csv", "t.csv", **options, **more) for more in ({}, KEPT, KEPT))
    assert plain.fingerprint == first.fingerprint == second.fingerprint
    (old,) = contents(tmp_path / "kept")
    for data in (first, second):
        np.testing.assert_array_equal(np.sort(epoch(data)[0], axis=0), np.sort(epoch(plain)[0], axis=0))
        np.testing.assert_array_equal(held(data)[1], held(plain)[1])
    np.testing.assert_array_equal(epoch(first, 2)[0], epoch(second, 2)[0])
    assert (epoch(first, 2)[0] != epoch(first, 1)[0]).any()
    frame().assign(code="07").to_csv(tmp_path / "t.csv", index=False)
    changed = read(tmp_path, "csv", "t.csv", **options, **KEPT)
    (new,) = contents(tmp_path / "kept")
    assert (old != new, set(epoch(changed)[0][:, 0])) == (True, {7.0})
    assert set(epoch(first)[0][:, 0]) == {0.0, 1.0}  # who has it open keeps it


KEPT = {"cache": "kept"}


@pytest.mark.parametrize("kind", ["csv", "images"])
def test_a_source_that_didnt_change_is_read_once_by_all(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(tmp_path)
    frame().assign(w=1.5).to_csv(tmp_path / "t.csv", index=False)
    location = "pictures" if kind == "images" else "t.csv"
    options = {} if kind == "images" else {"label": "y", "weights": "w"}
    first = read(tmp_path, kind, location, missing=True, stream=True, **KEPT, **options)
    with monkeypatch.context() as patch:
        patch.setattr("trainers.data.survey.Surveyor.see", None)
        again = read(tmp_path, kind, location, missing=True, stream=True, prefetch=3, **KEPT, **options)
    assert again.stream is not None
    for name, value in vars(first).items():
        if name != "stream":
            np.testing.assert_equal(getattr(again, name), value)
    assert first.stream is not None
    for name in ("examples", "held", "weighted", "counts"):
        np.testing.assert_equal(getattr(again.stream, name), getattr(first.stream, name))
    np.testing.assert_equal(vars(again.stream.moments), vars(first.stream.moments))
    np.testing.assert_array_equal(epoch(again)[0], epoch(first)[0])
    assert again.stream.prefetch == 3


def test_what_a_killed_process_left_of_a_cache_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame().to_csv(tmp_path / "t.csv", index=False)
    options: dict[str, Any] = {"label": "y", "ignore": ["n", "city"], "stream": True, **KEPT}

    def killed(folder: Path, blocks: Any) -> None:
        (folder / "train.0").write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stream_store, "_write_parts", killed)
        patch.setattr(stream_store.shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            read(tmp_path, "csv", "t.csv", **options)
    assert [name.endswith(".part") for name in contents(tmp_path / "kept")] == [True]
    assert len(epoch(read(tmp_path, "csv", "t.csv", **options))[0]) > 20
    assert [name.endswith(".part") for name in contents(tmp_path / "kept")] == [False]


def test_a_cache_that_cant_be_written_is_told(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=r"the cache .*t.csv can't be used: .*; choose another folder"):
        read(tmp_path, "csv", "t.csv", label="y", ignore=["n", "city"], stream=True, cache="t.csv")


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "n": [i if i % 5 else None for i in range(ROWS)],
            "city": [["Rome", "Oslo", None][i % 3] for i in range(ROWS)],
            "code": [f"{i % 2:02d}" for i in range(ROWS)],
            "y": ["low", "high"] * (ROWS // 2),
        }
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_is_read_in_chunks(tmp_path: Path, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_chunks, "CHUNK", 7)
    table = frame()
    if kind == "csv":
        table.to_csv(tmp_path / "t.csv", index=False)
    else:
        pytest.importorskip("pyarrow")
        table.to_parquet(tmp_path / "t.parquet")
    data = read(tmp_path, kind, f"t.{kind}", missing=True, label="y", categorical=["code"], stream=True)
    assert data.columns == (
        Column("n", "number"),
        Column("city", "category", ("Oslo", "Rome")),
        Column("code", "category", ("00", "01")),
    )
    assert data.stream is not None
    assert (data.class_names, data.missing) == (("high", "low"), True)
    (x, y), (x_held, _) = epoch(data), held(data)
    assert len(x) == data.stream.examples
    assert len(x) + len(x_held) == ROWS
    known = ~np.isnan(x[:, 0])
    np.testing.assert_array_equal(y[known], 1 - x[known, 0] % 2)
    np.testing.assert_array_equal(x[:, 2], 3 - y)
    np.testing.assert_array_equal(x[known, 1], np.array([3, 2, 0])[x[known, 0].astype(int) % 3])
    with pytest.raises(DataError, match=r"missing values in n, city; write preprocessing: {missing: median}"):
        read(tmp_path, kind, f"t.{kind}", label="y", stream=True)
    with pytest.raises(DataError, match="no column 'cty'; did you mean 'city'"):
        read(tmp_path, kind, f"t.{kind}", label="cty", stream=True)


def test_a_numeric_label_of_a_streamed_table_needs_its_task(tmp_path: Path) -> None:
    pd.DataFrame({"n": range(ROWS), "y": np.arange(ROWS) % 3}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=r"classes, or a quantity.*task: classification or task: regression"):
        read(tmp_path, "csv", "t.csv", label="y", stream=True)
    classes = read(tmp_path, "csv", "t.csv", label="y", stream=True, task="classification")
    assert (classes.class_names, classes.columns, classes.feature_names) == (("0", "1", "2"), None, ("n",))
    x, y = epoch(classes)
    np.testing.assert_array_equal(y, x[:, 0] % 3)
    quantity = read(tmp_path, "csv", "t.csv", label="n", stream=True, task="regression")
    assert (quantity.task, quantity.y_train.dtype) == ("regression", np.float32)


def test_a_trial_trains_and_goes_on_like_an_undisturbed_one(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "t.csv", index=False)
    params = {"preprocessing": {"missing": "median"}, "layers": [{"units": 4}], "batch_size": 8, "learning_rate": 0.05}
    data = read(tmp_path, "csv", "t.csv", missing=True, label="y", stream=True)
    undisturbed, stopped = (FakeRun(data, tmp_path / name, over_at=at) for name, at in (("a", None), ("b", 2)))
    for run in (undisturbed, stopped):
        run.folder.mkdir()
    train = find.load(TABULAR, tmp_path)
    train(params, undisturbed)
    assert len(undisturbed.kept) == 1
    assert undisturbed.losses[-1][0] < undisturbed.losses[0][0]
    with pytest.raises(TrialOver):
        train(params, stopped)
    resumed = FakeRun(read(tmp_path, "csv", "t.csv", missing=True, label="y", stream=True), stopped.folder)
    train(params, resumed)
    assert resumed.losses[-1] == pytest.approx(undisturbed.losses[-1], rel=1e-5)


COUNTS = np.arange(ROWS) % 4 == 0
TABLE = pd.DataFrame({"n": np.arange(ROWS) % 7, "y": np.where(COUNTS, "rare", "often"), "w": np.arange(ROWS) / 10})


@pytest.mark.parametrize("cache", [{}, {"cache": "kept"}], ids=["read", "cached"])
@pytest.mark.parametrize("words", [{}, {"class_weight": "balanced"}, {"class_weight": {"rare": 5}}], ids=str)
def test_weights_count_in_a_stream_as_they_do_in_memory(tmp_path: Path, words: Any, cache: Any) -> None:
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    data = read(tmp_path, "csv", "t.csv", label="y", weights="w", stream=True, **cache)
    assert data.stream is not None
    assert data.stream.counts is not None
    (x, y), (x_held, y_held) = epoch(data), held(data)
    own = np.concatenate([weight for _, _, weight in data.stream.training(3, 1, 7).as_numpy_iterator()])
    rows = {"x": x, "y": np.array(data.class_names)[y], "x_validation": x_held, "weights": own}
    memory = prepared(Raw(y_validation=np.array(data.class_names)[y_held], **rows), 0.2, 0)
    params = {"layers": [], "batch_size": 100, "learning_rate": 0.1, "preprocessing": {"scale": "none"}, **words}
    runs = [FakeRun(one, tmp_path / name, epochs=2) for one, name in ((data, "a"), (memory, "b"))]
    for run in runs:
        run.folder.mkdir()
        find.load(TABULAR, tmp_path)(params, run)
    assert runs[0].losses == [pytest.approx(losses, rel=1e-4) for losses in runs[1].losses]


def test_several_labels_are_streamed(tmp_path: Path) -> None:
    table = pd.DataFrame({"n": range(ROWS), "even": np.arange(ROWS) % 2, "third": (np.arange(ROWS) % 3 == 0) * 1})
    table.to_csv(tmp_path / "t.csv", index=False)
    data = read(tmp_path, "csv", "t.csv", label=["even", "third"], stream=True)
    x, y = epoch(data)
    assert (data.task, data.class_names, y.dtype) == ("multi_label", ("even", "third"), np.float32)
    np.testing.assert_array_equal(y, np.stack([x[:, 0] % 2, x[:, 0] % 3 == 0], axis=1))
    run = FakeRun(data, tmp_path, epochs=1)
    find.load(TABULAR, tmp_path)({"layers": []}, run)
    assert np.isfinite(run.losses).all()
    table.assign(even=2).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match="column 'even' holds more than 0 and 1"):
        read(tmp_path, "csv", "t.csv", label=["even", "third"], stream=True)


@pytest.mark.parametrize(
    "words",
    [
        {"missing": "mean"},
        {"missing": "mean", "scale": "min_max"},
        {"missing": {"constant": {"value": 3.0}}, "log": True},
    ],
    ids=str,
)
def test_scales_are_those_of_the_whole_training_part(
    tmp_path: Path, words: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_chunks, "CHUNK", 9)
    monkeypatch.setattr(survey, "sample_size", lambda _: 4)
    table = pd.DataFrame({"n": [i**2 - 50.0 if i % 5 else None for i in range(ROWS)], "y": ["low", "high"] * 20})
    table.to_csv(tmp_path / "t.csv", index=False)
    data = read(tmp_path, "csv", "t.csv", missing=True, label="y", stream=True)
    assert len(data.x_train) == 4
    (x, y), (x_held, y_held) = epoch(data), held(data)
    memory = prepared(Raw(x, y, x_held, y_held), 0.2, 0, missing=True)
    np.testing.assert_allclose(data.mean, memory.mean, rtol=1e-5)
    np.testing.assert_allclose(data.variance, memory.variance, rtol=1e-5)
    streamed, whole = (fit({"scale": "standardize", **words}, one) for one in (data, memory))
    for name in ("fill", "mean", "variance", "absent"):
        np.testing.assert_allclose(getattr(streamed, name), getattr(whole, name), rtol=1e-5)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_moments_are_the_same_in_pieces_as_of_all(kind: Any) -> None:
    x = np.random.default_rng(1).integers(3, 200, (50, 4, 2)).astype(kind)
    if kind is np.float32:
        x[::7, 1, 0] = np.nan
    whole = together(together(None, moments(x[:9])), together(moments(x[9:30]), moments(x[30:])))
    rows = x.reshape(-1, 2).astype(float)
    for name, expected in {
        "mean": np.nanmean(rows, axis=0),
        "variance": np.nanvar(rows, axis=0),
        "least": np.nanmin(rows, axis=0),
        "most": np.nanmax(rows, axis=0),
        "log_mean": np.nanmean(np.log1p(rows), axis=0),
        "log_variance": np.nanvar(np.log1p(rows), axis=0),
        "absent": np.isnan(rows).sum(axis=0),
    }.items():
        np.testing.assert_allclose(getattr(whole, name), expected, rtol=1e-9)


def test_a_column_whose_first_text_comes_late_is_read_as_the_texts_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_chunks, "CHUNK", 7)
    codes = ["007", "true"] * 15 + ["A"] * 10
    pd.DataFrame({"code": codes, "y": ["low", "high"] * 20}).to_csv(tmp_path / "t.csv", index=False)
    data = read(tmp_path, "csv", "t.csv", label="y", stream=True)
    assert data.columns == (Column("code", "category", ("007", "A", "true")),)


def test_data_that_vanishes_in_training_is_no_fault_of_the_trial(tmp_path: Path) -> None:
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    data = read(tmp_path, "csv", "t.csv", label="y", stream=True)
    (tmp_path / "t.csv").unlink()
    with pytest.raises(DataLost, match=r"the data can't be read any more: .*t.csv can't be read as CSV"):
        find.load(TABULAR, tmp_path)({"layers": []}, FakeRun(data, tmp_path))
    pictures(tmp_path)
    data = read(tmp_path, "images", "pictures", stream=True)
    (tmp_path / "pictures" / "dark" / "3.png").unlink()
    with pytest.raises(DataLost, match=r"the data can't be read any more: .*dark/3.png"):
        find.load(IMAGE, tmp_path)({"layers": []}, FakeRun(data, tmp_path))


FILE = """
trainer: tabular
data: {csv: t.csv, OPTIONS}
objective: {minimize: val_loss}
budget: {trials: 1}
space: {learning_rate: 0.1}
"""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("label: y, text: t, stream: true", "s.yaml:3:30: data.text: texts can't be streamed"),
        ("label: y, cache: kept", "data.cache: is for data that is streamed"),
        ("label: [y], stream: true", "data.label: a list is for several labels.*write label: y"),
        ("label: [y, z], task: regression", "several labels are for multi_label, and the task is regression"),
        ("label: y, task: multi_label", r"one column is no multi_label.*write label: \[y, …\]"),
    ],
)
def test_what_cant_be_streamed_is_told_at_its_place(options: str, message: str) -> None:
    with pytest.raises(SpaceError, match=f"(?s){message}"):
        parse(FILE.replace("OPTIONS", options), "s.yaml", Path())

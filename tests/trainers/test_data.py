"""Data comes in checked, split, measured and read-only, or is refused with the way out."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from fake_run import NOWHERE

from spaces.spec import DataSpec
from trainers.data import Data, DataError, load
from trainers.data.data import Column, Raw
from trainers.data.loading import prepared
from trainers.words.datasets import KERAS_SETS, SETS


def spec(kind: Any, location: str, validation: float = 0.2, **options: Any) -> DataSpec:
    return DataSpec(kind, location, NOWHERE, validation, options)


RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(30, 4)).astype(np.float32)
Y = np.arange(30) % 3


@pytest.mark.parametrize("known", SETS, ids=[known.name for known in SETS])
def test_a_shipped_set_is_what_its_table_says(known: Any) -> None:
    data = load(spec("set", known.name), Path(), seed=1)
    assert data.task == known.task
    assert len(data.input_shape) == {"image": 3, "sequence": 2, "table": 1, "text": 1}[known.form]
    assert data.x_train.dtype == (np.int32 if known.form == "text" else np.float32)
    assert (data.vocabulary is not None) == (known.form == "text")
    assert data.y_train.dtype == (np.int32 if known.task == "classification" else np.float32)
    assert len(data.x_validation) == pytest.approx(0.2 * (len(data.x_train) + len(data.x_validation)), abs=1)


def test_every_keras_set_exists_in_keras() -> None:
    for known in KERAS_SETS:
        assert callable(getattr(keras.datasets, known.name).load_data)


def test_digits_are_images_with_their_largest_value() -> None:
    data = load(spec("set", "digits"), Path(), seed=1)
    assert (data.input_shape, data.maximum, data.minimum, data.classes) == ((8, 8, 1), 16.0, 0.0, 10)
    assert data.class_names == tuple("0123456789")


def test_a_split_is_stratified_complete_and_depends_on_the_seed_alone() -> None:
    raw = Raw(np.arange(300, dtype=np.float32)[:, None], np.repeat([0, 1, 2], [200, 70, 30]))
    data, same, other = (prepared(raw, 0.2, seed) for seed in (5, 5, 6))
    assert np.bincount(data.y_validation).tolist() == [40, 14, 6]
    assert sorted(np.concatenate([data.x_train, data.x_validation])[:, 0]) == list(range(300))
    np.testing.assert_array_equal(data.x_train, same.x_train)
    assert (data.x_train != other.x_train).any()


def test_scales_are_those_of_the_training_part() -> None:
    data = prepared(Raw(X, RANDOM.normal(3, 2, 30)), 0.2, 0)
    assert data.mean is not None
    np.testing.assert_allclose(data.mean, data.x_train.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(data.variance, data.x_train.var(axis=0), atol=1e-6)
    assert data.target_mean == pytest.approx(data.y_train.mean())
    assert data.target_deviation == pytest.approx(data.y_train.std())


def test_nothing_can_be_changed_by_a_trial() -> None:
    data = prepared(Raw(X, Y), 0.2, 0)
    for array in (data.x_train, data.y_train, data.x_validation, data.y_validation, data.mean):
        assert array is not None
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def changed_value(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, int]:
    x = x.copy()
    x[3, 1] += 1
    return x, y, 0.2, 0


@pytest.mark.parametrize(
    "change",
    [
        changed_value,
        lambda x, y: (x, (y + 1) % 3, 0.2, 0),
        lambda x, y: (x, y, 0.3, 0),
        lambda x, y: (x, y, 0.2, 1),
        lambda x, y: (x.reshape(30, 2, 2), y, 0.2, 0),
        lambda x, y: (x, y.astype(np.float32), 0.2, 0),
    ],
    ids=["value", "labels", "share", "seed", "shape", "type"],
)
def test_other_data_has_another_fingerprint(change: Callable[..., Any]) -> None:
    x, y, fraction, seed = change(X, Y)
    first = prepared(Raw(X, Y), 0.2, 0).fingerprint
    assert re.fullmatch("[0-9a-f]{64}", first)
    assert prepared(Raw(X.copy(), Y.copy()), 0.2, 0).fingerprint == first
    assert prepared(Raw(x, y), fraction, seed).fingerprint != first


def test_labels_become_class_numbers_and_their_names() -> None:
    data = prepared(Raw(X, np.array(["no", "yes", "maybe"])[Y]), 0.2, 0)
    assert data.class_names == ("maybe", "no", "yes")
    assert set(data.y_train.tolist()) == {0, 1, 2}
    assert prepared(Raw(X, Y * 10 + 5), 0.2, 0).class_names == ("5", "15", "25")
    assert prepared(Raw(X, (Y > 0)), 0.2, 0).class_names == ("False", "True")
    assert prepared(Raw(X, np.array(["a", "b"], object)[Y % 2]), 0.2, 0).classes == 2


def test_bytes_stay_bytes_and_other_numbers_become_float32() -> None:
    images = RANDOM.integers(0, 256, (30, 4, 4, 3)).astype(np.uint8)
    data = prepared(Raw(images, Y), 0.2, 0)
    assert (data.x_train.dtype, data.maximum) == (np.uint8, 255.0)
    assert prepared(Raw(images / 255, Y), 0.2, 0).maximum == 1.0
    assert prepared(Raw(X.astype(np.int64), Y), 0.2, 0).x_train.dtype == np.float32


BROKEN: dict[str, tuple[Raw, str]] = {
    "empty": (Raw(X[:0], Y[:0]), "x is empty"),
    "rank": (Raw(X[:, 0], Y), r"expected \(examples, …\). One feature is x.reshape\(-1, 1\)"),
    "lengths": (Raw(X, Y[:-1]), "x has 30 examples and y has 29 labels"),
    "objects": (Raw(np.array([["a", 1]] * 30, object), Y), "dtype object; expected numbers"),
    "texts": (Raw(X.astype(str), Y), "expected numbers"),
    "nan": (
        Raw(np.where(X[2, 1] == X, np.nan, X), Y, feature_names=("a", "b", "c", "d")),
        r"x has 1 NaN or infinite values in 1 of 30 examples, in b \(1\)",
    ),
    "infinite label": (Raw(X, np.full(30, np.inf)), "y has 30 NaN or infinite"),
    "one class": (Raw(X, Y * 0), r"one class only \(0\)"),
    "single example": (Raw(X, np.where(np.arange(30) == 4, 9, Y)), "needs at least 2 examples.*only one of: 9"),
    "one-hot": (Raw(X, np.eye(3)[Y]), r"one-hot labels are y.argmax\(axis=1\)"),
    "mixed labels": (Raw(X, np.array([None, "a", "b"], object)[Y]), "values of type NoneType, str"),
    "quantity or class": (
        Raw(RANDOM.normal(size=(400, 2)), np.arange(400)),
        "400 different whole numbers.*task: classification or task: regression",
    ),
    "fractions as classes": (Raw(X, X[:, 0], task="classification"), "y holds fractions"),
    "texts as targets": (Raw(X, Y.astype(str), task="regression"), "expected numbers for a regression"),
    "validation shape": (Raw(X, Y, X[:5, :2], Y[:5]), r"shape \(4,\), those of x_validation \(2,\)"),
    "validation length": (Raw(X, Y, X[:5], Y[:4]), "x_validation has 5 examples and y_validation 4"),
    "validation class": (Raw(X, Y, X[:5], np.full(5, 7)), "classes that y lacks: 7"),
}


@pytest.mark.parametrize(("raw", "message"), BROKEN.values(), ids=BROKEN)
def test_broken_data_is_refused_at_the_door(raw: Raw, message: str) -> None:
    with pytest.raises(DataError, match=message):
        prepared(raw, 0.2, 0)


@pytest.mark.parametrize(
    ("fraction", "message"), [(0.0, "a share between 0 and 1"), (0.05, "leaves 2 for validation and 28")]
)
def test_a_share_that_leaves_too_little_is_refused(fraction: float, message: str) -> None:
    with pytest.raises(DataError, match=message):
        prepared(Raw(X, Y), fraction, 0)


def test_an_archive_is_read_by_its_names_and_keeps_its_own_validation_part(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=X, labels=Y)
    data = load(spec("npz", "a.npz", x="images", y="labels"), tmp_path, 0)
    assert len(data.x_train) == 24
    np.savez(tmp_path / "b.npz", x_train=X, y_train=Y, x_validation=X[:6], y_validation=Y[:6])
    data = load(spec("npz", "b.npz"), tmp_path, 0)
    np.testing.assert_array_equal(data.x_train, X)
    np.testing.assert_array_equal(data.x_validation, X[:6])
    assert load(spec("npz", "a.npz", x="images", y="labels", task="regression"), tmp_path, 0).task == "regression"


def test_an_archives_mistakes_are_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", imagse=X, y=Y)
    with pytest.raises(DataError, match="no array 'images'; did you mean 'imagse'"):
        load(spec("npz", "a.npz", x="images"), tmp_path, 0)
    with pytest.raises(DataError, match=r"no such file: .*b.npz; did you mean 'a.npz'"):
        load(spec("npz", "b.npz"), tmp_path, 0)
    (tmp_path / "c.npz").write_text("no archive")
    with pytest.raises(DataError, match="can't be read as a NumPy archive"):
        load(spec("npz", "c.npz"), tmp_path, 0)
    np.savez(tmp_path / "d.npz", x=X, y=Y, x_validation=X)
    with pytest.raises(DataError, match="has x_validation alone"):
        load(spec("npz", "d.npz"), tmp_path, 0)
    np.savez(tmp_path / "e.npz", x=np.array([{}] * 3, object), y=Y[:3])
    with pytest.raises(DataError, match="without pickled objects"):
        load(spec("npz", "e.npz"), tmp_path, 0)


ROWS = (f"{'BAC'[i % 3]},{i},{i % 2},{'low' if i < 20 else 'high'}\n" for i in range(40))
TABLE = "city,size,code,price\n" + "".join(ROWS)


def test_a_table_becomes_numbers_and_codes_of_categories(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    data = load(spec("csv", "t.csv", label="price", categorical=["code"]), tmp_path, 0)
    assert data.feature_names == ("city", "size", "code")
    assert data.columns == (
        Column("city", "category", ("A", "B", "C")),
        Column("size", "number"),
        Column("code", "category", ("0", "1")),
    )
    assert data.class_names == ("high", "low")
    assert set(data.x_train[:, 0]) == {2.0, 3.0, 4.0}
    size, city, code = data.x_train[:, 1].astype(int), data.x_train[:, 0], data.x_train[:, 2]
    np.testing.assert_array_equal(city, np.array([3, 2, 4])[size % 3])
    np.testing.assert_array_equal(code, 2 + size % 2)
    numbers = load(spec("csv", "t.csv", label="size", ignore=["city", "price"], task="regression"), tmp_path, 0)
    assert (numbers.task, numbers.columns, numbers.feature_names) == ("regression", None, ("code",))


def test_categories_stay_the_texts_of_the_file_and_missing_ones_are_0(tmp_path: Path) -> None:
    rows = (f"{['007', '08', ''][i % 3]},{['true', 'FALSE'][i % 2]},{i},{i % 2}\n" for i in range(30))
    (tmp_path / "t.csv").write_text("code,flag,n,y\n" + "".join(rows))
    data = load(spec("csv", "t.csv", label="y", categorical=["code"]), tmp_path, 0, missing=True)
    assert data.missing
    assert data.columns is not None
    assert [column.categories for column in data.columns] == [("007", "08"), ("FALSE", "true"), ()]
    np.testing.assert_array_equal(data.x_train[:, 0], np.array([2, 3, 0])[data.x_train[:, 2].astype(int) % 3])


def test_categories_are_those_of_the_training_part_and_others_are_unknown() -> None:
    table = pd.DataFrame({"city": ["A", "B"] * 10, "size": range(20)})
    held = pd.DataFrame({"size": [1.0, None], "city": ["C", None]})
    data = prepared(Raw(table, np.arange(20) % 2, held, np.array([0, 1])), 0.2, 0, missing=True)
    assert data.columns is not None
    assert data.columns[0].categories == ("A", "B")
    np.testing.assert_array_equal(data.x_validation, [[1, 1], [0, np.nan]])
    with pytest.raises(DataError, match="x_validation lacks the columns city"):
        prepared(Raw(table, np.arange(20) % 2, held[["size"]], np.array([0, 1])), 0.2, 0, missing=True)


def test_other_categories_have_another_fingerprint() -> None:
    def of(names: list[str]) -> str:
        return prepared(Raw(pd.DataFrame({"city": names * 10, "n": range(20)}), np.arange(20) % 2), 0.2, 0).fingerprint

    assert of(["A", "B"]) == of(["A", "B"]) != of(["A", "C"])


def test_weights_go_with_the_rows_of_the_training_part(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i / 10},{i % 2}\n" for i in range(30))
    (tmp_path / "t.csv").write_text("n,w,y\n" + rows)
    data = load(spec("csv", "t.csv", label="y", weights="w"), tmp_path, 0)
    assert data.feature_names == ("n",)
    assert data.sample_weight_train is not None
    np.testing.assert_allclose(data.sample_weight_train, data.x_train[:, 0] / 10, rtol=1e-6)
    assert data.fingerprint != load(spec("csv", "t.csv", label="y", ignore=["w"]), tmp_path, 0).fingerprint
    np.savez(tmp_path / "a.npz", x=X, y=Y, w=np.ones(30))
    assert load(spec("npz", "a.npz", weights="w"), tmp_path, 0).sample_weight_train is not None
    with pytest.raises(DataError, match=r"the weights have shape \(29,\); expected \(30,\)"):
        prepared(Raw(X, Y, weights=np.ones(29)), 0.2, 0)


def test_several_labels_at_once_are_columns_of_0_and_1(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i % 2},{int(i % 3 == 0)}\n" for i in range(30))
    (tmp_path / "t.csv").write_text("n,even,third\n" + rows)
    data = load(spec("csv", "t.csv", label=["even", "third"]), tmp_path, 0)
    assert (data.task, data.classes, data.class_names) == ("multi_label", 2, ("even", "third"))
    assert (data.y_train.dtype, data.y_train.shape) == (np.float32, (24, 2))
    np.testing.assert_array_equal(data.y_train[:, 1], data.x_train[:, 0] % 3 == 0)
    assert prepared(Raw(X, np.eye(3)[Y], task="multi_label"), 0.2, 0).class_names == ("0", "1", "2")


def test_several_files_are_one_table(tmp_path: Path) -> None:
    lines = TABLE.splitlines(keepends=True)
    (tmp_path / "part-1.csv").write_text("".join(lines[:21]))
    (tmp_path / "part-2.csv").write_text(lines[0] + "".join(lines[21:]))
    (tmp_path / "t.csv").write_text(TABLE)
    whole = load(spec("csv", "t.csv", label="price"), tmp_path, 0)
    assert load(spec("csv", "part-*.csv", label="price"), tmp_path, 0).fingerprint == whole.fingerprint
    with pytest.raises(DataError, match=r"no file fits .*none-\*.csv"):
        load(spec("csv", "none-*.csv", label="price"), tmp_path, 0)


def test_parquet_is_the_table_that_csv_is(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "t.csv").write_text(TABLE)
    table = pd.read_csv(tmp_path / "t.csv", dtype={"code": str})
    table.to_parquet(tmp_path / "t.parquet")
    for number, rows in enumerate((table[:21], table[21:])):
        rows.to_parquet(tmp_path / f"part-{number}.parquet")
    options = {"label": "price", "categorical": ["code"]}
    data = load(spec("csv", "t.csv", **options), tmp_path, 0)
    for name in ("t.parquet", "part-*.parquet"):
        same = load(spec("parquet", name, **options), tmp_path, 0)
        assert (same.columns, same.fingerprint) == (data.columns, data.fingerprint)
    table.assign(code=table["code"].astype(int)).to_parquet(tmp_path / "t.parquet")
    assert load(spec("parquet", "t.parquet", **options), tmp_path, 0).fingerprint == data.fingerprint
    weighted = load(spec("parquet", "t.parquet", label="price", weights="size", ignore=["city"]), tmp_path, 0)
    assert (weighted.feature_names, weighted.sample_weight_train is None) == (("code",), False)
    with pytest.raises(DataError, match="no column 'cody'; did you mean 'code'"):
        load(spec("parquet", "t.parquet", label="price", ignore=["cody"]), tmp_path, 0)


def test_a_column_without_values_is_refused() -> None:
    with pytest.raises(DataError, match="no values in the training part of column b; ignore it"):
        x = np.stack([np.arange(30), np.full(30, np.nan)], axis=1)
        prepared(Raw(x, Y, feature_names=("a", "b")), 0.2, 0, missing=True)
    with pytest.raises(DataError, match="column 'b' has no value in the training part"):
        prepared(Raw(pd.DataFrame({"a": ["A", "B"] * 15, "b": None}), Y), 0.2, 0, missing=True)


@pytest.mark.parametrize(
    ("options", "text", "message"),
    [
        ({"label": "prize"}, TABLE, "no column 'prize'; did you mean 'price'"),
        ({"label": "price", "ignore": ["towns"]}, TABLE, "no column 'towns'; it has city, size, code, price"),
        (
            {"label": "price"},
            TABLE + "A,,1,low\nB,,,low\n",
            r"missing values in size \(2 of 42\), code \(1 of 42\); write preprocessing: {missing: median} under space",
        ),
        ({"label": "price", "ignore": ["city", "size", "code"]}, TABLE, "no column but the label"),
        ({"label": "price"}, "", "can't be read as CSV"),
        (
            {"label": "price"},
            TABLE + "A,1,1,\n",
            r"labels or weights are missing in price \(1 of 41\); drop these rows",
        ),
        (
            {"label": "price", "weights": "code"},
            TABLE + "A,1,-1,low\n",
            "weights go from -1 to 1; expected 0 or more",
        ),
        ({"label": "price", "weights": "city"}, TABLE, "the weights have dtype .*; expected numbers"),
        ({"label": ["price", "code"]}, TABLE, "y holds more than 0 and 1"),
        ({"label": "code", "task": "multi_label"}, TABLE, r"expected \(examples, labels\) with at least 2 labels"),
        ({"label": "price"}, TABLE + "A,inf,1,low\n", "infinite values in size; drop these rows"),
    ],
)
def test_a_tables_mistakes_are_told(tmp_path: Path, options: dict[str, Any], text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        load(spec("csv", "t.csv", **options), tmp_path, 0)


def test_folders_of_pictures_are_classes(tmp_path: Path) -> None:
    import tensorflow as tf

    for shade, name in ((0, "dark"), (200, "light")):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(5):
            picture = np.full((10, 12, 3), shade + number, np.uint8)
            (tmp_path / "pictures" / name / f"{number}.png").write_bytes(tf.io.encode_png(picture).numpy())
    data = load(spec("images", "pictures", size=[4, 6], channels=1), tmp_path, 0)
    assert data.class_names == ("dark", "light")
    assert (data.input_shape, data.x_train.dtype) == ((4, 6, 1), np.uint8)
    assert ((data.x_train.mean(axis=(1, 2, 3)) > 100) == (data.y_train == 1)).all()
    assert load(spec("images", "pictures"), tmp_path, 0).input_shape == (32, 32, 3)
    (tmp_path / "pictures" / "none").mkdir()
    with pytest.raises(DataError, match=r"no pictures .* in none"):
        load(spec("images", "pictures"), tmp_path, 0)
    with pytest.raises(DataError, match="no folders; expected one folder of pictures per class"):
        load(spec("images", "pictures/dark"), tmp_path, 0)


def test_a_keras_set_gives_its_training_part_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = RANDOM.integers(0, 256, (40, 6, 6)).astype(np.uint8), np.arange(40).reshape(-1, 1) % 10
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: ((x, y), (x[:0], y[:0])))
    data = load(spec("keras", "mnist", 0.25), Path(), 0)
    assert (data.input_shape, len(data.x_train), len(data.x_validation)) == ((6, 6, 1), 30, 10)


def test_a_failed_download_says_where_the_files_belong(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", fail)
    with pytest.raises(DataError, match=r"no route to host.*datasets.*keras.datasets.cifar10.load_data\(\)"):
        load(spec("keras", "cifar10"), Path(), 0)


FUNCTIONS = """
import numpy as np
x, y = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 2
def pair(): return x, y
def four(): return x, y, x[:8], y[:8]
def named(): return {"x": x, "y": y, "class_names": ["off", "on"]}
def wrong(): return 3
def unnamed(): return {"features": x, "labels": y}
def needs(path): return x, y
def broken(): return np.zeros(3) / undefined
"""


def from_function(folder: Path, name: str, **options: Any) -> Data:
    (folder / "mine.py").write_text(FUNCTIONS)
    return load(spec("function", f"mine.py:{name}", **options), folder, 0)


def test_a_function_gives_a_pair_four_arrays_or_a_dict(tmp_path: Path) -> None:
    assert len(from_function(tmp_path, "pair").x_train) == 24
    assert len(from_function(tmp_path, "four").x_validation) == 8
    assert from_function(tmp_path, "named").class_names == ("off", "on")
    assert from_function(tmp_path, "pair", task="regression").task == "regression"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrong", r"returned a int; expected \(x, y\)"),
        ("unnamed", r"a dict of \['features', 'labels'\]; expected x and y"),
        ("needs", r"received needs\(path\); expected needs\(\)"),
        ("pairs", "no function 'pairs'; did you mean 'pair'"),
        ("broken", r"failed at .*mine.py:10: def broken.*\n  NameError: name 'undefined'"),
    ],
)
def test_a_functions_mistakes_are_told(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_function(tmp_path, name)


@pytest.mark.parametrize(("kind", "near"), [("set", "digits"), ("keras", "mnist")])
def test_an_unknown_set_is_told_with_the_nearest(kind: str, near: str) -> None:
    with pytest.raises(DataError, match=f"did you mean '{near}'"):
        load(spec(kind, near + "s"), Path(), 0)


LENGTHS = (2, 5, 3) * 10


@pytest.mark.parametrize(
    ("padding", "rows"), [("post", [[1, 2, 0, 0], [1, 2, 3, 4]]), ("pre", [[0, 0, 1, 2], [2, 3, 4, 5]])]
)
def test_sequences_are_filled_and_cut_to_one_length(padding: Any, rows: list[list[int]]) -> None:
    x = [np.arange(1, length + 1) for length in LENGTHS]
    data = prepared(Raw(x, Y, x[:2], Y[:2], length=4, padding=padding), 0.2, 0)
    np.testing.assert_array_equal(data.x_validation[..., 0], rows)
    assert (data.input_shape, data.x_train.dtype, data.padding) == ((4, 1), np.float32, padding)
    assert prepared(Raw(x, Y), 0.2, 0).input_shape == (5, 1)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([np.ones((2, 3)), np.ones((4, 2))] * 15, r"x\[1\] has 2 features and x\[0\] 3"),
        ([np.ones(2), ["a"]] * 15, r"x\[1\] is a list that holds more than numbers"),
        ([np.ones(2), np.ones(0)] * 15, r"x\[1\] has shape \(0,\); expected \(steps,\) or \(steps, features\)"),
        ([np.ones(2), np.array([np.nan])] * 15, r"x\[1\] has NaN"),
    ],
)
def test_a_sequences_mistakes_are_told(x: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        prepared(Raw(x, Y), 0.2, 0)


def test_texts_become_numbers_of_words(tmp_path: Path) -> None:
    for name, word in (("bad", "awful"), ("good", "lovely")):
        (tmp_path / "texts" / name).mkdir(parents=True)
        for number in range(6):
            (tmp_path / "texts" / name / f"{number}.txt").write_text(f"A {word} film, {word} {number}!")
    data = load(spec("texts", "texts"), tmp_path, 0)
    assert data.vocabulary is not None
    assert (data.class_names, data.x_train.dtype, data.input_shape) == (("bad", "good"), np.int32, (5,))
    words = np.array(["", "?", *data.vocabulary])[data.x_train]
    assert set(words[:, 1]) == {"awful", "lovely"}
    rows = "".join(f"{word},film {i},{i % 2}\n" for i, word in enumerate(["lovely", "awful"] * 10))
    (tmp_path / "t.csv").write_text("n,comment,y\n" + rows)
    assert load(spec("csv", "t.csv", label="y", text="comment", length=3), tmp_path, 0).input_shape == (3,)
    (tmp_path / "texts" / "none").mkdir()
    with pytest.raises(DataError, match=r"no text files \(txt\) in none"):
        load(spec("texts", "texts"), tmp_path, 0)
    with pytest.raises(DataError, match="no folders; expected one folder of text files per class"):
        load(spec("texts", "texts/bad"), tmp_path, 0)


GIVEN = """
import numpy as np, pandas as pd
y = np.arange(30) % 2
def frame(): return pd.DataFrame({"city": ["A", "B"] * 15, 7: range(30)}), y
def ragged(): return [np.ones(i % 3 + 1) for i in range(30)], y
def weighted(): return {"x": np.ones((30, 2)), "y": y, "sample_weight": np.arange(30)}
def texts(): return ["one two"] * 30, y
"""


def test_a_function_may_give_tables_sequences_texts_and_weights(tmp_path: Path) -> None:
    (tmp_path / "given.py").write_text(GIVEN)
    frame, ragged, weighted, texts = (
        load(spec("function", f"given.py:{name}"), tmp_path, 0) for name in ("frame", "ragged", "weighted", "texts")
    )
    assert frame.columns == (Column("city", "category", ("A", "B")), Column("7", "number"))
    assert (ragged.input_shape, ragged.padding) == ((3, 1), "post")
    assert weighted.sample_weight_train is not None
    assert texts.vocabulary is not None
    assert load(spec("function", "given.py:ragged", length=2, padding="pre"), tmp_path, 0).input_shape == (2, 1)

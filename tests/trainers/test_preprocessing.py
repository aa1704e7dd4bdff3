"""Each step of preprocessing gives known numbers, is fitted on the training part alone, and is told what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from fake_run import NOWHERE, FakeRun, few_digits, few_rows

import spaces
from spaces.reader import parse
from spaces.spec import DataSpec, TrainerSpec
from trainers import preprocessing, words
from trainers.data import Data, DataError
from trainers.data.data import Raw
from trainers.data.loading import load, prepared
from trainers.training import compiling, train
from trainers.words.preprocessing import IMAGE_PREPROCESSING, SEQUENCE_PREPROCESSING, TABLE_PREPROCESSING
from trainers.words.reading import read
from trainers.words.training import OPTIONS

NAN = np.nan
COLUMN = np.array([1.0, 2.0, 2.0, 7.0, NAN], np.float32)
MEAN, DEVIATION = 3.0, np.std([1, 2, 2, 7])


def table(x: Any, held: Any = None) -> Data:
    """A table whose training part is `x`, whatever validates."""
    held = x if held is None else held
    return prepared(Raw(x, np.arange(len(x)) % 2, held, np.arange(len(held)) % 2), 0.2, 0, missing=True)


def given(words: Mapping[str, Any], data: Data, x: Any) -> np.ndarray:
    """What the layers of a model with these words work on, for the examples `x`."""
    inputs, outputs = preprocessing.inputs({"preprocessing": words}, data)
    return np.asarray(keras.Model(inputs, outputs)(np.asarray(x, np.float32)))


PLAIN = {"scale": "none"}

NUMBERS: dict[str, tuple[dict[str, Any], list[float]]] = {
    "mean": ({**PLAIN, "missing": "mean"}, [1, 2, 2, 7, 3]),
    "median": ({**PLAIN, "missing": "median"}, [1, 2, 2, 7, 2]),
    "most frequent": ({**PLAIN, "missing": "most_frequent"}, [1, 2, 2, 7, 2]),
    "constant": ({**PLAIN, "missing": {"constant": {"value": -1.0}}}, [1, 2, 2, 7, -1]),
    "clip to values": ({**PLAIN, "missing": "mean", "clip": {"values": {"low": 2.0}}}, [2, 2, 2, 7, 3]),
    "clip both ends": ({**PLAIN, "missing": "mean", "clip": {"values": {"low": 2, "high": 3}}}, [2, 2, 2, 3, 3]),
    "clip to quantiles": (
        {**PLAIN, "missing": "median", "clip": {"quantiles": {"low": 0.0, "high": 2 / 3}}},
        [1, 2, 2, 2, 2],
    ),
    "logarithm": ({**PLAIN, "missing": "constant", "log": True}, [*np.log1p([1, 2, 2, 7]), 0]),
    "standardize": ({"missing": "mean"}, [*((np.array([1, 2, 2, 7]) - MEAN) / (DEVIATION * np.sqrt(4 / 5))), 0]),
    "min_max": ({"missing": "median", "scale": "min_max"}, [0, 1 / 6, 1 / 6, 1, 1 / 6]),
    "rescale": ({"missing": "median", "scale": {"rescale": {"factor": 2.0, "offset": 1.0}}}, [3, 5, 5, 15, 5]),
    "fill, clip, logarithm, scale": (
        {"missing": {"constant": {"value": 9.0}}, "clip": {"values": {"high": 2.0}}, "log": True, "scale": "min_max"},
        [0, 1, 1, 1, 1],
    ),
}


@pytest.mark.parametrize(("words", "expected"), NUMBERS.values(), ids=NUMBERS)
def test_a_step_gives_known_numbers(words: dict[str, Any], expected: list[float]) -> None:
    data = table(COLUMN[:, None])
    np.testing.assert_allclose(given(words, data, COLUMN[:, None])[:, 0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("words", [words for words, _ in NUMBERS.values()], ids=NUMBERS)
def test_what_is_fitted_is_fitted_on_the_training_part_alone(words: dict[str, Any]) -> None:
    held = np.array([[1e6], [-1e6], [NAN]])
    first, other = table(COLUMN[:, None]), table(COLUMN[:, None], held)
    np.testing.assert_array_equal(given(words, first, COLUMN[:, None]), given(words, other, COLUMN[:, None]))


def test_bins_hold_equally_many_examples_of_the_training_part_each_with_a_feature_of_its_own() -> None:
    x = np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0], [30.0, 5.0]])
    data = table(x, np.array([[1e6, 1e6]]))
    words = {"discretize": {"bins": 4}}
    features = given(words, data, [*x, [-9.0, 1.0], [99.0, 9.0]])
    # The second column never changes: its bins are below, and from there on.
    assert features[:, :4].tolist() == np.eye(4)[[0, 1, 2, 3, 0, 3]].tolist()
    assert features[:, 4:].tolist() == np.eye(2)[[1, 1, 1, 1, 0, 1]].tolist()
    logged = given({**words, "log": True}, data, x)
    assert logged.tolist() == features[:4].tolist(), "the steps before it are taken first"


SETS = {
    "images": (IMAGE_PREPROCESSING, few_digits, {}),
    "tables": (TABLE_PREPROCESSING, lambda: few_penguins(), {"missing": "mean"}),
    "sequences": (SEQUENCE_PREPROCESSING, few_rows, {}),
}
OF_STEPS = {"resize": 4, "crop": 4, "length": 3, "log": True, "missing_indicator": True, "discretize": {"bins": 3}}
OF_WORDS = {"clip.values": {"values": {"low": 1.0, "high": 100.0}}, "scale.rescale": {"rescale": {"factor": 0.5}}}
OTHERWISE = {"missing.mean": "constant", "scale.none": "standardize", "categories.one_hot": "embedding"}


def cases() -> list[tuple[str, str, Any, Any]]:
    """Each word: its name, its table, what it is given, and what stands there otherwise."""
    found: list[tuple[str, str, Any, Any]] = []
    for what, (table, _, plain) in SETS.items():
        for step in table.options:
            otherwise = {"scale": "none", **plain}.get(step.name)
            for word in getattr(step.kind, "words", ()):
                name = f"{step.name}.{word.name}"
                value = OF_WORDS.get(name, word.name)
                found.append((f"{what}: {name}", what, value, OTHERWISE.get(name, otherwise)))
            if not hasattr(step.kind, "words"):
                found.append((f"{what}: {step.name}", what, OF_STEPS[step.name], otherwise))
    return found


@cache
def few_penguins() -> Data:
    """The shipped table, with categories and missing values."""
    where = Path(spaces.__file__).parent
    return load(DataSpec("csv", "penguins.csv", NOWHERE, options={"label": "species"}), where, 0, missing=True)


@pytest.mark.parametrize(("name", "what", "value", "otherwise"), cases(), ids=[name for name, *_ in cases()])
def test_a_word_prepares_what_a_model_trains_on(name: str, what: str, value: Any, otherwise: Any) -> None:
    _, of, plain = SETS[what]
    step, data = name.split(": ")[1].split(".")[0], of()
    x, y = np.asarray(data.x_train[:200], np.float32), data.y_train[:200]
    words = {"scale": "none", **plain, step: value}
    features, others = given(words, data, x), given({**words, step: otherwise}, data, x)
    assert np.isfinite(features).all()
    assert features.shape != others.shape or not np.allclose(features, others)
    inputs, outputs = preprocessing.inputs({"preprocessing": words}, data)
    logits = keras.layers.Dense(data.classes)(keras.layers.Flatten()(outputs))
    model = keras.Model(inputs, logits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2 / float(1 + np.abs(features).max())), loss=loss, run_eagerly=True)
    first, *_, last = [float(model.train_on_batch(x, y)) for _ in range(4)]
    assert last < first


def test_negative_numbers_keep_their_sign_in_a_logarithm() -> None:
    data = table(np.array([[-3.0], [3.0]]))
    np.testing.assert_allclose(given({**PLAIN, "log": True}, data, [[-3.0]]), [[-np.log(4)]], rtol=1e-6)


def test_a_feature_that_never_changes_becomes_zero() -> None:
    data = table(np.full((4, 1), 5.0))
    for scale in ("standardize", "min_max"):
        np.testing.assert_allclose(given({"scale": scale}, data, [[5.0], [6.0]]), [[0], [1]])


MIXED = pd.DataFrame(
    {"city": ["A", "B", "B", None], "n": [1.0, 3.0, NAN, 5.0], "kind": ["x", "y", "x", "y"], "m": [1.0, 2.0, 3.0, 4.0]}
)
ROWS = [[2, 1, 2, 1], [3, NAN, 3, 2], [1, NAN, 1, NAN], [0, 3, 0, 3]]  # A B unknown missing


def test_categories_are_one_hot_after_the_numbers_and_unknown_ones_are_zeros() -> None:
    features = given({**PLAIN, "missing": "mean"}, table(MIXED), ROWS)
    np.testing.assert_allclose(features[:, :2], [[1, 1], [3, 2], [3, 2.5], [3, 3]])
    # A, B, missing; then x, y, of which none was missing in training.
    np.testing.assert_allclose(features[:, 2:5], [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(features[:, 5:], [[1, 0], [0, 1], [0, 0], [0, 0]])


def test_an_indicator_tells_where_numbers_were_missing_in_columns_that_miss_some() -> None:
    words = {**PLAIN, "missing": "mean", "missing_indicator": True}
    np.testing.assert_allclose(given(words, table(MIXED), ROWS)[:, :3], [[1, 1, 0], [3, 2, 1], [3, 2.5, 1], [3, 3, 0]])
    complete = table(MIXED.assign(n=[1.0, 2.0, 3.0, 4.0]))
    assert given(words, complete, ROWS).shape == (4, 2 + 3 + 2)


def test_most_frequent_fills_categories_too() -> None:
    features = given({**PLAIN, "missing": "most_frequent"}, table(MIXED), ROWS)
    np.testing.assert_allclose(features[3, 2:5], [0, 1, 0])


def test_an_embedding_is_trained_and_has_a_place_for_unknown_and_missing() -> None:
    words = {**PLAIN, "missing": "mean", "categories": {"embedding": {"size": 3}}}
    inputs, outputs = preprocessing.inputs({"preprocessing": words}, table(MIXED))
    model = keras.Model(inputs, outputs)
    assert [tuple(weight.shape) for weight in model.trainable_weights] == [(4, 3), (4, 3)]
    assert model.output_shape == (None, 2 + 3 + 3)


def test_a_logarithm_of_columns_leaves_the_others() -> None:
    words = {**PLAIN, "missing": "mean", "log": ["m"]}
    np.testing.assert_allclose(given(words, table(MIXED), ROWS)[0, :2], [1, np.log(2)], rtol=1e-6)
    with pytest.raises(DataError, match="no column of numbers 'city'; expected some of n, m"):
        given({**words, "log": ["city"]}, table(MIXED), ROWS)


PIXELS = np.random.default_rng(0).integers(0, 201, (6, 4, 6, 3)).astype(np.uint8)


def test_images_are_resized_cropped_and_scaled() -> None:
    data = table(PIXELS)
    np.testing.assert_allclose(given({}, data, PIXELS), PIXELS / 255, rtol=1e-5)
    halves = given({"resize": [2, 3], "scale": "none"}, data, PIXELS)
    np.testing.assert_allclose(halves, PIXELS.reshape(6, 2, 2, 3, 2, 3).mean(axis=(2, 4)), rtol=1e-5)
    np.testing.assert_array_equal(given({"crop": 2, "scale": "none"}, data, PIXELS), PIXELS[:, 1:3, 2:4])
    scaled = given({"scale": "standardize"}, data, PIXELS)
    np.testing.assert_allclose(scaled.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(axis=(0, 1, 2)), 1, rtol=1e-5)
    ends = given({"scale": "min_max"}, data, PIXELS)
    np.testing.assert_allclose([ends.min(axis=(0, 1, 2)), ends.max(axis=(0, 1, 2))], [[0] * 3, [1] * 3], atol=1e-6)
    signed = given({"scale": {"rescale": {"factor": 2 / 255, "offset": -1.0}}}, data, PIXELS)
    np.testing.assert_allclose(signed, PIXELS / 127.5 - 1, atol=1e-5)
    with pytest.raises(DataError, match="received 5 x 5 of images of 4 x 6 pixels"):
        given({"crop": 5}, data, PIXELS)


@pytest.mark.parametrize("padding", ["post", "pre"])
def test_sequences_are_cut_and_scaled_and_their_filling_stays_zero(padding: Any) -> None:
    x = [np.arange(1.0, length + 1) for length in (1, 3, 2, 3)]
    data = prepared(Raw(x, np.arange(4) % 2, x, np.arange(4) % 2, padding=padding), 0.2, 0)
    filled = data.x_train
    values = np.concatenate(x)
    scaled = given({}, data, filled)
    np.testing.assert_allclose(
        scaled, np.where(filled == 0, 0, (filled - values.mean()) / values.std()), rtol=1e-5, atol=1e-6
    )
    kept = filled[:, :2] if padding == "post" else filled[:, -2:]
    np.testing.assert_array_equal(given({"length": 2, "scale": "none"}, data, filled), kept)


def test_all_of_it_works_in_float32_whatever_the_precision() -> None:
    data = table(np.array([[1e6], [2e6]]))
    keras.config.set_dtype_policy("mixed_float16")
    try:
        inputs, outputs = preprocessing.inputs({"preprocessing": {}}, data)
        assert outputs.dtype == "float32"
        np.testing.assert_allclose(keras.Model(inputs, outputs)(np.array([[1.75e6]])), [[0.5]])
    finally:
        keras.config.set_dtype_policy("float32")


def test_missing_values_without_a_fill_are_refused_before_training() -> None:
    with pytest.raises(DataError, match=r"doesn't say what becomes of them; write preprocessing: {missing: median}"):
        given({}, table(COLUMN[:, None]), COLUMN[:, None])


def test_many_categories_are_refused_as_features_and_accepted_as_embedding() -> None:
    data = table(pd.DataFrame({"name": [f"n{i}" for i in range(300)], "n": range(300)}))
    with pytest.raises(DataError, match=r"column 'name' has 300 different texts.*categories: embedding"):
        given({}, data, [[2, 0]])
    assert given({"categories": "embedding"}, data, [[2, 0]]).shape == (1, 51)


def test_a_low_end_above_the_high_one_is_refused() -> None:
    with pytest.raises(DataError, match=r"preprocessing.clip.values: low 2 is above high 1"):
        given({"clip": {"values": {"low": 2, "high": 1}}}, table(np.ones((3, 1))), [[1.0]])


FILE = """
trainer: tabular
data: {csv: a.csv, label: y}
objective: {minimize: val_loss}
budget: {trials: 1}
space:
  preprocessing:
    PREPROCESSING
"""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("missing: medain", "did you mean 'median'"),
        ("clip: {quantiles: {low: 2}}", "2 is above 1"),
        ("scale: standardise", "did you mean 'standardize'"),
        ("categories: {embedding: {sise: 2}}", "did you mean 'size'"),
        ("resize: 32", "'resize' is not known here"),
        ("mising: mean", "did you mean 'missing'"),
    ],
)
def test_a_wrong_word_is_told_at_its_place(line: str, message: str) -> None:
    spec = parse(FILE.replace("PREPROCESSING", line), "s.yaml", Path())
    (problem,) = words.check(spec)
    assert str(problem).startswith("s.yaml:8:")
    assert message in str(problem)


def test_the_file_says_whether_data_may_have_missing_values() -> None:
    def fills(line: str) -> bool:
        return words.fills_missing(parse(FILE.replace("PREPROCESSING", line), "s.yaml", Path()))

    assert fills("missing: {choice: [mean, median]}")
    assert not fills("scale: min_max")
    assert words.vocabulary(TrainerSpec("model", "a.py:build", NOWHERE)) is not None


@pytest.mark.parametrize("begins", [True, False])
def test_a_model_of_ones_own_that_leaves_missing_values_is_told_how_it_begins(begins: bool, tmp_path: Path) -> None:
    data = few_numbers_with_gaps()

    def build(params: Any, data: Data) -> keras.Model:
        start, x = preprocessing.inputs(params, data) if begins else [keras.Input(data.input_shape)] * 2
        return keras.Model(start, keras.layers.Dense(2)(x))

    run = FakeRun(data, tmp_path, epochs=1)
    with (
        nullcontext() if begins else pytest.raises(DataError, match=r"trainers\.preprocessing\.inputs\(params, data\)")
    ):
        train.fit(build, {"preprocessing": {"missing": "mean"}}, run)
    assert np.isfinite(run.losses).all()


def test_a_model_is_not_asked_about_gaps_where_training_has_none() -> None:
    class AtLeastOne(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            assert x.shape[0] != 0
            return x

    held = few_numbers_with_gaps().x_train
    data = table(np.nan_to_num(held), held)
    assert data.missing
    inputs = keras.Input(data.input_shape)
    compiling.goal(keras.Model(inputs, keras.layers.Dense(2)(AtLeastOne()(inputs))), data, read(OPTIONS, {}))


def few_numbers_with_gaps() -> Data:
    x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    x[::7, 1] = NAN
    return table(x)

"""A small model's weights are updated as one vector: the same numbers, and nothing of it is left in what is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from fake_run import FakeRun, few_tumours

from trainers.data import Data
from trainers.training import one_vector, train
from trainers.training.optimizer import keras_object
from trainers.words.optimizers import OPTIMIZERS

EPOCHS = 3


def build(params: Any, data: Data) -> keras.Model:
    layers = keras.layers
    inputs = keras.Input(data.input_shape)
    x = layers.Normalization(mean=data.mean, variance=data.variance)(inputs)
    x = layers.BatchNormalization()(layers.Dense(4, activation="tanh")(x))
    return keras.Model(inputs, layers.Dense(data.classes or 1)(x))


def trained(params: dict[str, Any], folder: Path) -> tuple[FakeRun, Any]:
    folder.mkdir()
    run = FakeRun(few_tumours(), folder, epochs=EPOCHS)
    train.programs.cache_clear()
    train.fit(build, {"batch_size": 32, "learning_rate": 0.01, **params}, run)
    return run, keras.saving.load_model(run.kept[0])


ELEMENTWISE = [word for word in OPTIMIZERS if word.target.rpartition(".")[2] in one_vector.BY_NUMBER]


@pytest.mark.parametrize("word", ELEMENTWISE, ids=[word.name for word in ELEMENTWISE])
def test_it_changes_no_bit_of_metrics_weights_and_the_saved_optimizer(
    word: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"momentum": 0.9} if word.name in ("sgd", "rmsprop") else {}
    params = {"optimizer": {word.name: options}, "weight_decay": 0.01, "clipvalue": 0.1}
    whole, one = trained(params, tmp_path / "vector")
    monkeypatch.setattr(one_vector, "MOST", 0)
    single, other = trained(params, tmp_path / "variables")
    without_time = [[{**metrics, "seconds": 0} for _, metrics in run.reports] for run in (whole, single)]
    assert without_time[0] == without_time[1]
    variables = [[*model.variables, *model.optimizer.variables] for model in (one, other)]
    for mine, theirs in zip(*variables, strict=True):
        assert mine.path == theirs.path
        np.testing.assert_array_equal(mine, theirs)


def compiled(model: keras.Model, optimizer: Any = "adam") -> keras.Model:
    model.compile(optimizer, "mse")
    return model


def found(model: keras.Model) -> Any:
    return one_vector.one_vector(model, model.optimizer)


def dense(**options: Any) -> keras.Model:
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, **options), keras.layers.Dense(1)])


class OwnStep(keras.Sequential):
    def train_step(self, data: Any) -> Any:
        return super().train_step(data)


def given_a_step() -> keras.Model:
    model = compiled(dense())
    model.train_step = lambda data: keras.Model.train_step(model, data)
    return model


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(lambda: compiled(dense(), keras.optimizers.Adam(use_ema=True)), id="an average"),
        pytest.param(lambda: compiled(dense(), keras.optimizers.Adam(clipnorm=1.0)), id="norms of variables"),
        pytest.param(lambda: compiled(dense(), keras.optimizers.Adam(global_clipnorm=1.0)), id="the norm of all"),
        pytest.param(lambda: compiled(dense(), keras.optimizers.Adam(loss_scale_factor=8.0)), id="a scaled loss"),
        pytest.param(
            lambda: compiled(dense(), keras.optimizers.Adam(gradient_accumulation_steps=2)), id="accumulated gradients"
        ),
        pytest.param(lambda: compiled(dense(), keras.optimizers.Lamb()), id="an optimizer that looks at variables"),
        pytest.param(lambda: compiled(dense(), type("Own", (keras.optimizers.Adam,), {})()), id="somebody's optimizer"),
        pytest.param(lambda: compiled(dense(kernel_constraint="non_neg")), id="a constraint"),
        pytest.param(lambda: compiled(dense(dtype="float64")), id="another type"),
        pytest.param(lambda: compiled(OwnStep(dense().layers)), id="a step of its own"),
        pytest.param(given_a_step, id="a step that it was given"),
        pytest.param(
            lambda: compiled(keras.Sequential([keras.Input((3,)), keras.layers.Embedding(9, 2)])), id="an embedding"
        ),
        pytest.param(
            lambda: compiled(keras.Sequential([keras.Input((1024,)), keras.layers.Dense(1025)])), id="a large model"
        ),
    ],
)
def test_what_is_no_matter_of_single_numbers_is_updated_by_keras_as_ever(model: Any) -> None:
    assert found(compiled(dense())) is not None
    assert found(model()) is None


def test_a_weight_without_a_gradient_stays_as_it_is() -> None:
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(2, name="hidden")(inputs)
    stopped = keras.ops.stop_gradient(keras.layers.Dense(2, name="stopped")(inputs))
    model = keras.Model(inputs, keras.ops.sum(hidden + stopped, axis=1))
    model.compile(keras.optimizers.AdamW(0.1, weight_decay=0.5), "mse")
    vector = found(model)
    assert vector is not None
    vector.build()
    model.optimizer.build([vector.variable])
    before = {weight.path: weight.numpy() for weight in model.weights}

    steps = one_vector.Steps(model, [])
    vector.variable.assign(steps.flat())
    model.optimizer.apply([steps.gradients([], (tf.ones((4, 3)), tf.ones((4,))))], [vector.variable])
    steps.put(vector.variable.value, vector.sizes.value)
    unchanged = {weight.path: bool((weight.numpy() == before[weight.path]).all()) for weight in model.weights}
    assert unchanged == {"hidden/kernel": False, "hidden/bias": False, "stopped/kernel": True, "stopped/bias": True}


def test_every_optimizer_of_the_words_is_either_by_number_or_known_not_to_be() -> None:
    others = {word.name for word in OPTIMIZERS} - {word.name for word in ELEMENTWISE}
    assert others == {"adafactor", "ftrl", "lamb", "muon", "nadam", "schedule_free_adamw"}
    assert all(isinstance(keras_object(word.target), type) for word in ELEMENTWISE)

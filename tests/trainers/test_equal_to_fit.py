"""What is trained is what `model.fit` trains: the same losses and metrics after every epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fake_run import FakeRun, few_patients, few_tumours

from trainers.data import Data
from trainers.training import loop, train
from trainers.training.optimizer import keras_object
from trainers.words.optimizers import OPTIMIZERS

EPOCHS, BATCH, STEPS = 5, 32, 4  # 120 examples: the last batch is partial


def build(params: Any, data: Data) -> keras.Model:
    layers = keras.layers
    inputs = keras.Input(data.input_shape)
    x = layers.Normalization(mean=data.mean, variance=data.variance)(inputs)
    penalty = keras.regularizers.L2(params["l2"]) if "l2" in params else None
    x = layers.BatchNormalization()(layers.Dense(4, activation="tanh", kernel_regularizer=penalty)(x))
    x = layers.Dropout(params.get("dropout", 0.0))(x)
    return keras.Model(inputs, layers.Dense(data.classes or 1)(x))


def of_fit(params: Any, optimizer: Any, data: Data, class_weight: Any, smoothing: float) -> list[dict[str, float]]:
    keras.utils.set_random_seed(11)
    model = build(params, data)
    loss: Any = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    metrics: list[Any] = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
    y, y_validation = data.y_train, data.y_validation
    if smoothing:
        loss, metrics = keras.losses.CategoricalCrossentropy(True, smoothing), ["accuracy"]
        y, y_validation = (keras.utils.to_categorical(labels) for labels in (y, y_validation))
    if data.classes is None:
        loss, metrics = "mse", [keras.metrics.MeanAbsoluteError(name="mae"), keras.metrics.RootMeanSquaredError("rmse")]
    model.compile(optimizer, loss, metrics=metrics, run_eagerly=True)  # without a trace, which takes longer
    history = model.fit(
        data.x_train,
        y,
        batch_size=BATCH,
        epochs=EPOCHS,
        shuffle=False,
        validation_data=(data.x_validation, y_validation),
        class_weight=class_weight,
        callbacks=[keras.callbacks.SwapEMAWeights()] if optimizer.use_ema else [],
        verbose=0,
    ).history
    return [{name: values[epoch] for name, values in history.items()} for epoch in range(EPOCHS)]


def compare(
    params: dict[str, Any],
    optimizer: Any,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    data: Data | None = None,
    class_weight: Any = None,
) -> None:
    data = data or few_tumours()
    monkeypatch.setattr(loop, "order", lambda examples, seed, epoch: np.arange(examples, dtype=np.int32))
    run = FakeRun(data, folder, epochs=EPOCHS)
    train.fit(build, {"batch_size": BATCH, "learning_rate": 0.01, **params}, run)
    expected = of_fit(params, optimizer, data, class_weight, params.get("label_smoothing", 0.0))
    for (_, metrics), wanted in zip(run.reports, expected, strict=True):
        assert {name: metrics[name] for name in wanted} == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("word", OPTIMIZERS, ids=[word.name for word in OPTIMIZERS])
def test_each_optimizer(word: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"momentum": 0.9} if word.name in ("sgd", "rmsprop") else {}
    params = {"optimizer": {word.name: options}, "weight_decay": 0.01}
    made = keras_object(word.target)(0.01, weight_decay=0.01, **options)
    compare(params, made, tmp_path, monkeypatch)


ADAM = keras.optimizers.Adam


@pytest.mark.parametrize(
    ("params", "optimizer"),
    [
        ({"clipnorm": 0.1}, lambda: ADAM(0.01, clipnorm=0.1)),
        ({"clipvalue": 0.01}, lambda: ADAM(0.01, clipvalue=0.01)),
        ({"global_clipnorm": 0.1}, lambda: ADAM(0.01, global_clipnorm=0.1)),
        ({"gradient_accumulation_steps": 3}, lambda: ADAM(0.01, gradient_accumulation_steps=3)),
        ({"ema": {"momentum": 0.8}}, lambda: ADAM(0.01, use_ema=True, ema_momentum=0.8)),
        ({"schedule": "cosine"}, lambda: ADAM(keras.optimizers.schedules.CosineDecay(0.01, STEPS * EPOCHS))),
        ({"l2": 0.05, "label_smoothing": 0.2}, lambda: ADAM(0.01)),
        ({"dropout": 0.3, "optimizer": {"adam": {"amsgrad": True}}}, lambda: ADAM(0.01, amsgrad=True)),
    ],
    ids=["clipnorm", "clipvalue", "global_clipnorm", "accumulation", "ema", "schedule", "l2_smoothing", "dropout"],
)
def test_each_word(params: Any, optimizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compare(params, optimizer(), tmp_path, monkeypatch)


def test_class_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = few_tumours().class_names
    assert names is not None
    params = {"class_weight": {names[0]: 3.0, names[1]: 0.5}}
    compare(params, ADAM(0.01), tmp_path, monkeypatch, class_weight={0: 3.0, 1: 0.5})


def test_a_regression(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compare({"optimizer": "adam"}, ADAM(0.01), tmp_path, monkeypatch, few_patients())

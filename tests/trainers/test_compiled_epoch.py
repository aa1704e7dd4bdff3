"""The compiled epoch gives what `model.fit` gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from fake_run import IMAGE, FakeRun, few_digits, few_patients, few_tumours

from trainers import find
from trainers.contract import TrialOver
from trainers.data import Data
from trainers.data.data import Raw
from trainers.data.loading import prepared
from trainers.training import compiling, loop, streaming, train
from trainers.training.augmentation import layers as augmentation_layers
from trainers.training.order import order

BATCH = 32


def model_for(data: Data, words: dict[str, Any] | None = None) -> tuple[keras.Model, compiling.Encode]:
    """A model with batch normalization and a penalty, whose last batch of an epoch is partial for few_tumours (120)."""
    keras.utils.set_random_seed(5)
    layers = keras.layers
    inputs = keras.Input(data.input_shape)
    x = layers.Flatten()(layers.Rescaling(1 / data.maximum)(inputs))
    x = layers.BatchNormalization()(layers.Dense(8, activation="relu", kernel_regularizer="l2")(x))
    model = keras.Model(inputs, layers.Dense(data.classes or 1)(x))
    aim = compiling.goal(model, data, (words or {}).get("label_smoothing", 0.0))
    optimizer = keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(0.01, 12), weight_decay=0.01, global_clipnorm=1.0
    )
    model.compile(optimizer, loss=aim.loss, metrics=aim.metrics)
    return model, aim.encode


@pytest.mark.parametrize("load", [few_digits, few_tumours, few_patients])
def test_losses_and_metrics_are_those_of_fit(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load()
    fitted, _ = model_for(data)
    history = fitted.fit(
        data.x_train,
        data.y_train,
        batch_size=BATCH,
        epochs=3,
        shuffle=False,
        validation_data=(data.x_validation, data.y_validation),
        verbose=0,
    ).history

    monkeypatch.setattr(loop, "order", lambda examples, seed, epoch: np.arange(examples, dtype=np.int32))
    model, encode = model_for(data)
    compiling.make_state(model, data, encode)
    epochs = loop.CompiledEpochs(model, data, [], encode, BATCH, seed=0)
    for epoch in range(3):
        metrics = epochs.train(epoch + 1)
        metrics |= {f"val_{name}": value for name, value in epochs.validate().items()}
        assert metrics == pytest.approx({name: values[epoch] for name, values in history.items()}, rel=1e-5)


def test_streamed_epochs_are_the_same_as_compiled_ones() -> None:
    data = few_tumours()
    results = []
    for kind in (loop.CompiledEpochs, streaming.StreamedEpochs):
        model, encode = model_for(data, {"label_smoothing": 0.1})
        compiling.make_state(model, data, encode)
        epochs = kind(model, data, [], encode, BATCH, seed=3)
        results.append([epochs.train(1), epochs.validate(), epochs.train(2), epochs.validate()])
    for compiled, streamed in zip(*results, strict=True):
        assert compiled == pytest.approx(streamed, rel=1e-5)


def test_streamed_epochs_augment_what_is_trained_on_and_resume_like_undisturbed_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "LARGEST_IN_MEMORY", 0)
    params = {"augment": {"rotation": 0.2, "flip": "both"}, "layers": [], "learning_rate": 0.01}
    runs = [FakeRun(few_digits(), tmp_path / name) for name in ("whole", "halves", "halves")]
    for run in runs:
        run.folder.mkdir(exist_ok=True)
    fit = find.load(IMAGE, tmp_path)
    fit(params, runs[0])
    runs[1].over_at = 2
    with pytest.raises(TrialOver):
        fit(params, runs[1])
    fit(params, runs[2])
    assert runs[2].losses[-1] == pytest.approx(runs[0].losses[-1], rel=1e-6)
    plain = FakeRun(few_digits(), tmp_path)
    fit(params | {"augment": None}, plain)
    assert plain.losses[0] != pytest.approx(runs[0].losses[0], rel=1e-6)


def test_another_batch_size_needs_no_new_trace() -> None:
    data = few_digits()
    model, encode = model_for(data)
    compiling.make_state(model, data, encode)
    epochs = loop.CompiledEpochs(model, data, augmentation_layers({"zoom": 0.1}, data, 0), encode, 32, seed=0)
    epochs.train(1)
    epochs.batch_size, epochs.steps = 48, 4
    epochs.train(2)
    assert epochs._train.experimental_get_tracing_count() == 1
    assert model.optimizer.iterations.numpy() == 5 + 4


def test_a_long_epoch_is_run_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SLICE_SECONDS", 0.0)
    data = few_digits()
    model, encode = model_for(data)
    compiling.make_state(model, data, encode)
    epochs = loop.CompiledEpochs(model, data, [], encode, 8, seed=0)
    called: list[tuple[int, int]] = []
    whole = epochs._train
    epochs._train = lambda rows, size, first, last: (
        called.append((int(first), int(last))) or whole(rows, size, first, last)
    )
    epochs.train(1)
    assert called == [(step, step + 1) for step in range(20)]
    monkeypatch.setattr(loop, "SLICE_SECONDS", 1e6)
    called.clear()
    for epoch in (2, 3):
        epochs.train(epoch)
    assert called == [(0, 1), (1, 20), (0, 20)]


def test_every_example_is_seen_once_and_the_order_depends_on_seed_and_epoch_alone() -> None:
    first = order(100, 7, 1).numpy()
    assert sorted(first) == list(range(100))
    assert (first == order(100, 7, 1).numpy()).all()
    assert (first != order(100, 7, 2).numpy()).any()
    assert (first != order(100, 8, 1).numpy()).any()


def test_the_data_is_placed_on_the_device_once() -> None:
    assert loop.on_device(few_digits())[0] is loop.on_device(few_digits())[0]


def test_bytes_are_kept_exactly_where_a_gpu_cant_gather_them(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (256, 4, 4, 1)).astype(np.uint8)
    data = prepared(Raw(pictures, np.arange(256) % 2), 0.2, 0)
    results = []
    for devices in ([], ["a GPU"]):
        monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind, devices=devices: devices)
        loop.on_device.cache_clear()
        model, encode = model_for(data)
        compiling.make_state(model, data, encode)
        step, seen = model.train_step, []
        model.train_step = lambda batch, step=step, seen=seen: seen.append(batch[0].dtype.name) or step(batch)
        epochs = loop.CompiledEpochs(model, data, [], encode, BATCH, seed=0)
        results.append((epochs.train(1), epochs.validate()))
        assert set(seen) == {"uint8"}
        assert loop.on_device(data)[0].dtype == ("float16" if devices else "uint8")
    assert results[0] == results[1]
    loop.on_device.cache_clear()

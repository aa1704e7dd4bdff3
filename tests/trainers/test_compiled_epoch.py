"""A whole epoch as one program: with any batch size, in slices, and the same where data is streamed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from fake_run import IMAGE, TABULAR, FakeRun, few_digits, few_tumours

from trainers import find
from trainers.contract import TrialOver
from trainers.data import Data, placing
from trainers.data.data import Raw
from trainers.data.loading import prepared
from trainers.training import checkpoint, compiling, loop, streaming, train
from trainers.training.augmentation import layers as augmentation_layers
from trainers.training.order import order
from trainers.words.reading import read
from trainers.words.training import OPTIONS

BATCH = 32


def model_for(
    data: Data, words: dict[str, Any] | None = None, optimizer: Any = None
) -> tuple[keras.Model, compiling.Encode]:
    """A model with batch normalization and a penalty, whose last batch of an epoch is partial for few_tumours (120)."""
    keras.utils.set_random_seed(5)
    layers = keras.layers
    inputs = keras.Input(data.input_shape)
    x = layers.Flatten()(layers.Rescaling(1 / data.maximum)(inputs))
    x = layers.BatchNormalization()(layers.Dense(8, activation="relu", kernel_regularizer="l2")(x))
    model = keras.Model(inputs, layers.Dense(data.classes or 1)(x))
    aim = compiling.goal(model, data, read(OPTIONS, words or {}))
    optimizer = optimizer or keras.optimizers.Adam(0.01, weight_decay=0.01, global_clipnorm=1.0)
    model.compile(optimizer, loss=aim.loss, metrics=aim.metrics)
    compiling.make_state(model, data, aim)
    model.optimizer.build(model.trainable_variables)
    return model, aim.encode


def rates(examples: int, batch_size: int = BATCH) -> Any:
    return np.linspace(0.01, 0.002, -(-examples // batch_size), dtype=np.float32)


def test_streamed_epochs_are_the_same_as_compiled_ones() -> None:
    data = few_tumours()
    results = []
    for kind in (loop.CompiledEpochs, streaming.StreamedEpochs):
        model, encode = model_for(data, {"label_smoothing": 0.1})
        epochs = kind(model, data, [], encode, weighted=True)
        epochs.begin(BATCH, 3, np.linspace(0.5, 2, 120))
        results.append([epochs.train(1, rates(120)), epochs.validate(), epochs.train(2, rates(120)), epochs.validate()])
    for compiled, streamed in zip(*results, strict=True):
        assert compiled == pytest.approx(streamed, rel=1e-5)


def test_streamed_epochs_augment_what_is_trained_on_and_resume_like_undisturbed_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "LARGEST_IN_MEMORY", 0)
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


def test_a_loss_of_the_models_own_makes_its_variables_before_anything_is_traced(tmp_path: Path) -> None:
    eager: list[bool] = []

    class Scaled(keras.Model):
        scale: Any = None

        def compute_loss(self, *given: Any, **named: Any) -> Any:
            if self.scale is None:
                eager.append(tf.executing_eagerly())
                self.scale = keras.Variable(2.0, trainable=False)
            return self.scale * super().compute_loss(*given, **named)

    def build(params: Any, data: Data) -> keras.Model:
        inputs = keras.Input(data.input_shape)
        kind = Scaled if params["scaled"] else keras.Model
        return kind(inputs, keras.layers.Dense(data.classes or 1)(inputs))

    losses = []
    for scaled in (True, False):
        run = FakeRun(few_tumours(), tmp_path / str(scaled), epochs=1)
        run.folder.mkdir()
        train.fit(build, {"scaled": scaled, "learning_rate": 1e-12, "optimizer": "sgd"}, run)
        losses.append(np.asarray(run.losses))
    assert eager == [True]
    np.testing.assert_allclose(losses[0], 2 * losses[1], rtol=1e-5)


def test_another_batch_size_needs_no_new_trace() -> None:
    data = few_digits()
    model, encode = model_for(data)
    epochs = loop.CompiledEpochs(model, data, augmentation_layers({"zoom": 0.1}, data, 0), encode)
    for batch_size in (32, 48):
        epochs.begin(batch_size, seed=0)
        epochs.train(1, rates(160, batch_size))
    assert epochs._train.experimental_get_tracing_count() == 1
    assert model.optimizer.iterations.numpy() == 5 + 4


def test_a_long_epoch_is_run_in_slices_and_asks_in_between_whether_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SLICE_SECONDS", 0.0)
    data = few_digits()
    model, encode = model_for(data)
    epochs = loop.CompiledEpochs(model, data, [], encode)
    epochs.begin(8, seed=0)
    called: list[tuple[int, int]] = []
    whole = epochs._train
    epochs._train = lambda first, last, *rest: called.append((int(first), int(last))) or whole(first, last, *rest)
    asked: list[int] = []
    epochs.train(1, rates(160, 8), lambda: asked.append(len(called)))
    assert called == [(step, step + 1) for step in range(20)]
    assert asked == list(range(1, 20))
    monkeypatch.setattr(loop, "SLICE_SECONDS", 1e6)
    called.clear()
    for epoch in (2, 3):
        epochs.train(epoch, rates(160, 8))
    assert called == [(0, 1), (1, 20), (0, 20)]


@pytest.mark.parametrize("largest", [2**32, 0], ids=["compiled", "streamed"])
def test_a_trial_can_be_stopped_in_the_middle_of_an_epoch_and_goes_on_from_its_last_checkpoint(
    largest: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "LARGEST_IN_MEMORY", largest)
    monkeypatch.setattr(loop, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "FIRST", 0.0)

    class Stopped(FakeRun):
        def tick(self) -> None:
            if len(self.reports) == 2:
                raise TrialOver

    params = {"layers": [{"units": 4}], "learning_rate": 0.01}
    whole = FakeRun(few_tumours(), tmp_path / "whole")
    stopped, resumed = (kind(few_tumours(), tmp_path / "halves") for kind in (Stopped, FakeRun))
    for run in (whole, stopped):
        run.folder.mkdir()
    fit = find.load(TABULAR, tmp_path)
    fit(params, whole)
    with pytest.raises(TrialOver):
        fit(params, stopped)
    assert [epoch for epoch, _ in stopped.reports] == [1, 2]
    fit(params, resumed)
    assert resumed.reports[0][0] in (1, 2)
    assert resumed.losses[-1] == pytest.approx(whole.losses[-1], rel=1e-6)


@pytest.mark.parametrize("kind", [loop.CompiledEpochs, streaming.StreamedEpochs])
def test_steps_compiled_by_xla_give_the_same_with_any_batch_size(kind: type[loop.Epochs]) -> None:
    data, results = few_tumours(), []
    for jit_compile in (False, True):
        # Not Adam: where a gradient is nearly 0, it makes a step of the last bit.
        model, encode = model_for(data, optimizer=keras.optimizers.SGD(0.01, momentum=0.9))
        epochs = kind(model, data, [], encode, jit_compile=jit_compile)
        found = []
        for batch_size in (BATCH, 50):
            epochs.begin(batch_size, seed=3)
            found += [epochs.train(1, rates(120, batch_size)), epochs.validate()]
        results.append(found)
        (program,) = epochs._train._list_all_concrete_functions()
        functions = program.graph.as_graph_def().library.function
        assert any(function.attr["_XlaMustCompile"].b for function in functions) == jit_compile
    for plain, compiled in zip(*results, strict=True):
        assert compiled == pytest.approx(plain, rel=1e-3)  # it adds numbers up in another order


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
        step, seen = model.train_step, []
        model.train_step = lambda batch, step=step, seen=seen: seen.append(batch[0].dtype.name) or step(batch)
        epochs = loop.CompiledEpochs(model, data, [], encode)
        epochs.begin(BATCH, seed=0)
        results.append((epochs.train(1, rates(len(data.x_train))), epochs.validate()))
        assert set(seen) == {"uint8"}
        assert loop.on_device(data)[0].dtype == ("float16" if devices else "uint8")
    assert results[0] == results[1]
    loop.on_device.cache_clear()


def test_operations_remember_the_lines_of_a_users_own_files_alone() -> None:
    class Doubled(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return tf.multiply(inputs, 2.0, name="doubled")

    data = few_tumours()
    inputs = keras.Input(data.input_shape)
    model = keras.Model(inputs, keras.layers.Dense(2)(Doubled()(inputs)))
    aim = compiling.goal(model, data, read(OPTIONS, {}))
    model.compile("sgd", loss=aim.loss, metrics=aim.metrics)
    compiling.make_state(model, data, aim)
    model.optimizer.build(model.trainable_variables)
    epochs = loop.CompiledEpochs(model, data, [], aim.encode)
    epochs.begin(BATCH, seed=0)
    epochs.validate()
    (program,) = epochs._validate._list_all_concrete_functions()
    frames = {
        operation.name.rpartition("/")[2]: [frame.filename for frame in operation.traceback]
        for operation in program.graph.get_operations()
    }
    assert __file__ in frames["doubled"]
    libraries = [Path(module.__file__ or "").parent for module in (keras, loop)]
    assert not [name for name in frames["doubled"] if any(map(Path(name).is_relative_to, libraries))]

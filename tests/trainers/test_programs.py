"""Trials of one structure share compiled programs, and nothing else."""

from __future__ import annotations

import gc
import weakref
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from fake_run import IMAGE, TABULAR, FakeRun, few_digits, few_tumours
from tensorflow.python import pywrap_tfe  # no public name

from spaces.vocabulary import Option, Options
from trainers import find
from trainers.contract import Diverged, TrialOver
from trainers.data import Data, placing
from trainers.training import loop, ready, train, updates
from trainers.training import programs as kept_programs
from trainers.training.programs import programs
from trainers.training.structure import Structure, loss_places, structure_of
from trainers.words.augmentation import AUGMENTATIONS
from trainers.words.optimizers import OPTIMIZERS
from trainers.words.reading import read
from trainers.words.training import OPTIONS


def images(params: Any, data: Data) -> keras.Model:
    layers, penalty = keras.layers, keras.regularizers.L2(params.get("l2", 0.01))
    inputs = keras.Input(data.input_shape)
    x = layers.Rescaling(1 / data.maximum)(inputs)
    x = layers.Conv2D(params.get("filters", 2), 3, kernel_regularizer=penalty)(x)
    x = layers.Activation("silu")(layers.BatchNormalization()(x))
    x = layers.Dropout(params.get("dropout", 0.2))(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(params.get("outputs", 10))(x))


def rows(params: Any, data: Data) -> keras.Model:
    layers = keras.layers
    inputs = keras.Input(data.input_shape)
    x = layers.Normalization(mean=data.mean, variance=data.variance)(inputs)
    return keras.Model(inputs, layers.Dense(2)(x))


def hidden(params: Any, data: Data, units: int = 5) -> keras.Model:
    inputs = keras.Input(data.input_shape)
    x = keras.layers.Normalization(mean=data.mean, variance=data.variance)(inputs)
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dense(units, activation="tanh")(x)))


def trained(build: Any, params: dict[str, Any], data: Data, folder: Path, seed: int, epochs: int = 2) -> Any:
    """Everything that a trial leaves: the metrics of its epochs, its weights, and the state of its optimizer."""
    folder.mkdir(exist_ok=True)
    run = FakeRun(data, folder, epochs=epochs, seed=seed)
    train.fit(build, params, run)
    reports = [{name: value for name, value in report.items() if name != "seconds"} for _, report in run.reports]
    model = keras.saving.load_model(run.kept[0])
    return reports, [variable.numpy().tobytes() for variable in (*model.variables, *model.optimizer.variables)]


def times_traced(data: Data) -> int:
    """How often the training part of the one program that is kept was traced."""
    (program,) = programs(data).kept.values()
    return int(program.epochs._train.experimental_get_tracing_count())


def compare(build: Any, first: dict[str, Any], second: dict[str, Any], data: Data, folder: Path) -> None:
    """The second trial is the same after the first, whose programs it uses, as it is alone."""
    programs.cache_clear()
    trained(build, first, data, folder / "first", seed=1)
    reused = trained(build, second, data, folder / "reused", seed=2)
    assert len(programs(data).kept) == 1, "they are of one structure"
    assert times_traced(data) == 1
    programs.cache_clear()
    fresh = trained(build, second, data, folder / "fresh", seed=2)
    assert reused == fresh
    assert reused[0] != trained(build, first, data, folder / "other", seed=2)[0], "their numbers matter"


def test_a_program_used_again_gives_the_bits_of_a_fresh_one(tmp_path: Path) -> None:
    first: dict[str, Any] = {
        "optimizer": {"adam": {"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-6}},
        "learning_rate": 0.01,
        "weight_decay": 0.01,
        "global_clipnorm": 1.0,
        "label_smoothing": 0.1,
        "ema": {"momentum": 0.9},
        "augment": {"rotation": 0.1, "zoom": 0.1, "translation": 0.1},
        "class_weight": {"3": 2.0},
        "batch_size": 32,
    }
    second = first | {
        "optimizer": {"adam": {"beta_1": 0.95, "beta_2": 0.9, "epsilon": 1e-3}},
        "learning_rate": 0.03,
        "schedule": {"cosine": {"warmup": 0.2}},
        "weight_decay": 0.1,
        "global_clipnorm": 0.2,
        "label_smoothing": 0.3,
        "ema": {"momentum": 0.5},
        "augment": {"rotation": 0.2, "zoom": 0.3, "translation": 0.25},
        "class_weight": "balanced",
        "batch_size": 48,
        "dropout": 0.5,
        "l2": 0.1,
    }
    compare(images, first, second, few_digits(), tmp_path)


OF_A_VECTOR: list[Any] = [
    {"sgd": {"momentum": 0.9}},
    {"adam": {}},
    {"adam": {"amsgrad": True}},
    {"adamw": {"beta_2": 0.9}},
    {"rmsprop": {"centered": True}},
    {"lion": {}},
]
OF_OTHER_NUMBERS: list[Any] = [
    {"lion": {"beta_1": 0.5}},
    {"adam": {"beta_1": 0.7, "epsilon": 1e-3}},
    {"sgd": {"momentum": 0.5}},
]


@pytest.mark.parametrize(
    ("largest", "words"), [(2**32, {}), (0, {}), (2**32, {"jit_compile": True})], ids=["compiled", "streamed", "xla"]
)
def test_optimizers_share_what_is_traced_of_a_model_and_nothing_else(
    largest: int, words: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "LARGEST_IN_MEMORY", largest)
    kinds = OF_A_VECTOR[:2] if words else OF_A_VECTOR
    data, trials, layers = few_digits(), list[dict[str, Any]](), list[Any]()
    for number, optimizer in enumerate([*kinds, *OF_OTHER_NUMBERS[-len(kinds) :]], start=1):
        trial = {"optimizer": optimizer, "learning_rate": 0.001 * number, "weight_decay": 0.01 * number}
        trial |= {"dropout": 0.1 * number, "l2": 0.001 * number, "filters": 1 + number, "batch_size": 48}
        trial |= {"augment": {"zoom": 0.05 * number}, "label_smoothing": 0.02 * number, "class_weight": "balanced"}
        trials.append(trial | words)

    def build(params: Any, data: Data) -> keras.Model:
        model = images(params, data)
        layers.append(weakref.ref(model.layers[-1]))
        return model

    programs.cache_clear()
    together = [trained(build, trial, data, tmp_path / f"together-{seed}", seed) for seed, trial in enumerate(trials)]
    gc.collect()
    assert len([layer for layer in layers if layer() is not None]) == len(programs(data).kept)
    of_each = [program.epochs for program in programs(data).kept.values()]
    assert [len(epochs.updates) for epochs in of_each] == ([1, 1] if words else [len(kinds)])
    for one in of_each:
        shared = (one._validate, one.shared.gradients, *(update.apply for update in one.updates))
        assert {function.experimental_get_tracing_count() for function in shared} == {1}
    for seed, (trial, found) in enumerate(zip(trials, together, strict=True)):
        programs.cache_clear()
        assert found == trained(images, trial, data, tmp_path / f"alone-{seed}", seed)


def test_models_share_the_optimizers_that_were_met_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "MOST", 2)
    data, narrow, wide = few_tumours(), partial(hidden, units=3), partial(hidden, units=7)
    sgd, adam, lion = ({"optimizer": word, "learning_rate": 0.01, "batch_size": 64} for word in ("sgd", "adam", "lion"))
    trials = [(rows, sgd), (narrow, adam), (rows, adam), (wide, sgd), (narrow, lion), (rows, sgd)]
    trials += [(wide, lion), (rows, adam), (narrow, sgd)]
    programs.cache_clear()
    together, held = [], []
    for seed, (build, trial) in enumerate(trials):
        together.append(trained(build, trial, data, tmp_path / f"together-{seed}", seed))
        held.append([len(program.epochs.updates) for program in programs(data).kept.values()])
        counts = [one.apply.experimental_get_tracing_count() for one in programs(data).updates.known]
        assert set(counts) == {1}, "an optimizer's own part is traced once for all models"
    assert held[:4] == [[1], [1, 2], [2, 2], [2, 2]]
    assert held[-1] == [2, 2]
    for seed, ((build, trial), found) in enumerate(zip(trials, together, strict=True)):
        programs.cache_clear()
        assert found == trained(build, trial, data, tmp_path / f"alone-{seed}", seed)


MEDDLING = """
import keras


class Meddling(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        optimizer = self.model.optimizer
        optimizer.learning_rate = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
        optimizer.nesterov, optimizer.weight_decay, optimizer.momentum = True, 0.5, 0.1
"""


def test_what_a_callback_does_to_an_optimizer_is_over_with_its_trial(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "hooks.py").write_text(MEDDLING)
    params = {"optimizer": {"sgd": {"momentum": 0.9}}, "learning_rate": 0.01, "batch_size": 64}
    programs.cache_clear()
    trained(rows, params | {"callbacks": {"own": {"class": "hooks.py:Meddling"}}}, few_tumours(), tmp_path / "first", 1)
    together = [trained(build, params, few_tumours(), tmp_path / "then", 2) for build in (rows, hidden)]
    for build, found in zip((rows, hidden), together, strict=True):
        programs.cache_clear()
        assert found == trained(build, params, few_tumours(), tmp_path / build.__name__, 2)


def test_a_long_trial_is_trained_by_a_program_that_holds_its_own_optimizer_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, data = ("sgd", "adam", "sgd"), few_tumours()
    found, kept = [], []
    for unused_steps in (loop.UNUSED_STEPS, 0):
        monkeypatch.setattr(loop, "UNUSED_STEPS", unused_steps)
        programs.cache_clear()
        found.append(
            [trained(rows, {"optimizer": word}, data, tmp_path / str(n), seed=n) for n, word in enumerate(words)]
        )
        kept += programs(data).kept.values()
    assert found[0] == found[1]
    assert [len(program.epochs.updates) for program in kept] == [2, 1]
    assert [program.epochs.replaced for program in kept] == [1, 2]
    monkeypatch.setattr(kept_programs, "MOST_REPLACED", 2)
    programs(data).note_replaced()
    assert programs(data).garbage
    assert kept[1].epochs.replaced == 0


def test_an_optimizer_that_updates_variables_one_by_one_shares_with_its_own_kind_alone() -> None:
    def of(**params: Any) -> Structure:
        found = structure(images, params, few_digits())
        assert found is not None
        return found

    usual = of(optimizer="adam")
    for params in ({"optimizer": "sgd"}, {"optimizer": "adam", "clipvalue": 0.1}):
        assert of(**params).model == usual.model
        assert of(**params).optimizer != usual.optimizer
    for params in ({"optimizer": "nadam"}, {"optimizer": "adam", "clipnorm": 1.0}, {"optimizer": "adam", "ema": {}}):
        assert of(**params).model != usual.model
    for precision, one_vector in (("mixed_float16", False), ("mixed_bfloat16", True)):
        adam, sgd = (of(optimizer=word, precision=precision) for word in ("adam", "sgd"))
        assert (adam.model == sgd.model) == one_vector


def test_what_an_optimizers_state_begins_with_is_no_part_of_a_program(tmp_path: Path) -> None:
    first, second = (
        {"optimizer": {"adagrad": {"initial_accumulator_value": start}}, "learning_rate": 0.01, "batch_size": 64}
        for start in (0.1, 0.7)
    )
    compare(rows, first, second, few_tumours(), tmp_path)


def test_a_model_whose_first_trial_never_began_to_train_it_is_trained_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeRun, "constraints", ("parameters",))

    class TooLarge(FakeRun):
        def cost(self, **metrics: float) -> None:
            raise TrialOver

    programs.cache_clear()
    with pytest.raises(TrialOver):
        train.fit(rows, {"optimizer": "sgd"}, TooLarge(few_tumours(), tmp_path))
    words = ("adam", "rmsprop", "lion", "sgd")
    together = [trained(rows, {"optimizer": word}, few_tumours(), tmp_path / word, seed=1) for word in words]
    (program,) = programs(few_tumours()).kept.values()
    assert program.epochs._validate.experimental_get_tracing_count() == 1
    assert len(program.epochs.updates) == len(words)
    for word, found in zip(words, together, strict=True):
        programs.cache_clear()
        assert found == trained(rows, {"optimizer": word}, few_tumours(), tmp_path / f"{word}-alone", seed=1)


def test_the_variables_of_a_program_and_of_the_optimizers_count(tmp_path: Path) -> None:
    programs.cache_clear()
    for word in ("sgd", "adam"):
        trained(rows, {"optimizer": word}, few_tumours(), tmp_path / word, seed=1, epochs=1)
    (program,) = programs(few_tumours()).kept.values()
    weights = 4 * rows({}, few_tumours()).count_params()
    assert program.state >= weights
    assert programs(few_tumours()).updates.bytes // weights == 3  # the vector, and the two moments of each weight


def test_a_trial_that_diverged_leaves_its_program_and_nothing_in_it(tmp_path: Path) -> None:
    good = {"optimizer": "adam", "learning_rate": 0.01, "batch_size": 40}
    programs.cache_clear()
    expected = trained(images, good, few_digits(), tmp_path / "alone", seed=1)
    for word in ("sgd", "adam"):
        run = FakeRun(few_digits(), tmp_path, seed=2)
        with pytest.raises(Diverged):
            train.fit(images, good | {"optimizer": word, "learning_rate": 1e38}, run)
        assert trained(images, good, few_digits(), tmp_path / word, seed=1) == expected
    (program,) = programs(few_digits()).kept.values()
    assert len(program.epochs.updates) == 2
    assert not programs(few_digits()).garbage


def numbers(word: Any, factor: float) -> dict[str, Any]:
    assert isinstance(word.kind, Options)
    return {option.name: changed(option, factor) for option in word.kind.options}


def changed(option: Option, factor: float) -> Any:
    if option.default and option.name in SEARCHED:
        return option.default * factor
    return option.default


SEARCHED = ("momentum", "rho", "beta_1", "beta_2", "epsilon", "beta_2_decay", "clip_threshold")


# Schedule-free AdamW begins with a copy of the weights, so it shares no programs.
SHARING = [word for word in OPTIMIZERS if word.name != "schedule_free_adamw"]


@pytest.mark.parametrize("word", SHARING, ids=[word.name for word in SHARING])
def test_an_optimizers_numbers_are_arguments_of_its_program(word: Any, tmp_path: Path) -> None:
    first, second = (
        {"optimizer": {word.name: numbers(word, factor)}, "learning_rate": rate, "batch_size": 64, "weight_decay": rate}
        for factor, rate in ((0.99, 0.01), (0.9, 0.02))
    )
    compare(rows, first, second, few_tumours(), tmp_path)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("ema", [None, {"momentum": 0.9}])
def test_a_program_of_another_precision_is_used_again_too(precision: str, ema: Any, tmp_path: Path) -> None:
    plain = {"precision": precision, "ema": ema, "batch_size": 40}
    first, second = (plain | {"learning_rate": rate} for rate in (0.01, 0.02))
    compare(images, first, second, few_digits(), tmp_path)


@pytest.mark.parametrize("name", ["contrast", "brightness"])
def test_an_augmentations_strength_is_an_argument_of_its_program(name: str, tmp_path: Path) -> None:
    assert name in [word.name for word in AUGMENTATIONS]
    plain = {"learning_rate": 0.01, "batch_size": 80}
    first, second = (plain | {"augment": {name: strength}} for strength in (0.1, 0.4))
    compare(images, first, second, few_digits(), tmp_path)


def structure(build: Any, params: dict[str, Any], data: Data) -> Structure | None:
    words = read(OPTIONS, params)
    return structure_of(ready.parts_of(build, params, words, data, seed=0), words, (), weighted=False)


@pytest.mark.parametrize(
    "params",
    [
        {"dropout": 0.0},
        {"outputs": 11},
        {"optimizer": "sgd"},
        {"optimizer": {"adam": {"amsgrad": True}}},
        {"weight_decay": 0.1},
        {"clipvalue": 0.1},
        {"gradient_accumulation_steps": 2},
        {"ema": {}},
        {"label_smoothing": 0.1},
        {"metrics": ["top_3_accuracy"]},
        {"loss": "focal"},
        {"precision": "mixed_bfloat16"},
        {"augment": {"rotation": 0.1}},
    ],
    ids=str,
)
def test_what_is_part_of_a_graph_is_another_structure(params: dict[str, Any]) -> None:
    assert structure(images, params, few_digits()) != structure(images, {}, few_digits())


class OwnLayer(keras.layers.Dense):  # type: ignore[misc]
    pass


class OwnModel(keras.Model):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(2)

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)


def overridden(params: Any, data: Data) -> keras.Model:
    model = rows(params, data)
    model.train_step = lambda data: {}
    return model


def of_layers(*layers: Any) -> Any:
    return lambda params, data: keras.Sequential(
        [keras.Input(data.input_shape), *layers, keras.layers.Dense(2, name="y")]
    )


@pytest.mark.parametrize(
    "build",
    [
        of_layers(OwnLayer(3)),
        of_layers(keras.layers.Lambda(lambda x: x * 2)),
        of_layers(keras.layers.Dense(3, activation=lambda x: x * 2)),
        of_layers(keras.layers.Normalization()),
        lambda params, data: OwnModel(),
        overridden,
    ],
    ids=["own layer", "lambda", "own activation", "adapted", "own model", "own step"],
)
def test_what_keras_cant_tell_all_about_shares_nothing(build: Any) -> None:
    assert structure(build, {}, few_tumours()) is None


def test_a_trial_that_was_stopped_goes_on_like_an_undisturbed_one_with_the_program_of_another(tmp_path: Path) -> None:
    params = {"optimizer": {"adam": {}}, "learning_rate": 0.01, "batch_size": 64, "dropout": 0.4}
    expected, _ = trained(images, params, few_digits(), tmp_path / "whole", seed=3, epochs=4)
    programs.cache_clear()
    trained(images, params | {"optimizer": "sgd"}, few_digits(), tmp_path / "sgd", seed=2)
    stopped = FakeRun(few_digits(), tmp_path / "stopped", epochs=4, seed=3, over_at=2)
    stopped.folder.mkdir()
    with pytest.raises(TrialOver):
        train.fit(images, params, stopped)
    trained(images, params | {"learning_rate": 0.1, "dropout": 0.1}, few_digits(), tmp_path / "other", seed=4)
    reports, _ = trained(images, params, few_digits(), tmp_path / "stopped", seed=3, epochs=4)
    assert reports == expected[1:]


def test_a_saved_model_has_its_trials_numbers(tmp_path: Path) -> None:
    for rate in (0.2, 0.4):
        run = FakeRun(few_digits(), tmp_path / str(rate), epochs=1)
        run.folder.mkdir()
        train.fit(images, {"dropout": rate, "optimizer": {"adam": {"beta_1": rate}}, "label_smoothing": rate}, run)
        model = keras.saving.load_model(run.kept[0])
        assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [rate]
        assert model.optimizer.get_config()["beta_1"] == rate
        assert loss_places(model.loss)[0].plain == rate


def test_the_programs_used_last_are_kept_and_nothing_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.cache_clear()
    fit = find.load(TABULAR, tmp_path)
    counts = []
    activations = ("relu", "tanh", "sigmoid", "relu", "softplus", "softsign", "elu", "selu")
    for number, activation in enumerate(activations):
        run = FakeRun(few_tumours(), tmp_path / str(number), epochs=1)
        run.folder.mkdir()
        fit({"layers": [{"units": 2, "activation": activation}]}, run)
        gc.collect()
        kinds = [type(thing) for thing in gc.get_objects()]
        counts.append(sum(issubclass(kind, keras.Model | tf.__internal__.FuncGraph) for kind in kinds))
        optimizers = sum(issubclass(kind, keras.optimizers.Optimizer) for kind in kinds)
        assert optimizers <= len(programs(few_tumours()).kept) + 1  # the first one updates all of the models
        if number == 1:  # there is room for two, and one that hasn't trained yet
            two = sum(program.bytes for program in programs(few_tumours()).kept.values())
            monkeypatch.setattr(kept_programs, "MOST_BYTES", int(1.1 * two))
    assert len(programs(few_tumours()).kept) == 3
    of_one, of_two, of_three = ([counts[number] for number in numbers] for numbers in ((3,), (1, 4, 6), (2, 5, 7)))
    assert len(set(of_two)) == len(set(of_three)) == 1
    assert of_one < of_two < of_three
    monkeypatch.setattr(kept_programs, "MOST_BYTES", 0)
    trained(rows, {}, few_tumours(), tmp_path / "large", seed=0)
    assert len(programs(few_tumours()).kept) == 1


def test_a_trial_that_ended_in_an_error_leaves_no_program(tmp_path: Path) -> None:
    class Broken(FakeRun):
        def report(self, epoch: int, **metrics: float) -> None:
            raise OSError("gone")

    programs.cache_clear()
    with pytest.raises(OSError, match="gone"):
        train.fit(rows, {}, Broken(few_tumours(), tmp_path))
    assert not programs(few_tumours()).kept
    np.testing.assert_equal(programs(few_tumours()).garbage, True)


@pytest.mark.parametrize("trainer", [IMAGE, TABULAR, rows], ids=["image", "tabular", "a build of one's own"])
def test_what_tensorflow_made_of_its_functions_is_kept_for_the_next_trial(
    trainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.cache_clear()
    fit = partial(train.fit, rows) if trainer is rows else find.load(trainer, tmp_path)
    data = few_digits() if trainer is IMAGE else few_tumours()
    cleared: list[int] = []
    clear = pywrap_tfe.TFE_ContextClearCaches
    monkeypatch.setattr(pywrap_tfe, "TFE_ContextClearCaches", lambda handle: (cleared.append(1), clear(handle)))
    for number in range(2):
        run = FakeRun(data, tmp_path / str(number), epochs=1)
        run.folder.mkdir()
        fit({}, run)
    assert not cleared
    tf.random.set_seed(1)
    assert cleared, "this is what it does otherwise"


@pytest.mark.parametrize("seed", [None, 3])
def test_a_build_that_draws_from_tf_random_draws_the_same_again(seed: int | None, tmp_path: Path) -> None:
    drawn: list[list[float]] = []

    def build(params: Any, data: Data) -> keras.Model:
        drawn.append([float(tf.random.uniform((), seed=seed)) for _ in range(2)])
        return rows(params, data)

    programs.cache_clear()
    for number in range(3):
        trained(build, {}, few_tumours(), tmp_path / str(number), seed=1, epochs=1)
    assert drawn[0] == drawn[1] == drawn[2]
    assert drawn[0][0] != drawn[0][1]


def test_kernels_of_many_shapes_are_let_go_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_programs, "KERNELS_KEPT", 3)
    programs.cache_clear()
    cleared: list[int] = []
    monkeypatch.setattr(pywrap_tfe, "TFE_ContextClearCaches", lambda handle: cleared.append(number))
    for number in range(8):
        trained(rows, {}, few_tumours(), tmp_path / str(number), seed=1, epochs=1)
    assert {*cleared} == {2, 5}
    assert len(programs(few_tumours()).kept) == 1


def test_a_trial_takes_over_all_variables_of_its_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = []

    def readied(*arguments: Any) -> Any:
        found.append(ready.ready(*arguments))
        return found[-1]

    programs.cache_clear()
    monkeypatch.setattr(train, "ready", readied)
    for seed in (1, 2):
        trained(
            rows, {"optimizer": "adam", "augment": {"gaussian_noise": 0.1}}, few_tumours(), tmp_path, seed, epochs=1
        )
    (first, program), (second, same) = found
    assert program is same
    assert first.model is not second.model
    assert len(first.variables) == len(second.variables) > 6
    for name, variable in second.variables.items():
        assert variable is not first.variables[name]
        assert variable.value is first.variables[name].value


def test_a_saved_model_knows_nothing_of_ours_and_its_program_goes_on_knowing(tmp_path: Path) -> None:
    params = {"metrics": ["f1"], "learning_rate": 0.01}
    programs.cache_clear()
    for seed in (1, 2):
        reports, _ = trained(rows, params, few_tumours(), tmp_path / str(seed), seed=seed)
        assert "val_f1" in reports[-1]
        model = keras.saving.load_model(tmp_path / str(seed) / "model-0.keras")
        assert "f1" not in str(model.get_compile_config()["metrics"])
        assert model.loss is not None
    assert times_traced(few_tumours()) == 1


def test_a_model_that_is_built_by_its_first_call_alone(tmp_path: Path) -> None:
    def build(params: Any, data: Data) -> keras.Model:
        return keras.Sequential([keras.layers.Dense(3, activation="relu"), keras.layers.Dense(2)])

    programs.cache_clear()
    first, again, other = (
        trained(build, {}, few_tumours(), tmp_path / str(number), seed) for number, seed in enumerate((1, 1, 2))
    )
    assert first == again
    assert first != other
    assert len(programs(few_tumours()).kept) == 1

"""Every optimizer, and every word around one, does what it says."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fake_run import IMAGE, TABULAR, FakeRun, few_digits, few_tumours

from spaces.vocabulary import Flag, Listed, Option, Options, Whole
from trainers import find
from trainers.image import build
from trainers.training.averaging import average, averaged
from trainers.training.optimizer import keras_object, optimizer
from trainers.training.programs import programs
from trainers.words.optimizers import OPTIMIZERS
from trainers.words.reading import read
from trainers.words.training import OPTIONS

NAMES = [word.name for word in OPTIMIZERS]
AROUND = {"learning_rate", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "gradient_accumulation_steps"}
AROUND |= {"use_ema", "ema_momentum", "ema_overwrite_frequency"}
NO_WORDS = {"self", "name", "kwargs", "loss_scale_factor"}  # precision decides about the scale of the loss


def words(**params: Any) -> dict[str, Any]:
    return read(OPTIONS, params)


def test_every_optimizer_of_keras_has_a_word() -> None:
    kinds = {name for name, kind in vars(keras.optimizers).items() if inspect.isclass(kind)}
    wrapping = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap"}
    assert {word.target.rsplit(".", 1)[1] for word in OPTIMIZERS} == kinds - wrapping


@pytest.mark.parametrize("word", OPTIMIZERS, ids=NAMES)
def test_an_optimizer_has_all_options_of_keras_with_their_defaults(word: Any) -> None:
    parameters = inspect.signature(keras_object(word.target).__init__).parameters
    assert {option.name for option in word.kind.options} == set(parameters) - AROUND - NO_WORDS
    for option in word.kind.options:
        default = parameters[option.name].default
        assert (() if default is None else default) == option.default, option.name


def other_value(option: Option) -> Any:
    """A value that is allowed and isn't the default."""
    match option.kind:
        case Flag():
            return not option.default
        case Listed():
            return ["a_name"]
        case Whole():
            return option.default + 1
    return option.default / 2 if option.default else 0.25


@pytest.mark.parametrize("word", OPTIMIZERS, ids=NAMES)
def test_an_optimizer_is_of_its_class_has_its_options_and_lowers_the_loss(word: Any, tmp_path: Path) -> None:
    assert isinstance(word.kind, Options)
    options = {option.name: other_value(option) for option in word.kind.options}
    made = optimizer(words(optimizer={word.name: options}, weight_decay=0.02, clipnorm=0.5))
    assert type(made) is keras_object(word.target)
    config = made.get_config()
    for name, value in (options | {"weight_decay": 0.02, "clipnorm": 0.5}).items():
        assert config[name] == (value if isinstance(value, list) else pytest.approx(value)), name

    run = FakeRun(few_tumours(), tmp_path, epochs=2)
    rate = {"adadelta": 1.0, "adagrad": 0.1, "ftrl": 0.1, "adafactor": 0.1}.get(word.name, 0.01)
    params = {"optimizer": word.name, "learning_rate": rate, "layers": [{"units": 4}], "batch_size": 10}
    find.load(TABULAR, tmp_path)(params, run)
    assert run.losses[1][0] < run.losses[0][0]


def stepped(gradients: list[list[list[float]]], start: float = 0.0, **params: Any) -> tuple[Any, list[np.ndarray]]:
    """Two weights of two numbers each after steps with these gradients: each step has one for each weight."""
    made = optimizer(words(optimizer="sgd", learning_rate=1.0, **params))
    variables = [keras.Variable([start, start]), keras.Variable([start, start])]
    made.build(variables)
    seen = []
    for gradient in gradients:
        made.apply([keras.ops.convert_to_tensor(one) for one in gradient], variables)
        seen.append(np.concatenate([variable.numpy() for variable in variables]))
    return made, seen


GRADIENT = [[3.0, 4.0], [0.0, 12.0]]


@pytest.mark.parametrize(
    ("clipping", "change"),
    [
        ({}, [3.0, 4.0, 0.0, 12.0]),
        ({"clipvalue": 3.5}, [3.0, 3.5, 0.0, 3.5]),
        ({"clipnorm": 1.0}, [0.6, 0.8, 0.0, 1.0]),
        ({"global_clipnorm": 1.3}, [0.3, 0.4, 0.0, 1.2]),
    ],
)
def test_clipping_shortens_gradients_by_its_rule(clipping: dict[str, float], change: list[float]) -> None:
    _, (after,) = stepped([GRADIENT], **clipping)
    assert after == pytest.approx(-np.array(change), rel=1e-6)


def test_weight_decay_takes_a_share_of_the_weights_away() -> None:
    _, (after,) = stepped([[[0.0, 0.0], [0.0, 0.0]]], start=2.0, weight_decay=0.25)
    assert after == pytest.approx([1.5] * 4)


def test_accumulated_gradients_are_averaged_for_one_update() -> None:
    ones = [[1.0, 1.0], [1.0, 1.0]]
    threes = [[3.0, 3.0], [3.0, 3.0]]
    _, seen = stepped([ones, threes, ones, ones], gradient_accumulation_steps=2)
    assert [after[0] for after in seen] == pytest.approx([0.0, -2.0, -2.0, -3.0])


def test_ema_is_the_moving_average_and_overwrites_the_weights_when_asked() -> None:
    ones = [[1.0, 1.0], [1.0, 1.0]]
    made, seen = stepped([ones] * 3, ema={"momentum": 0.5})
    assert [after[0] for after in seen] == pytest.approx([-1.0, -2.0, -3.0])
    assert made._model_variables_moving_average[0].numpy() == pytest.approx([-2.25] * 2)
    _, seen = stepped([ones] * 2, ema={"momentum": 0.5, "overwrite_frequency": 2})
    assert [after[0] for after in seen] != pytest.approx([-1.0, -2.0])


def ready(**params: Any) -> keras.Model:
    model = build({"layers": [], **params}, few_digits())
    model.compile(optimizer(words(**params)), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def test_a_model_stands_for_its_average_while_it_is_validated_and_in_the_end() -> None:
    model = ready(ema={"momentum": 0.9})
    weights = model.get_weights()
    for variable in model.optimizer._model_variables_moving_average:
        variable.assign(variable * 0 + 7)
    with averaged(model):
        assert all((array == 7).all() for array in model.get_weights())
    for before, after in zip(weights, model.get_weights(), strict=True):
        assert after == pytest.approx(before, abs=1e-6)
    average(model)
    assert all((array == 7).all() for array in model.get_weights())


def test_without_ema_a_model_stands_for_itself() -> None:
    model = ready()
    weights = model.get_weights()
    with averaged(model):
        assert all((a == b).all() for a, b in zip(weights, model.get_weights(), strict=True))
    average(model)
    assert all((a == b).all() for a, b in zip(weights, model.get_weights(), strict=True))


def test_ema_is_what_a_trial_validates_and_saves(tmp_path: Path) -> None:
    data = few_digits()
    run = FakeRun(data, tmp_path, epochs=2)
    params = {"ema": {"momentum": 1.0}, "layers": [], "batch_size": 80, "learning_rate": 0.1, "optimizer": "sgd"}
    find.load(IMAGE, tmp_path)(params, run)
    # An average that forgets nothing stays where the first step left it, whatever is learned.
    assert run.losses[1][0] < run.losses[0][0]
    assert run.losses[1][1] == run.losses[0][1]
    model = keras.saving.load_model(run.kept[0])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
        data.y_validation, model.predict(data.x_validation, verbose=0)
    )
    assert float(loss) == pytest.approx(run.losses[1][1], rel=1e-5)


@pytest.mark.parametrize(("precision", "scaled"), [("mixed_float16", True), ("mixed_bfloat16", False)])
def test_half_precision_scales_the_loss(precision: str, scaled: bool) -> None:
    keras.config.set_dtype_policy(precision)
    try:
        model = ready()
    finally:
        keras.config.set_dtype_policy("float32")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) == scaled


@pytest.mark.parametrize("name", ["schedule_free_adamw", "adam"])
def test_a_trial_trains_the_same_whatever_trial_was_before_it(name: str, tmp_path: Path) -> None:
    params = {"optimizer": name, "learning_rate": 0.01, "layers": [{"units": 3}], "batch_size": 60}

    def trained(seed: int, folder: str) -> list[tuple[float, float]]:
        (tmp_path / folder).mkdir()
        run = FakeRun(few_tumours(), tmp_path / folder, epochs=1, seed=seed)
        find.load(TABULAR, tmp_path)(params, run)
        return run.losses

    programs.cache_clear()
    alone = trained(1, "alone")
    programs.cache_clear()
    trained(2, "before")
    assert trained(1, "after") == [pytest.approx(losses, rel=1e-6) for losses in alone]

"""Every layer kind is built, trained and saved, and every option of it has its effect."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from fake_run import FakeRun, few_digits, few_tumours

from spaces.vocabulary import OneOf, OneWord, Option, Options, Real, Whole
from trainers import blocks
from trainers.data import Data, DataError
from trainers.data.data import Raw
from trainers.data.loading import prepared
from trainers.training import train
from trainers.training.optimizer import keras_object
from trainers.weights import initializer, regularizer
from trainers.words.layers import KINDS, LayerKind, block
from trainers.words.weights import ACTIVATIONS, INITIALIZERS, MATRIX_REGULARIZER

ROWS = 8


@cache
def examples(rank: int) -> Any:
    """Real examples with that many axes between example and channels, float32, some 8 channels."""
    digits = few_digits().x_train[:ROWS, ..., 0] / np.float32(16)
    if rank == 0:
        return few_tumours().x_train[:ROWS, :16] / few_tumours().maximum
    shapes = {1: (8, 8), 2: (4, 2, 8), 3: (2, 2, 2, 8)}
    return digits.reshape(ROWS, *shapes[rank])


def built(rank: int, *params: Any, then: Any = None) -> keras.Model:
    """A model of these blocks and ten logits."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input(examples(rank).shape[1:])
    x = blocks.stack(inputs, params, default="dense")
    return keras.Model(inputs, keras.layers.Dense(10)(blocks.head(x, "flatten")))


def kinds_of(model: keras.Model) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def made(model: keras.Model, *kinds: str) -> list[Any]:
    return [layer for layer in model.layers if type(layer).__name__ in kinds]


CASES = [(kind, rank) for kind in KINDS for rank in kind.ranks]


@pytest.mark.parametrize(("kind", "rank"), CASES, ids=[f"{kind.word.name}-{rank}" for kind, rank in CASES])
def test_a_kind_is_its_keras_layer_and_trains_on_data_of_each_rank_it_takes(kind: LayerKind, rank: int) -> None:
    model = built(rank, kind.word.name)
    assert keras_object(kind.word.target.format(rank=rank)) in [type(layer) for layer in model.layers]
    trains(model, rank)


def trains(model: keras.Model, rank: int) -> None:
    """Take a step: the loss is a number, and every weight has a gradient."""
    before = [weight.numpy() for weight in model.trainable_weights]
    with tf.GradientTape() as tape:
        outputs = model(examples(rank), training=True)
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(np.arange(ROWS), outputs, from_logits=True))
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    assert np.isfinite(float(loss))
    assert all(gradient is not None for gradient in gradients)
    keras.optimizers.SGD(0.1).apply(gradients, model.trainable_weights)
    assert any((weight.numpy() != old).any() for weight, old in zip(model.trainable_weights, before, strict=True))


@pytest.mark.parametrize("kind", KINDS, ids=[kind.word.name for kind in KINDS])
def test_a_kind_that_doesnt_fit_the_shape_is_told_with_what_it_takes(kind: LayerKind) -> None:
    for rank in {0, 1, 2, 3} - set(kind.ranks):
        with pytest.raises(
            DataError, match=rf"layers\.0 \({kind.word.name}\): received .*; expected (vectors|seq|images)"
        ):
            built(rank, kind.word.name)


def test_all_kinds_in_one_model_load_again_and_give_the_same(tmp_path: Path) -> None:
    for rank in (1, 2):
        names = [kind.word.name for kind in KINDS if rank in kind.ranks]
        names.sort(key=lambda name: name in ("global_pooling", "flatten"))
        steady = [{name: {"pool": "none"}} if "conv" in name else name for name in names if name != "flatten"]
        model = built(rank, *[each if each != "pooling" else {"pooling": {"strides": 1}} for each in steady])
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        np.testing.assert_allclose(loaded(examples(rank)), model(examples(rank)), rtol=1e-4, atol=1e-5)


def option_names() -> list[tuple[str, str]]:
    return [(kind.word.name, option.name) for kind in KINDS for option in kind.word.kind.options]  # type: ignore[union-attr]


def other_value(option: Option) -> Any:
    """A value that is allowed and isn't the default."""
    match option.kind:
        case OneOf():
            return next(value for value in option.kind.values if value != option.default)
        case OneWord():
            return {"initializer": "ones", "regularizer": {"l1": 0.5}}[option.name.split("_")[-1]]
        case Whole():
            return 3 if option.default in (None, 1) else option.default // 2 or 1
        case Real():
            return 0.25 if option.default != 0.25 else 0.5
    return not option.default


@pytest.mark.parametrize(("name", "option"), option_names(), ids=["-".join(names) for names in option_names()])
def test_every_option_makes_another_model_that_trains(name: str, option: str, tmp_path: Path) -> None:
    kind = next(kind for kind in KINDS if kind.word.name == name)
    assert isinstance(kind.word.kind, Options)
    entry = next(each for each in kind.word.kind.options if each.name == option)
    rank = 1 if 1 in kind.ranks else min(kind.ranks)
    default = block(name, name)[1][option]
    value = other_value(entry)
    assert value != default
    plain, changed = built(rank, name), built(rank, {name: {option: value}})
    assert described(plain) != described(changed)
    rows = examples(rank).repeat(5, axis=0)
    run = FakeRun(prepared(Raw(rows, np.arange(len(rows)) % 10), 0.25, 0), tmp_path, epochs=1)
    layers = [{name: {option: value}}] * (1 if name == "global_pooling" else 2)
    train.fit(lambda params, data: built(rank, *params["layers"]), {"layers": layers, "batch_size": 16}, run)
    assert np.isfinite(run.losses).all()


def test_a_block_that_is_switched_off_is_not_there() -> None:
    kinds = kinds_of(built(1, None, {"gru": {"units": 4}}, None, {"lstm": {"units": 4}}, None))
    assert kinds == kinds_of(built(1, {"gru": {"units": 4}}, {"lstm": {"units": 4}}))
    with pytest.raises(DataError, match=r"layers\.1 \(conv\)"):
        built(0, None, "conv")


def described(model: keras.Model) -> list[Any]:
    """What the layers are, but for their names."""
    found = []
    for layer in model.layers:
        config = {key: value for key, value in layer.get_config().items() if key != "name"}
        found.append((type(layer).__name__, without_names(config), [tuple(weight.shape) for weight in layer.weights]))
    return found


def without_names(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_names(inner) for key, inner in value.items() if key not in ("name", "seed")}
    return [without_names(inner) for inner in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_that_of_keras_and_trains(name: str) -> None:
    model = built(0, {"units": 8, "activation": name})
    if name == "glu":
        assert model.layers[-1].input.shape == (None, 4)
    else:
        assert made(model, "Activation")[0].activation is keras.activations.get(name)
    trains(model, 0)


def test_the_activations_are_all_that_keras_has() -> None:
    functions = {name for name in dir(keras.activations) if not name.startswith("_")}
    assert functions - {"get", "serialize", "deserialize"} - set(ACTIVATIONS) == {"threshold"}


FAN_IN, FAN_OUT = 300, 200
VARIANCES = {
    "glorot_uniform": 2 / (FAN_IN + FAN_OUT),
    "glorot_normal": 2 / (FAN_IN + FAN_OUT),
    "he_uniform": 2 / FAN_IN,
    "he_normal": 2 / FAN_IN,
    "lecun_uniform": 1 / FAN_IN,
    "lecun_normal": 1 / FAN_IN,
    "orthogonal": 1 / FAN_IN,
    "random_normal": 0.05**2,
    "truncated_normal": 0.05**2 * 0.774,  # two deviations of a normal distribution, without its tails
    "random_uniform": 0.1**2 / 12,
    "variance_scaling": 1 / FAN_IN,
    "zeros": 0.0,
    "ones": 0.0,
    "constant": 0.0,
}


@pytest.mark.parametrize("word", INITIALIZERS, ids=[word.name for word in INITIALIZERS])
def test_an_initializer_has_its_variance_takes_its_options_and_trains(word: Any) -> None:
    drawn = initializer(word.name)
    assert type(drawn) is keras_object(word.target)
    weights = np.asarray(drawn((FAN_IN, FAN_OUT)))
    assert weights.var() == pytest.approx(VARIANCES[word.name], rel=0.1, abs=1e-9)
    given = {option.name: other_value(option) for option in word.kind.options}
    config = initializer({word.name: given}).get_config()
    assert {name: config[name] for name in given} == given
    defaults = initializer(word.name).get_config()
    assert all(defaults[option.name] == option.default for option in word.kind.options)
    model = built(0, {"units": 4, "kernel_initializer": word.name})
    assert type(made(model, "Dense")[0].kernel_initializer) is keras_object(word.target)
    trains(model, 0)


def test_two_layers_of_one_description_start_with_different_weights() -> None:
    model = built(0, *[{"units": 16, "kernel_initializer": "he_normal"}] * 2)
    first, second = (layer.kernel.numpy() for layer in made(model, "Dense")[:2])
    assert (first != second).mean() > 0.9


PENALTIES: dict[str, tuple[Any, Callable[[np.ndarray], float]]] = {
    "l1": ({"l1": 0.1}, lambda kernel: 0.1 * np.abs(kernel).sum()),
    "l2": ("l2", lambda kernel: 0.01 * (kernel**2).sum()),
    "l1l2": ({"l1l2": {"l1": 0.1, "l2": 0.2}}, lambda k: 0.1 * np.abs(k).sum() + 0.2 * (k**2).sum()),
    "orthogonal": ({"orthogonal": {}}, lambda kernel: 0.01 * unlike_right_angles(kernel)),
}


def unlike_right_angles(kernel: np.ndarray) -> float:
    rows = kernel / np.linalg.norm(kernel, axis=1, keepdims=True)
    products = np.abs(rows @ rows.T) * (1 - np.eye(len(rows)))
    return float(0.5 * products.sum() / (len(rows) * (len(rows) - 1) / 2))


@pytest.mark.parametrize("name", [word.name for word in MATRIX_REGULARIZER.words])
def test_a_regularizer_adds_its_formula_to_the_loss_and_pulls_weights(name: str) -> None:
    value, formula = PENALTIES[name]
    model = built(0, {"units": 8, "kernel_regularizer": value})
    kernel = made(model, "Dense")[0].kernel
    with tf.GradientTape() as tape:
        (loss,) = model.losses
    assert float(loss) == pytest.approx(formula(kernel.numpy()), rel=1e-4)
    assert float(loss) > 0
    kernel.assign_sub(0.01 * tape.gradient(loss, kernel.value))
    assert float(model.losses[0]) < float(loss)
    trains(model, 0)


def test_without_a_regularizer_there_is_none() -> None:
    assert regularizer(None) is None


@pytest.mark.parametrize(
    ("params", "losses"),
    [
        ({"dense": {"bias_regularizer": "l2", "activity_regularizer": "l1"}}, 2),
        ({"separable_conv": {"kernel_regularizer": "l2"}}, 2),
        ({"residual": {"kernel_regularizer": "l1"}}, 3),
        ({"lstm": {"kernel_regularizer": "l2", "recurrent_regularizer": "l1"}}, 2),
        ({"transformer": {"kernel_regularizer": "l2"}}, 6),
    ],
)
def test_every_weight_of_a_block_is_regularized(params: dict[str, Any], losses: int) -> None:
    assert len(built(1, params)(examples(1)).shape) == 2
    model = built(1, params)
    model(examples(1))
    assert len(model.losses) == losses


@pytest.mark.parametrize(
    ("normalization", "layer"),
    [
        ("batch", "BatchNormalization"),
        ("layer", "LayerNormalization"),
        ("group", "GroupNormalization"),
        ("rms", "RMSNormalization"),
    ],
)
def test_a_normalization_stands_between_the_layer_and_its_activation(normalization: str, layer: str) -> None:
    kinds = kinds_of(built(2, {"conv": {"normalization": normalization}}))
    assert kinds[1:4] == ["Conv2D", layer, "Activation"]


def test_batch_norm_is_short_for_normalization_batch_and_leaves_the_bias_out() -> None:
    short, long = (built(0, {"units": 4, **words}) for words in ({"batch_norm": True}, {"normalization": "batch"}))
    assert described(short) == described(long)
    assert not made(short, "Dense")[0].use_bias


def test_convolution_and_pooling_take_the_axes_that_the_data_has() -> None:
    for rank in (1, 2, 3):
        assert {f"Conv{rank}D", f"MaxPooling{rank}D"} <= set(kinds_of(built(rank, "conv")))


def test_more_pooling_than_length_is_left_out() -> None:
    assert len(made(built(1, *["conv"] * 6), "MaxPooling1D")) == 3


def test_a_recurrent_block_gives_sequences_to_later_blocks_and_a_vector_at_the_end() -> None:
    model = built(1, {"gru": {"units": 5, "bidirectional": True}}, {"gru": {"units": 5, "bidirectional": True}})
    first, last = made(model, "Bidirectional")
    assert first.output.shape == (None, 8, 10)
    assert last.output.shape == (None, 10)


def test_residual_and_attention_add_to_their_input() -> None:
    for name in ("residual", "attention", "transformer"):
        zero = {"residual": {"filters": 8}}.get(name, {})
        model = built(1, {name: zero | {"kernel_initializer": "zeros"}})
        (features,) = [layer.input for layer in made(model, "Flatten")]
        outputs = keras.Model(model.input, features)(examples(1)).numpy()
        np.testing.assert_allclose(outputs, examples(1), atol=1e-6)


def test_a_squeeze_excite_gate_is_between_nothing_and_all() -> None:
    model = built(2, "squeeze_excite")
    (features,) = [layer.input for layer in made(model, "Flatten")]
    outputs = keras.Model(model.input, features)(examples(2)).numpy()
    shares = outputs[examples(2) > 0] / examples(2)[examples(2) > 0]
    assert (shares > 0).all()
    assert (shares < 1).all()


def test_steps_behind_the_end_are_neither_attended_to_nor_averaged() -> None:
    inputs = keras.Input((8, 8))
    real = keras.ops.not_equal(inputs[..., 0], -1.0)
    for name in ("attention", "transformer", "gru"):
        keras.utils.set_random_seed(3)
        params = [{name: {"return_sequences": True} if name == "gru" else {}}]
        x = blocks.stack(inputs, params, default="dense", mask=real)
        model = keras.Model(inputs, blocks.head(x, "average", mask=real))
        one, other = examples(1).copy(), examples(1).copy()
        one[:, 5:, 0] = other[:, 5:, 0] = -1
        other[:, 5:, 1:] += 3
        np.testing.assert_allclose(model(one), model(other), atol=1e-5)
    empty = np.full((2, 8, 8), -1, np.float32)
    assert np.isfinite(model(empty).numpy()).all()


def test_what_keras_refuses_is_told_with_the_blocks_place_and_options() -> None:
    with pytest.raises(
        DataError, match=r"layers\.1 \(group_normalization\): can't be built on \(None, 6\) with groups: 4"
    ):
        built(0, {"units": 6}, {"group_normalization": {"groups": 4}})
    with pytest.raises(DataError, match=r"layers\.0 \(conv\): .*strides: 2, dilation_rate: 2"):
        built(1, {"conv": {"strides": 2, "dilation_rate": 2}})


def test_a_block_is_options_of_the_default_kind_or_a_kind_even_if_both_have_that_name() -> None:
    assert block({"dropout": 0.3}, "dense")[0].word.name == "dense"
    assert block({"dropout": {"rate": 0.3}}, "dense")[0].word.name == "dropout"
    assert block({"conv": None}, "dense")[0].word.name == "conv"
    assert block("flatten", "dense")[0].word.name == "flatten"
    assert block({}, "conv")[0].word.name == "conv"
    assert block({"units": 3, "dropout": 0.1}, "dense")[1]["units"] == 3


def volumes() -> Data:
    digits = few_digits()
    shape = (2, 4, 8, 1)
    return dataclasses.replace(
        digits,
        x_train=digits.x_train.reshape(-1, *shape),
        x_validation=digits.x_validation.reshape(-1, *shape),
    )


def test_an_image_model_takes_volumes() -> None:
    from trainers.image import build

    assert "Conv3D" in kinds_of(build({}, volumes()))

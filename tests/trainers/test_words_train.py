"""Every word of training does what it says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fake_run import IMAGE, TABULAR, FakeRun, few_digits, few_tumours

from spaces.vocabulary import Option, Options
from trainers import find
from trainers.contract import Diverged
from trainers.data import DataError
from trainers.training import augmentation
from trainers.training.optimizer import keras_object, learning_rate, optimizer
from trainers.words.augmentation import AUGMENTATIONS
from trainers.words.layers import ACTIVATIONS, LAYERS
from trainers.words.optimizers import OPTIMIZERS
from trainers.words.reading import one_word, read
from trainers.words.schedules import SCHEDULE, SCHEDULES
from trainers.words.training import OPTIONS, PRECISIONS


def words(**params: Any) -> dict[str, Any]:
    return read(OPTIONS, params)


def names(table: tuple[Any, ...]) -> list[str]:
    return [word.name for word in table]


@pytest.mark.parametrize("word", OPTIMIZERS, ids=names(OPTIMIZERS))
def test_an_optimizer_is_of_its_class_has_its_options_and_lowers_the_loss(word: Any, tmp_path: Path) -> None:
    assert isinstance(word.kind, Options)
    options = {option.name: other_value(option) for option in word.kind.options}
    made = optimizer(words(optimizer={word.name: options}, weight_decay=0.02, clipnorm=0.5), steps=10)
    assert type(made) is keras_object(word.target)
    config = made.get_config()
    for name, value in (options | {"weight_decay": 0.02, "clipnorm": 0.5}).items():
        assert config[name] == pytest.approx(value), name

    run = FakeRun(few_tumours(), tmp_path, epochs=2)
    rate = {"adadelta": 1.0, "adagrad": 0.1, "ftrl": 0.1, "adafactor": 0.1}.get(word.name, 0.01)
    find.load(TABULAR, tmp_path)({"optimizer": word.name, "learning_rate": rate, "layers": [{"units": 4}]}, run)
    assert run.losses[1][0] < run.losses[0][0]


def other_value(option: Option) -> Any:
    """A value that is allowed and isn't the default."""
    if isinstance(option.default, bool):
        return not option.default
    return option.default / 2 if option.default else 0.25


@pytest.mark.parametrize("word", OPTIMIZERS, ids=names(OPTIMIZERS))
def test_an_optimizers_defaults_are_those_of_keras(word: Any) -> None:
    config = keras_object(word.target)().get_config()
    for option in word.kind.options:
        assert config[option.name] == pytest.approx(option.default), option.name


STEPS = 40


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", lambda step: 0.5),
        ({"cosine": {}}, lambda step: 0.5 * (1 + math.cos(math.pi * step / STEPS)) / 2),
        (
            {"cosine": {"warmup": 0.25, "final": 0.1}},
            lambda step: (
                0.5 * step / 10
                if step <= 10
                else 0.5 * (0.1 + 0.9 * (1 + math.cos(math.pi * (step - 10) / (STEPS - 10))) / 2)
            ),
        ),
        ({"exponential": {"decay": 0.04}}, lambda step: 0.5 * 0.04 ** (step / STEPS)),
        ({"polynomial": {"power": 2.0, "final": 0.2}}, lambda step: 0.1 + 0.4 * (1 - step / STEPS) ** 2),
    ],
)
def test_a_schedule_follows_its_formula(schedule: Any, expected: Any) -> None:
    rate = learning_rate(0.5, schedule, STEPS)
    for step in (0, 1, 5, 10, 11, 25, STEPS):
        value = float(rate(step)) if callable(rate) else rate
        assert value == pytest.approx(expected(step), rel=1e-5, abs=1e-7), step


def test_every_schedule_is_tested_above_and_has_a_builder() -> None:
    from trainers.training.optimizer import SCHEDULES as BUILDERS

    assert set(names(SCHEDULES)) == {"constant", *BUILDERS}


def test_a_schedule_spans_the_whole_trial_and_is_reported(tmp_path: Path) -> None:
    run = FakeRun(few_tumours(), tmp_path, epochs=2)
    params = {"schedule": {"polynomial": {}}, "learning_rate": 0.1, "batch_size": 50, "layers": []}
    find.load(TABULAR, tmp_path)(params, run)
    assert [metrics["learning_rate"] for _, metrics in run.reports] == pytest.approx([0.05, 0.0])


AUGMENTED = {
    "flip": ["horizontal", "vertical", "both"],
    "rotation": [0.2],
    "zoom": [0.3],
    "translation": [0.3],
    "contrast": [0.5],
    "brightness": [0.5],
}


def test_every_augmentation_is_tested_below() -> None:
    assert names(AUGMENTATIONS) == list(AUGMENTED)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in AUGMENTED.items() for value in values])
def test_an_augmentation_changes_images_but_neither_their_range_nor_their_mean_place(name: str, value: Any) -> None:
    data = few_digits()
    (layer,) = augmentation.layers({name: value}, data, seed=3)
    assert type(layer) is keras_object(next(word.target for word in AUGMENTATIONS if word.name == name))
    images = data.x_train[:32]
    changed = layer(images, training=True).numpy()
    assert changed.shape == images.shape
    assert changed.dtype == np.float32
    assert (np.abs(changed - images).reshape(32, -1).max(axis=1) > 0).mean() > 0.2
    assert changed.min() >= -1e-4
    assert changed.max() <= data.maximum + 1e-3
    if name == "flip":
        axes = {"horizontal": [2], "vertical": [1], "both": [1, 2]}[value]
        mirrored = [images, *(np.flip(images, axis) for axis in axes), np.flip(images, tuple(axes))]
        assert all(any((one == other[i]).all() for other in mirrored) for i, one in enumerate(changed))


def test_augmentation_is_in_training_alone_and_never_in_the_model(tmp_path: Path) -> None:
    runs = []
    for augment in (None, {"rotation": 0.3, "contrast": 0.5}):
        run = FakeRun(few_digits(), tmp_path, epochs=1)
        # Nothing is learned, so that the validation loss shows the model's input alone.
        find.load(IMAGE, tmp_path)({"augment": augment, "learning_rate": 1e-12, "layers": [], "batch_size": 160}, run)
        for path in tmp_path.glob("epoch-*"):
            path.unlink()
        runs.append(run)
    (plain, augmented) = runs
    assert augmented.losses[0][0] != pytest.approx(plain.losses[0][0], rel=1e-4)
    assert augmented.losses[0][1] == pytest.approx(plain.losses[0][1], rel=1e-6)
    model = keras.saving.load_model(augmented.kept[0])
    assert not [layer for layer in model.layers if type(layer).__name__.startswith("Random")]


def test_augmenting_a_table_is_an_error() -> None:
    with pytest.raises(DataError, match="augment is for images"):
        augmentation.layers({"flip": "both"}, few_tumours(), 0)


def test_a_strength_of_zero_adds_no_layer() -> None:
    assert augmentation.layers({"rotation": 0.0, "flip": None}, few_digits(), 0) == []


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_precision_is_that_of_the_hidden_layers_alone(precision: str, tmp_path: Path) -> None:
    run = FakeRun(few_digits(), tmp_path, epochs=2)
    params = {"precision": precision, "layers": [{"filters": 4}], "batch_size": 80, "learning_rate": 0.01}
    find.load(IMAGE, tmp_path)(params, run)
    assert run.losses[1][0] < run.losses[0][0]
    model = keras.saving.load_model(run.kept[0])
    assert [layer.dtype_policy.name for layer in model.layers if "conv" in layer.name] == [precision]
    assert model.outputs[0].dtype == "float32"


def test_label_smoothing_raises_the_loss_of_a_sure_model(tmp_path: Path) -> None:
    losses = []
    for smoothing in (0.0, 0.3):
        run = FakeRun(few_tumours(), tmp_path / str(smoothing), epochs=2)
        run.folder.mkdir()
        params = {"label_smoothing": smoothing, "learning_rate": 0.03, "layers": [{"units": 16}]}
        find.load(TABULAR, tmp_path)(params, run)
        losses.append(run.losses[-1][0])
    assert losses[1] > losses[0] + 0.1


def test_a_loss_that_explodes_ends_the_trial_as_diverged_and_leaves_no_checkpoint_of_it(tmp_path: Path) -> None:
    run = FakeRun(few_tumours(), tmp_path, epochs=6)
    params = {"optimizer": "sgd", "learning_rate": 1e30, "layers": [{"units": 8}]}
    with pytest.raises(Diverged, match="loss is"):
        find.load(TABULAR, tmp_path)(params, run)
    assert run.kept == []
    assert len(list(tmp_path.glob("*.json"))) == len(run.reports)


@pytest.mark.parametrize(
    ("params", "kinds"),
    [
        ({"layers": []}, ["Rescaling", "Flatten", "Dense"]),
        (
            {"layers": [{"filters": 2, "pool": "average", "batch_norm": True, "dropout": 0.1}], "head": "average"},
            [
                "Rescaling",
                "Conv2D",
                "BatchNormalization",
                "Activation",
                "AveragePooling2D",
                "Dropout",
                "GlobalAveragePooling2D",
                "Dense",
            ],
        ),
        (
            {"layers": [{"filters": 2, "pool": "none"}], "head": "max", "dense": [{"units": 3, "activation": "gelu"}]},
            ["Rescaling", "Conv2D", "Activation", "GlobalMaxPooling2D", "Dense", "Activation", "Dense"],
        ),
    ],
)
def test_an_image_model_is_made_of_the_blocks_that_are_asked_for(params: dict[str, Any], kinds: list[str]) -> None:
    from trainers.image import build

    model = build(params, few_digits())
    assert [type(layer).__name__ for layer in model.layers[1:]] == kinds


def test_more_pooling_than_pixels_is_left_out() -> None:
    from trainers.image import build

    model = build({"layers": [{"filters": 2}] * 6}, few_digits())
    assert sum(isinstance(layer, keras.layers.MaxPooling2D) for layer in model.layers) == 3


def test_every_activation_and_layer_word_is_known_to_keras() -> None:
    for name in ACTIVATIONS:
        assert callable(keras.activations.get(name))
    for word in LAYERS:
        assert issubclass(keras_object(word.target), keras.layers.Layer)


def test_one_word_is_read_as_text_or_as_a_map_and_another_is_refused() -> None:
    assert one_word(SCHEDULE, "cosine")[1] == {"warmup": 0.0, "final": 0.0}
    assert one_word(SCHEDULE, {"cosine": {"final": 0.5}})[1] == {"warmup": 0.0, "final": 0.5}
    assert one_word(SCHEDULE, {"cosine": None})[0].name == "cosine"
    with pytest.raises(ValueError, match="received 'cosin'; expected one of constant, cosine"):
        one_word(SCHEDULE, "cosin")

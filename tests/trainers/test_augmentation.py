"""Every augmentation changes what is trained on, keeps shapes and ranges, and leaves validation and the model alone."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from fake_run import IMAGE, TABULAR, FakeRun, few_digits, few_patients, few_tumours

from spaces.spec import TrainerSpec
from trainers import find
from trainers.data import Data, DataError
from trainers.data.data import Column
from trainers.training.augmentation import augmented, layers
from trainers.training.optimizer import keras_object
from trainers.words.augmentation import AUGMENTATIONS, TABLE_AUGMENTATIONS, mixes_labels


@cache
def few_photos() -> Data:
    """Digits in colour: three of them are the channels of one."""
    digits = few_digits()
    x = [np.stack([part, np.roll(part, 1, 0), np.roll(part, 2, 0)], -1) for part in
         (digits.x_train[..., 0], digits.x_validation[..., 0])]  # fmt: skip
    return dataclasses.replace(digits, x_train=x[0], x_validation=x[1])


IMAGES: dict[str, list[Any]] = {
    "flip": ["horizontal", "vertical", "both"],
    "rotation": [0.2],
    "zoom": [0.3],
    "translation": [0.3],
    "shear": [0.3],
    "crop": [0.3],
    "contrast": [0.5],
    "brightness": [0.5],
    "saturation": [0.5],
    "hue": [0.5],
    "grayscale": [0.6],
    "color_jitter": [{"brightness": 0.4}, {"contrast": 0.4}, {"saturation": 0.4, "hue": 0.4}],
    "rand_augment": [{}, {"operations": 3, "strength": 0.9}],
    "gaussian_noise": [0.1],
    "random_erasing": [{}, {"share": 0.9, "smallest": 0.1, "largest": 0.5}],
    "mixup": [0.4],
    "cutmix": [0.9],
}
TABLES: dict[str, list[Any]] = {"gaussian_noise": [0.3], "mixup": [0.4]}


def each(table: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    return [(name, value) for name, values in table.items() for value in values]


def test_every_augmentation_is_tested_below() -> None:
    assert [word.name for word in AUGMENTATIONS] == list(IMAGES)
    assert [word.name for word in TABLE_AUGMENTATIONS] == list(TABLES)


def changed(name: str, value: Any, data: Data, n: int = 32) -> tuple[Any, Any, Any, Any]:
    """What a training batch was and what it is in a compiled step: x, y before, x, y after."""
    made = layers({name: value}, data, seed=3)
    x, y = data.x_train[:n].astype(np.float32), keras.ops.one_hot(data.y_train[:n], 10).numpy()
    step = tf.function(lambda x, y: augmented(made, x, y), autograph=False)
    new_x, new_y = step(tf.constant(x), tf.constant(y))
    return x, y, new_x.numpy(), new_y.numpy()


@pytest.mark.parametrize(("name", "value"), each(IMAGES))
def test_an_augmentation_changes_images_within_their_range(name: str, value: Any) -> None:
    data = few_photos()
    x, y, new_x, new_y = changed(name, value, data)
    (layer,) = layers({name: value}, data, seed=3)
    kind = keras_object(next(word.target for word in AUGMENTATIONS if word.name == name))
    assert isinstance(layer, kind) or isinstance(getattr(layer, "crop", None), kind)
    assert (new_x.shape, new_x.dtype) == (x.shape, np.float32)
    assert (np.abs(new_x - x).reshape(len(x), -1).max(axis=1) > 1e-3).mean() > 0.2
    assert new_x.min() >= -1e-3
    assert new_x.max() <= data.maximum + 1e-3
    if mixes_labels({name: value}):
        assert (new_y != y).any()
        np.testing.assert_allclose(new_y.sum(axis=1), 1, rtol=1e-4)
    else:
        assert (new_y == y).all()
    if name == "flip":
        axes = {"horizontal": [2], "vertical": [1], "both": [1, 2]}[value]
        mirrored = [x, *(np.flip(x, axis) for axis in axes), np.flip(x, tuple(axes))]
        assert all(any((one == other[i]).all() for other in mirrored) for i, one in enumerate(new_x))


@pytest.mark.parametrize(("name", "value"), each(TABLES))
def test_an_augmentation_changes_rows_by_the_scale_of_their_features(name: str, value: Any) -> None:
    data = few_tumours()
    assert data.variance is not None
    x, _, new_x, _ = changed(name, value, data, n=120)
    assert (new_x != x).mean() > 0.9
    shifts = (new_x - x).std(axis=0) / np.sqrt(data.variance)
    assert shifts.min() > 0.05
    assert shifts.max() < 1.5
    if name == "gaussian_noise":
        np.testing.assert_allclose(shifts, 0.3, rtol=0.3)


def test_grey_images_keep_their_channel_in_all_that_is_not_about_colour() -> None:
    data = few_digits()
    for name in IMAGES.keys() - {"saturation", "hue", "grayscale", "color_jitter"}:
        x, _, new_x, _ = changed(name, IMAGES[name][0], data, n=8)
        assert new_x.shape == x.shape, name


def test_mixing_blends_the_labels_by_the_share_of_the_examples() -> None:
    data = few_tumours()
    (layer,) = layers({"mixup": 0.5}, data, seed=3)
    x = np.arange(32, dtype=np.float32)[:, None]
    new_x, new_y = augmented([layer], tf.constant(x), tf.constant(x[:, 0] * 10))
    np.testing.assert_allclose(new_y, new_x[:, 0] * 10, rtol=1e-4)


def test_the_same_seed_changes_alike_and_another_differs() -> None:
    data = few_photos()
    one, same, other = (
        augmented(layers({"rotation": 0.2}, data, seed), tf.constant(data.x_train[:4]), None)[0].numpy()
        for seed in (1, 1, 2)
    )
    assert (one == same).all()
    assert (one != other).any()


COLOUR = ("saturation", "hue", "grayscale")
TRIALS = [(name, IMAGE, few_photos if name in COLOUR else few_digits, {name: values[-1]}) for name, values in
          IMAGES.items() if name != "color_jitter"]  # fmt: skip
TRIALS += [
    ("color_jitter", IMAGE, few_photos, {"color_jitter": IMAGES["color_jitter"][2]}),
    *((name, TABULAR, few_tumours, {name: values[0]}) for name, values in TABLES.items()),
    ("both at once", IMAGE, few_digits, {"cutmix": 0.8, "gaussian_noise": 0.1}),
    ("of numbers", TABULAR, few_patients, {"mixup": 0.9}),
]


@cache
def trial(trainer: TrainerSpec, data: Callable[[], Data], augment: str) -> tuple[tuple[float, float], list[str]]:
    """The losses of an epoch in which nothing is learned, and the layers of the saved model."""
    with TemporaryDirectory() as folder:
        run = FakeRun(data(), Path(folder), epochs=1)
        words = {"augment": json.loads(augment), "learning_rate": 1e-12, "layers": [], "batch_size": 160}
        find.load(trainer, Path(folder))(words, run)
        return run.losses[0], [type(layer).__name__ for layer in keras.saving.load_model(run.kept[0]).layers]


@pytest.mark.parametrize(
    ("name", "trainer", "data", "augment"), TRIALS, ids=[f"{name}-{trainer.name}" for name, trainer, _, _ in TRIALS]
)
def test_an_augmentation_is_in_training_alone(
    name: str, trainer: TrainerSpec, data: Callable[[], Data], augment: dict[str, Any]
) -> None:
    (loss, held), _ = trial(trainer, data, "null")
    (changed, same), layers = trial(trainer, data, json.dumps(augment))
    assert changed != pytest.approx(loss, rel=1e-4)
    assert same == pytest.approx(held, rel=1e-5)
    assert not [kind for kind in layers if kind.startswith(("Random", "Mix", "Cut", "Rand", "GaussianNoise"))]


@pytest.mark.parametrize(
    ("augment", "data", "message"),
    [
        ({"flip": "both"}, few_tumours, "augment: flip is for images.*there is gaussian_noise, mixup"),
        ({"hue": 0.1, "mixup": 0.1}, few_digits, "augment: hue needs 3 channels; received 1"),
    ],
)
def test_what_the_data_cant_have_is_an_error(augment: Any, data: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        layers(augment, data(), 0)


def test_categories_get_no_noise_and_are_not_blended() -> None:
    plain = few_tumours()
    features = plain.x_train.shape[1]
    columns = tuple(Column(str(i), "number" if i else "category", () if i else ("a",)) for i in range(features))
    data = dataclasses.replace(plain, columns=columns)
    x, _, new_x, _ = changed("gaussian_noise", 0.5, data)
    assert (new_x[:, 0] == x[:, 0]).all()
    assert (new_x[:, 1:] != x[:, 1:]).mean() > 0.9
    with pytest.raises(DataError, match="mixup can't blend categories"):
        layers({"mixup": 0.2}, data, 0)


def test_a_strength_of_zero_adds_no_layer() -> None:
    assert layers({"rotation": 0.0, "flip": None, "mixup": 0}, few_digits(), 0) == []

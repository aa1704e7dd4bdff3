"""A ready-made network is fed as its weights want it, frozen as asked, and its weights come from where it says."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fake_run import IMAGE, FakeRun, few_digits
from keras.src.applications import efficientnet
from keras.src.legacy.saving import legacy_h5_format

from trainers import find
from trainers.data import DataError
from trainers.image import build
from trainers.training.optimizer import keras_object
from trainers.words.backbones import BACKBONES

SMALL = "mobilenet_v3_small"


def network(name: str, **options: Any) -> tuple[keras.Model, keras.Model]:
    """The image model on this network, without further blocks, and the network in it."""
    size = 80 if name in ("inception_v3", "xception") else 32
    made = build({"preprocessing": {"resize": size}, "backbone": {name: {"weights": "none", **options}}}, few_digits())
    (inner,) = [layer for layer in made.layers if isinstance(layer, keras.Model)]
    return made, inner


@pytest.mark.parametrize("word", BACKBONES, ids=[word.name for word in BACKBONES])
def test_every_network_exists_with_its_preprocessing(word: Any) -> None:
    function = keras_object(word.target)
    assert {"include_top", "weights", "input_shape"} <= inspect.signature(function).parameters.keys()
    assert callable(inspect.getmodule(function).preprocess_input)  # type: ignore[union-attr]


# A larger network of a family has the same kinds of layers and more of them: those that are built alone are its like.
FAMILIES = {
    "mobilenet": (),
    "mobilenet_v2": (),
    "mobilenet_v3_small": ("mobilenet_v3_large",),
    "efficientnet_b0": ("efficientnet_b1", "efficientnet_b2", "efficientnet_b3"),
    "efficientnet_v2_b0": ("efficientnet_v2_b1",),
    "efficientnet_v2_s": (),
    "resnet50": ("resnet101",),
    "resnet50_v2": ("resnet101_v2",),
    "convnext_tiny": ("convnext_small",),
    "densenet121": (),
    "inception_v3": (),
    "xception": (),
    "vgg16": (),
}


SEEN: dict[str, set[str]] = {}  # each network is built once


def kinds(name: str, inner: keras.Model | None = None) -> set[str]:
    """The kinds of layers that a network has."""
    if name not in SEEN:
        SEEN[name] = {type(layer).__name__ for layer in (inner or network(name)[1]).layers}
    return SEEN[name]


@pytest.mark.parametrize("word", BACKBONES, ids=[word.name for word in BACKBONES])
def test_every_network_is_built_and_the_first_of_its_family_loads_again(word: Any, tmp_path: Path) -> None:
    (family,) = [first for first, others in FAMILIES.items() if word.name in (first, *others)]
    made, inner = network(word.name)
    assert inner.count_params() > 1e5
    assert kinds(word.name, inner) == kinds(family)
    if word.name != family:
        return
    made.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = few_digits().x_train[:2]
    np.testing.assert_allclose(loaded(x, training=False), made(x, training=False), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", [SMALL, "vgg16", "mobilenet"])
def test_images_come_as_the_network_was_trained_on(name: str) -> None:
    made, inner = network(name)
    x = few_digits().x_train[:2]
    fed = keras.Model(made.input, inner._inbound_nodes[-1].arguments.args[0])(x).numpy()
    pixels = keras.ops.image.resize(x, (32, 32)).numpy().repeat(3, axis=-1) * 255 / 16
    function = keras_object(next(word.target for word in BACKBONES if word.name == name))
    expected = inspect.getmodule(function).preprocess_input(pixels.copy())  # type: ignore[union-attr]
    np.testing.assert_allclose(fed, expected, atol=1e-2)


def test_layers_ahead_of_trainable_from_are_frozen_and_random_weights_are_all_trained() -> None:
    _, whole = network(SMALL)
    assert all(layer.trainable for layer in whole.layers)
    _, part = network(SMALL, trainable_from=100)
    assert [layer.trainable for layer in part.layers] == [number >= 100 for number in range(len(part.layers))]


def test_pool_and_dropout_stand_behind_the_network() -> None:
    made, _ = network(SMALL, pool="max", dropout=0.3)
    kinds = [type(layer).__name__ for layer in made.layers]
    assert kinds[-4:] == ["GlobalMaxPooling2D", "Dropout", "Flatten", "Dense"] or kinds[-3:] == [
        "GlobalMaxPooling2D",
        "Dropout",
        "Dense",
    ]


def test_convolutions_behind_the_network_take_its_maps() -> None:
    of_maps, of_vectors = (
        build(
            {"preprocessing": {"resize": 64}, "backbone": {SMALL: {"weights": "none"}}, "layers": layers}, few_digits()
        )
        for layers in ([None, {"residual": {"filters": 4}}, {"filters": 6}], [{"dense": {"units": 6}}, None])
    )
    convolutions = [layer for layer in of_maps.layers if isinstance(layer, keras.layers.Conv2D)]
    assert convolutions[0].input.shape[1:3] == (2, 2)
    assert "GlobalAveragePooling2D" in [type(layer).__name__ for layer in of_vectors.layers]
    assert of_maps(few_digits().x_train[:3]).shape == of_vectors(few_digits().x_train[:3]).shape == (3, 10)


def test_given_weights_are_frozen_keep_their_statistics_and_come_from_a_file_beside_the_space(tmp_path: Path) -> None:
    _, inner = network(SMALL)
    inner.save_weights(tmp_path / "own.weights.h5")
    params = {
        "preprocessing": {"resize": 32},
        "backbone": {SMALL: {"weights": "own.weights.h5"}},
        "learning_rate": 0.01,
        "batch_size": 160,
    }
    run = FakeRun(few_digits(), tmp_path, epochs=1)
    find.load(IMAGE, tmp_path)(params, run)
    (trained,) = [layer for layer in keras.saving.load_model(run.kept[0]).layers if isinstance(layer, keras.Model)]
    for kept, given in zip(trained.weights, inner.weights, strict=True):
        np.testing.assert_array_equal(kept, given, err_msg=given.path)
    assert not trained.trainable_weights


def test_a_downloaded_file_is_used_like_a_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import h5py

    source = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(32, 32, 3))
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, source)
    monkeypatch.setattr(efficientnet.file_utils, "get_file", lambda *_, **__: str(tmp_path / "weights.h5"))
    x = few_digits().x_train[:2].repeat(16, axis=1).repeat(16, axis=2).repeat(3, axis=3)
    stems = []
    for weights in ("imagenet", "weights.h5"):
        params = {"preprocessing": {"resize": 32}, "backbone": {"efficientnet_b0": {"weights": weights}}}
        made = build(params, few_digits(), tmp_path)
        (inner,) = [layer for layer in made.layers if isinstance(layer, keras.Model)]
        stems.append(keras.Model(inner.input, inner.get_layer("stem_conv").output)(x[:, :32, :32]).numpy())
    np.testing.assert_allclose(stems[0], stems[1], rtol=1e-4, atol=1e-6)


def test_weights_that_cant_be_had_are_told_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: Any, **__: Any) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(efficientnet.file_utils, "get_file", no_network)
    cases = {
        "imagenet": r"couldn't be downloaded \(no route to host\)\. Without a network.*weights: path/to/file\.h5",
        "nowhere.h5": r"no such file of weights: .*nowhere\.h5; expected imagenet, none or a local file",
        "broken.h5": r"broken\.h5 doesn't hold its weights",
    }
    (tmp_path / "broken.h5").write_text("no weights")
    for weights, message in cases.items():
        params = {"preprocessing": {"resize": 32}, "backbone": {"efficientnet_b0": {"weights": weights}}}
        with pytest.raises(DataError, match=message):
            build(params, few_digits(), tmp_path)


def test_images_that_are_too_small_are_told_with_the_way_out() -> None:
    with pytest.raises(DataError, match=r"can't take images of shape \(8, 8, 3\).*preprocessing: \{resize: 96\}"):
        build({"backbone": {SMALL: {"weights": "none"}}}, few_digits())

"""Every word of training does what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import pytest
from fake_run import IMAGE, TABULAR, FakeRun, few_digits, few_tumours

from trainers import find
from trainers.contract import Diverged
from trainers.words.reading import one_word
from trainers.words.schedules import SCHEDULE
from trainers.words.training import PRECISIONS


def names(table: tuple[Any, ...]) -> list[str]:
    return [word.name for word in table]


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


def test_one_word_is_read_as_text_or_as_a_map_and_another_is_refused() -> None:
    assert one_word(SCHEDULE, "cosine")[1] == {"warmup": 0.0, "final": 0.0}
    assert one_word(SCHEDULE, {"cosine": {"final": 0.5}})[1] == {"warmup": 0.0, "final": 0.5}
    assert one_word(SCHEDULE, {"cosine": None})[0].name == "cosine"
    with pytest.raises(ValueError, match="received 'cosin'; expected one of constant, cosine"):
        one_word(SCHEDULE, "cosin")

"""Trials whose layers are of different widths share programs, where nothing in them asks how wide it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fake_run import FakeRun, few_digits, few_rows, few_tumours
from test_one_vector import ELEMENTWISE
from test_programs import structure, times_traced

from trainers import image
from trainers.contract import TrialOver
from trainers.data import Data, placing
from trainers.data.data import Raw
from trainers.data.loading import prepared
from trainers.training import structure as structures
from trainers.training import train, widths
from trainers.training.programs import programs

NARROW, WIDE = (3, 4), (5, 2)


@cache
def few_volumes() -> Data:
    random = np.random.default_rng(0)
    return prepared(Raw(random.normal(size=(100, 4, 4, 4, 1)), np.arange(100) % 2), 0.2, 0)


DATA: dict[int, Callable[[], Data]] = {0: few_tumours, 1: few_rows, 2: few_digits, 3: few_volumes}


def between(rank: int, *kinds: Callable[[], Any]) -> Callable[[Any, Data], keras.Model]:
    """The build of a model with a wide layer, layers of these kinds, and another wide layer."""

    def build(params: Any, data: Data) -> keras.Model:
        first, second = params["widths"]
        inputs = keras.Input(data.input_shape)
        x = wide(rank, first)(inputs)
        for kind in kinds:
            x = kind()([x, x] if kind is keras.layers.Add else x)
        x = wide(len(x.shape) - 2, second)(x)
        return keras.Model(inputs, keras.layers.Dense(data.classes or 1)(keras.layers.Flatten()(x)))

    return build


def wide(rank: int, width: int) -> Any:
    if rank == 0:
        return keras.layers.Dense(width, activation="tanh")
    return getattr(keras.layers, f"Conv{rank}D")(width, 2, padding="same", activation="tanh")


def trained(build: Any, params: dict[str, Any], data: Data, folder: Path, seed: int = 2) -> Any:
    """The metrics of a trial's epochs, and the variables of its saved model."""
    folder.mkdir(exist_ok=True)
    run = FakeRun(data, folder, epochs=2, seed=seed)
    train.fit(build, {"batch_size": 32, "learning_rate": 0.01, **params}, run)
    reports = [{name: value for name, value in report.items() if name != "seconds"} for _, report in run.reports]
    model = keras.saving.load_model(run.kept[0])
    return reports, [variable.numpy() for variable in (*model.variables, *model.optimizer.variables)]


def compare(build: Any, data: Data, folder: Path, monkeypatch: pytest.MonkeyPatch, **params: Any) -> None:
    """A trial is the same with a program that another width has used as with a new one, and as with one of its own."""
    programs.cache_clear()
    trained(build, {**params, "widths": NARROW}, data, folder / "first", seed=1)
    reused = trained(build, {**params, "widths": WIDE}, data, folder / "reused")
    assert times_traced(data) == 1
    programs.cache_clear()
    fresh = trained(build, {**params, "widths": WIDE}, data, folder / "fresh")
    programs.cache_clear()
    monkeypatch.setattr(structures, "widths", lambda model, optimizer: widths.Widths())
    closed = trained(build, {**params, "widths": WIDE}, data, folder / "closed")
    assert reused[0] == fresh[0]
    near = 3e-2 if "precision" in params else 1e-3  # half precision may guess one example otherwise
    for mine, new, own in zip(reused[1], fresh[1], closed[1], strict=True):
        np.testing.assert_array_equal(mine, new)
        np.testing.assert_allclose(mine, own, rtol=1e-2, atol=near)
    for mine, own in zip(reused[0], closed[0], strict=True):
        assert mine == pytest.approx(own, rel=near if "precision" in params else 1e-5)


def layer(name: str) -> Callable[[], Any]:
    kind = getattr(keras.layers, name)
    if name == "Activation":
        return lambda: kind("relu")
    if "Dropout" in name:
        return lambda: kind(0.3)
    return (lambda: kind(2)) if name.startswith(("Max", "Average")) else kind


def rank_of(name: str) -> int:
    return int(name[-2]) if name[-1] == "D" else 2


@pytest.mark.parametrize("name", widths.FOLLOWING)
def test_a_layer_that_never_asks_how_wide_its_input_is(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rank = rank_of(name)
    compare(between(rank, layer(name)), DATA[rank](), tmp_path, monkeypatch)


def test_the_layers_of_the_table_are_all_tried() -> None:
    assert {*widths.WIDE} == {"Dense", *(f"Conv{rank}D" for rank in DATA if rank)}
    assert {rank_of(name) for name in widths.FOLLOWING} == {1, 2, 3}


def test_dense_layers_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compare(between(0, layer("BatchNormalization")), few_tumours(), tmp_path, monkeypatch)


@pytest.mark.parametrize("name", widths.ACTIVATIONS)
def test_an_activation_that_never_asks(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = between(0, lambda: keras.layers.Dense(4, activation=name), lambda: keras.layers.Activation(name))
    compare(build, few_tumours(), tmp_path, monkeypatch)


@pytest.mark.parametrize(
    "params",
    [
        *({"optimizer": word.name, "weight_decay": 0.01} for word in ELEMENTWISE),
        {"optimizer": {"adam": {"amsgrad": True}}},
        {"optimizer": {"sgd": {"momentum": 0.9, "nesterov": True}}, "clipnorm": 1.0},
        {"optimizer": {"rmsprop": {"momentum": 0.9, "centered": True}}, "global_clipnorm": 1.0},
        {"ema": {"momentum": 0.5}},
        {"precision": "mixed_bfloat16"},
        {"label_smoothing": 0.1, "class_weight": "balanced"},
    ],
    ids=str,
)
def test_whatever_else_a_trial_has(params: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = between(2, layer("BatchNormalization"), layer("Dropout"))
    compare(build, few_digits(), tmp_path, monkeypatch, **params)


def test_streams_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "LARGEST_IN_MEMORY", 0)
    compare(between(2), few_digits(), tmp_path, monkeypatch)


def test_the_built_in_trainers_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(params: Any, data: Data) -> keras.Model:
        first, second = params["widths"]
        blocks = [{"filters": first, "normalization": "batch"}, {"residual": {"filters": second}}]
        return image.build({"layers": blocks, "dense": [{"units": first, "dropout": 0.2}]}, data)

    compare(build, few_digits(), tmp_path, monkeypatch)


def test_a_trial_goes_on_from_its_checkpoint_with_a_program_of_another_width(tmp_path: Path) -> None:
    build, params = between(2, layer("Dropout")), {"learning_rate": 0.01, "batch_size": 32}
    whole, first, second = (FakeRun(few_digits(), tmp_path / name, epochs=4) for name in ("whole", "halves", "halves"))
    whole.folder.mkdir()
    first.folder.mkdir()
    first.over_at = 2
    train.fit(build, {**params, "widths": WIDE}, whole)
    with pytest.raises(TrialOver):
        train.fit(build, {**params, "widths": WIDE}, first)
    programs.cache_clear()
    trained(build, {"widths": NARROW}, few_digits(), tmp_path / "other")
    train.fit(build, {**params, "widths": WIDE}, second)
    assert second.losses == whole.losses[1:]


def test_costs_are_those_of_the_trials_own_model(tmp_path: Path) -> None:
    found = []
    for number, pair in enumerate((NARROW, WIDE)):
        run = FakeRun(few_digits(), tmp_path / str(number), epochs=1)
        run.folder.mkdir()
        run.constraints = ("flops", "parameters")
        train.fit(between(2), {"widths": pair}, run)
        first, second = pair
        assert run.costs["parameters"] == (4 * first + first) + (4 * first * second + second) + 64 * second * 10 + 10
        found.append(run.costs["flops"])
        assert found[-1] > 2 * 64 * (4 * first + 4 * first * second + 10 * second)  # multiplications and additions
    assert found[0] != found[1]


def shared(params: Any, data: Data) -> keras.Model:
    inputs, width = keras.Input(data.input_shape), params["widths"][0]
    square = keras.layers.Dense(width)
    x = square(square(keras.layers.Dense(width)(inputs)))
    return keras.Model(inputs, keras.layers.Dense(2)(x))


CLOSED: Sequence[tuple[str, Any, dict[str, Any]]] = [
    ("a layer that gives a shape", between(2, lambda: keras.layers.Reshape((1, -1, 4))), {}),
    ("groups", between(2, lambda: keras.layers.GroupNormalization(1)), {}),
    ("a dilation", between(2, lambda: keras.layers.Conv2D(15, 1, dilation_rate=2)), {}),
    ("a norm that asks", between(2, lambda: keras.layers.LayerNormalization()), {}),
    (
        "a penalty that asks",
        between(2, lambda: keras.layers.Conv2D(15, 1, kernel_regularizer="orthogonal_regularizer")),
        {},
    ),
    ("a constraint", between(2, lambda: keras.layers.Conv2D(15, 1, kernel_constraint="max_norm")), {}),
    ("a layer called twice", shared, {}),
    ("an optimizer that asks", between(2), {"optimizer": "muon"}),
    ("gradients that are added up", between(2), {"gradient_accumulation_steps": 2}),
]


@pytest.mark.parametrize(("build", "params"), [case[1:] for case in CLOSED], ids=[case[0] for case in CLOSED])
def test_what_might_ask_shares_nothing_with_other_widths(build: Any, params: dict[str, Any]) -> None:
    data = few_tumours() if build is shared else few_digits()
    narrow, wider = (structure(build, {**params, "widths": (width, 4)}, data) for width in (NARROW[0], WIDE[0]))
    assert narrow is not None
    assert narrow != wider


def test_the_width_of_the_output_and_of_what_a_closed_layer_takes_is_part_of_a_structure() -> None:
    def build(params: Any, data: Data) -> keras.Model:
        inputs = keras.Input(data.input_shape)
        x = keras.layers.Dense(params["first"])(inputs)
        x = keras.layers.Dropout(0.5)(keras.layers.Dense(params["second"])(x))
        x = keras.layers.PReLU()(x)  # has a weight for each number
        return keras.Model(inputs, keras.layers.Dense(params["last"])(keras.layers.Dense(params["third"])(x)))

    plain = {"first": 3, "second": 4, "third": 5, "last": 2}
    expected = structure(build, plain, few_tumours())
    for name in plain:
        other = structure(build, {**plain, name: 6}, few_tumours())
        assert (other == expected) == (name in ("first", "third"))


def test_a_sequential_model_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(params: Any, data: Data) -> keras.Model:
        first, second = params["widths"]
        layers = [keras.layers.Dense(first, "relu"), keras.layers.Dropout(0.1), keras.layers.Dense(second, "relu")]
        return keras.Sequential([keras.Input(data.input_shape), *layers, keras.layers.Dense(2)])

    compare(build, few_tumours(), tmp_path, monkeypatch)


def test_a_model_with_a_step_of_its_own_may_ask_its_layers_anything(tmp_path: Path) -> None:
    asked: list[Any] = []

    class Asking(keras.Model):
        def train_step(self, data: Any) -> Any:
            asked.append((self.layers[1].units, *self.layers[1].kernel.shape))
            return super().train_step(data)

    def build(params: Any, data: Data) -> keras.Model:
        inputs = keras.Input(data.input_shape)
        return Asking(inputs, keras.layers.Dense(2)(keras.layers.Dense(3)(inputs)))

    train.fit(build, {}, FakeRun(few_tumours(), tmp_path, epochs=1))
    assert asked
    assert {*asked} == {(3, 30, 3)}

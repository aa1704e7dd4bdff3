"""Whoever is named in the file is found, or it is said why not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import pytest
from fake_run import IMAGE, NOWHERE, TABULAR, FakeRun, few_digits, few_tumours

from spaces.spec import TrainerSpec
from trainers import find
from trainers.find import FindError
from trainers.training import checkpoint
from trainers.training.compiling import goal
from trainers.words.reading import read
from trainers.words.training import OPTIONS


def loop(name: str) -> TrainerSpec:
    return TrainerSpec("loop", name, NOWHERE)


def test_a_function_in_a_file_is_loaded_with_its_neighbours_importable_later(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "neighbour_of_train.py").write_text("VALUE = 3")
    (tmp_path / "sub" / "train.py").write_text(
        "def train(params, run):\n    import neighbour_of_train\n    return {'loss': neighbour_of_train.VALUE}\n"
    )
    train = find.load(loop("sub/train.py:train"), tmp_path)
    assert train({}, FakeRun(few_digits(), tmp_path)) == {"loss": 3}


def test_two_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.py").write_text(f"def train(params, run): return {{'loss': '{name}'}}")
    found = [find.load(loop(f"{name}/train.py:train"), tmp_path) for name in ("a", "b")]
    run: Any = None
    assert [train({}, run)["loss"] for train in found] == ["a", "b"]


def test_a_function_in_a_module_beside_the_file_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "package_of_mine").mkdir()
    (tmp_path / "package_of_mine" / "loops.py").write_text("def train(params, run): return {'loss': 1}")
    assert find.load(loop("package_of_mine.loops:train"), tmp_path)({}, None) == {"loss": 1}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("loop", "trian.py:train", r"no file .*trian.py; did you mean 'train.py'"),
        ("loop", "train.py:trian", "train.py has no function 'trian'; did you mean 'train'"),
        ("loop", "train.py:NUMBER", "'NUMBER' is a int; expected a function"),
        ("loop", "train.py:one", r"received one\(params\); expected one\(params, run\)"),
        ("model", "train.py:one", r"received one\(params\); expected one\(params, data\)"),
        ("loop", "train.py", "expected file.py:function or module:function"),
        ("loop", "broken.py:train", r"failed while being imported, at .*broken.py:2: value = 1 / 0\n  ZeroDivision"),
        ("loop", "half.py:train", r"failed while being imported, at .*half.py:1\n  SyntaxError"),
        ("loop", "missing.py:train", r"at .*missing.py:1: import nowhere_to_be_found\n  ModuleNotFoundError"),
        ("loop", "no_such_module:train", r"no module 'no_such_module' in .*write a path to a file"),
        ("loop", "missing:train", r"missing:train: failed while being imported, at .*missing.py:1"),
        ("builtin", "imgae", "no built-in trainer 'imgae'; did you mean 'image'"),
    ],
)
def test_a_function_that_cant_be_had_is_told(
    tmp_path: Path, kind: Literal["builtin", "model", "loop"], name: str, message: str
) -> None:
    (tmp_path / "train.py").write_text(
        "NUMBER = 3\ndef train(params, run): return {}\ndef one(params): return {}\n",
    )
    (tmp_path / "broken.py").write_text("\nvalue = 1 / 0\n")
    (tmp_path / "half.py").write_text("def train(\n")
    (tmp_path / "missing.py").write_text("import nowhere_to_be_found\n")
    with pytest.raises(FindError, match=message):
        find.load(TrainerSpec(kind, name, NOWHERE), tmp_path)


def own(folder: Path, code: str) -> TrainerSpec:
    (folder / "net.py").write_text("import keras\nlayers = keras.layers\n" + code)
    return TrainerSpec("model", "net.py:build", NOWHERE)


def net(last: str) -> str:
    return f"""
def build(params, data):
    return keras.Sequential([keras.Input(data.input_shape), layers.Flatten(), layers.Dense(8, "relu"), {last}])
"""


SUBCLASS = """
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.last = layers.Dense(2, activation="softmax")
        self.first = layers.Dense(8, activation="relu")
    def call(self, x):
        return self.last(self.first((x - self.mean) / self.deviation))
def build(params, data):
    net = Net()
    net.mean, net.deviation = data.mean, data.variance**0.5
    return net
"""


@pytest.mark.parametrize(
    "code",
    [
        net("layers.Dense(2)"),
        net('layers.Dense(2, activation="softmax")'),
        net("layers.Dense(2), layers.Softmax()"),
        net("layers.Dense(1)"),
        net('layers.Dense(1, activation="sigmoid")'),
        net("layers.Dense(1), layers.Reshape(())"),
        SUBCLASS,
    ],
    ids=["logits", "softmax", "softmax layer", "one logit", "sigmoid", "flat logit", "subclass"],
)
def test_a_model_of_ones_own_may_give_logits_or_probabilities(tmp_path: Path, code: str) -> None:
    run = FakeRun(few_tumours(), tmp_path, epochs=4)
    normalized = code.replace("layers.Flatten()", "layers.Normalization(mean=data.mean, variance=data.variance)")
    find.load(own(tmp_path, normalized), tmp_path)({"learning_rate": 0.02}, run)
    assert run.reports[-1][1]["accuracy"] > 0.85
    assert run.losses[-1][0] < 0.5


@pytest.mark.parametrize(("last", "right"), [("layers.Dense(1)", 1.0), ('layers.Dense(1, activation="sigmoid")', 0.0)])
def test_one_output_means_yes_above_a_logit_of_0_or_a_probability_of_one_half(last: str, right: float) -> None:
    scope: dict[str, Any] = {"keras": keras, "layers": keras.layers}
    exec(net(last), scope)
    aim = goal(scope["build"]({}, few_tumours()), few_tumours(), read(OPTIONS, {}))
    aim.metrics[0].update_state(np.ones(4), np.full((4, 1), 0.3))
    assert float(aim.metrics[0].result()) == right


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (net("layers.Dense(3)"), r"output has shape \(n, 3\); expected \(n, 10\) for classification into 10 classes"),
        ("def build(params, data): return 3", "returned a int; expected a keras.Model"),
        ("def build(params, data): return params['units']", "units"),
    ],
)
def test_a_model_that_doesnt_fit_is_told(tmp_path: Path, code: str, message: str) -> None:
    with pytest.raises((TypeError, ValueError, KeyError), match=message):
        find.load(own(tmp_path, code), tmp_path)({}, FakeRun(few_digits(), tmp_path))


OWN_STEP = """
class Net(keras.Model):
    def train_step(self, data):
        type(self).steps += 1
        return super().train_step(data)
Net.steps = 0
def build(params, data):
    inputs = keras.Input(data.input_shape)
    return Net(inputs, layers.Dense(10)(layers.Flatten()(inputs)))
"""


def test_a_models_own_train_step_is_used_with_augmentation_too(tmp_path: Path) -> None:
    spec = own(tmp_path, OWN_STEP)
    find.load(spec, tmp_path)({"augment": {"flip": "both"}}, FakeRun(few_digits(), tmp_path, epochs=1))
    path = str(tmp_path / "net.py")
    (module,) = (module for module in list(sys.modules.values()) if getattr(module, "__file__", "") == path)
    assert module.Net.steps > 0


def test_a_checkpoint_of_another_model_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "FIRST", 0)
    train = find.load(IMAGE, tmp_path)
    train({"layers": []}, FakeRun(few_digits(), tmp_path, epochs=1))
    run = FakeRun(few_digits(), tmp_path, epochs=1)
    train({"layers": [], "dense": [{"units": 3}]}, run)
    assert [epoch for epoch, _ in run.reports] == [1]
    assert "of another model" in caplog.text


def test_a_trial_that_died_before_it_was_recorded_ends_alike_and_is_kept_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "FIRST", 0)
    train = find.load(IMAGE, tmp_path)
    runs = [FakeRun(few_digits(), tmp_path, epochs=2) for _ in range(2)]
    results = [dict(train({"layers": []}, run)) for run in runs]
    assert runs[1].reports[0] in runs[0].reports
    assert [epoch for epoch, _ in runs[1].reports][-1] == 2
    assert len(runs[1].kept) == 1
    for result in results:
        result.pop("seconds")
    assert results[0] == results[1]


def test_building_alone_tells_the_size_and_trains_nothing(tmp_path: Path) -> None:
    preview = find.build_only(IMAGE, tmp_path, {"layers": [], "batch_size": 7, "optimizer": "sgd"}, few_digits())
    assert preview is not None
    assert preview.parameters == 64 * 10 + 10
    assert preview.summary == "Rescaling > Flatten > Dense; 650 parameters; sgd, batches of 7"
    (tmp_path / "train.py").write_text("def train(params, run): return {}")
    assert find.build_only(loop("train.py:train"), tmp_path, {}, few_digits()) is None


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "def build(params, data):\n    return params['units']",
            r"model, at .*net.py:4: return params\['units'\]\n  KeyError",
        ),
        (net("layers.Dense(3)"), r"model, with ValueError: the model's output has shape \(n, 3\)"),
        (
            "import sys\n\n\ndef build(params, data):\n    sys.exit(3)",
            r"net.py:build: called sys.exit\(3\) while building",
        ),
        (net("layers.Dens(3)"), r"model, at .*net.py:5: .*\n  AttributeError"),
    ],
)
def test_a_build_that_fails_is_told_with_the_users_own_line(tmp_path: Path, code: str, message: str) -> None:
    with pytest.raises(FindError, match=message):
        find.build_only(own(tmp_path, code), tmp_path, {}, few_digits())


@pytest.mark.parametrize(("trainer", "data"), [(IMAGE, few_tumours), (TABULAR, few_digits)])
def test_a_built_in_trainer_refuses_data_of_another_form(trainer: TrainerSpec, data: Any, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="write trainer: "):
        find.build_only(trainer, tmp_path, {}, data())


def test_trials_of_other_widths_give_tensorflow_no_new_shapes_to_keep_kernels_for(tmp_path: Path) -> None:
    def shapes(trainer: TrainerSpec, width: int) -> set[str]:
        """Return the shapes of a model's variables as TensorFlow knows them."""
        model = find._build(trainer, tmp_path)({"dense": [{"units": width}], "width": width}, few_digits())
        return {str(variable.value.shape) for variable in model.variables}

    built_in = TrainerSpec("builtin", "image", NOWHERE)
    assert shapes(built_in, 17) == shapes(built_in, 18)
    users = own(tmp_path, net("layers.Dense(params['width']), layers.Dense(10)"))
    assert shapes(users, 17) != shapes(users, 18)  # its layers may ask TensorFlow for their shapes

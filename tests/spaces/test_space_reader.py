"""What a right file says, and what happens to files that can't even be opened."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from spaces.errors import Place, SpaceError
from spaces.parameters import Branches, Choice, Fixed, Float, Int, Map, Optional, Repeat, names
from spaces.reader import LARGEST_FILE, parse, read
from spaces.spec import AlgorithmSpec, Budget, Constraint, DataSpec, Objective, TrainerSpec
from spaces.writer import dump

NOWHERE = Place("", 1, 1)
TEXT = """\
study: digits-cnn
trainer: image
data: {source: digits, validation: 0.3}
objective: {maximize: val_accuracy}
budget: {trials: 60, epochs: 20, time: 2h}
algorithm: {sampler: {tpe: {n_startup_trials: 20}}, pruner: hyperband, seed: 7}
space:
  optimizer:
    choice:
      adam: {beta_1: {float: [0.8, 0.99]}}
      rmsprop:
    prior: adam
  learning_rate: {float: [1e-5, 1e-1], log: true, prior: 1e-3}
  augment: {optional: {flip: horizontal, zoom: {float: [0, 1], step: 0.25}}}
  dropout: {optional: {float: [0.1, 0.5]}, prior: false}
  layers: {repeat: [1, 2], each: {filters: {int: [16, 128], log: true}}, prior: 2}
  kernel: {choice: [[3, 3], [5, 5]], prior: [5, 5]}
  shape: {const: [8, 8]}
"""


def minimal(**sections: str) -> str:
    lines = {
        "trainer": "image",
        "data": "{source: digits}",
        "objective": "{maximize: a}",
        "budget": "{trials: 5}",
        "space": "{a: {choice: [1, 2]}}",
    }
    return "".join(f"{key}: {value}\n" for key, value in (lines | sections).items() if value)


def test_every_form_of_the_format_is_read() -> None:
    spec = parse(TEXT, "digits.yaml", Path("/somewhere"))
    assert (spec.study, spec.file, spec.folder, spec.text) == ("digits-cnn", "digits.yaml", Path("/somewhere"), TEXT)
    assert spec.trainer == TrainerSpec("builtin", "image", NOWHERE)
    assert spec.data == DataSpec("set", "digits", NOWHERE, 0.3, {})
    assert spec.objectives == (Objective("maximize", "val_accuracy"),)
    assert spec.budget == Budget(60, 20, 7200.0, None)
    options = Map({"n_startup_trials": Fixed(20, NOWHERE)}, NOWHERE, {})
    assert spec.algorithm == AlgorithmSpec(Map({"tpe": options}, NOWHERE, {}), Fixed("hyperband", NOWHERE), 7)
    assert spec.space.items == {
        "optimizer": Branches(
            {"adam": Map({"beta_1": Float(0.8, 0.99, NOWHERE)}, NOWHERE, {}), "rmsprop": Map({}, NOWHERE, {})},
            NOWHERE,
            {},
            "adam",
        ),
        "learning_rate": Float(1e-5, 1e-1, NOWHERE, log=True, prior=1e-3),
        "augment": Optional(
            Map({"flip": Fixed("horizontal", NOWHERE), "zoom": Float(0.0, 1.0, NOWHERE, step=0.25)}, NOWHERE, {}),
            NOWHERE,
        ),
        "dropout": Optional(Float(0.1, 0.5, NOWHERE), NOWHERE, False),
        "layers": Repeat(1, 2, Map({"filters": Int(16, 128, NOWHERE, log=True)}, NOWHERE, {}), NOWHERE, 2),
        "kernel": Choice(("[3, 3]", "[5, 5]"), ([3, 3], [5, 5]), NOWHERE, (), "[5, 5]", True),
        "shape": Fixed([8, 8], NOWHERE),
    }
    assert names(spec.space) == (
        "optimizer",
        "optimizer.adam.beta_1",
        "learning_rate",
        "augment",
        "augment.zoom",
        "dropout",
        "dropout.value",
        "layers.n",
        "layers.0.filters",
        "layers.1.filters",
        "kernel",
    )


def test_nodes_know_their_place() -> None:
    space = parse(TEXT, "digits.yaml", Path(".")).space
    rate, kernel = space.items["learning_rate"], space.items["kernel"]
    assert isinstance(kernel, Choice)
    assert (rate.place.line, rate.place.column) == (13, 18)
    assert (space.places["learning_rate"].line, space.places["learning_rate"].column) == (13, 3)
    assert [place.column for place in kernel.places] == [21, 29]
    assert rate.place.text == TEXT.splitlines()[12]


def test_columns_count_characters_also_after_wide_ones_and_other_line_breaks() -> None:
    text = minimal(space='{a: "日本𝒳\u2028", b: [1]}').replace("\n", "\r\n")
    with pytest.raises(SpaceError) as caught:
        parse(text, "s.yaml", Path("."))
    assert str(caught.value).startswith("s.yaml:5:23: b: a list")


def test_what_is_left_out_has_its_default() -> None:
    spec = parse(minimal(), "spaces/my study.yaml", Path("."))
    assert spec.study == "my study"
    assert spec.data == DataSpec("set", "digits", NOWHERE, 0.2, {})
    assert spec.budget == Budget(5, 10, None, None)
    assert spec.algorithm == AlgorithmSpec(None, None, None)


@pytest.mark.parametrize(
    ("line", "kind", "name"),
    [
        ("trainer: image", "builtin", "image"),
        ("trainer: train.py:train", "loop", "train.py:train"),
        ("trainer: ../code/my train.py:train", "loop", "../code/my train.py:train"),
        ("trainer: my_package.loops:train", "loop", "my_package.loops:train"),
        ("model: net.py:build", "model", "net.py:build"),
        ("model: my_package.net:build", "model", "my_package.net:build"),
    ],
)
def test_trainer_is_a_word_a_loop_or_a_model(line: str, kind: str, name: str) -> None:
    spec = parse(line + "\n" + minimal(trainer=""), "s.yaml", Path("."))
    assert (spec.trainer.kind, spec.trainer.name) == (kind, name)


def test_a_loop_needs_no_data() -> None:
    assert parse(minimal(trainer="a.py:train", data=""), "s.yaml", Path(".")).data is None


@pytest.mark.parametrize(
    ("data", "kind", "location", "options"),
    [
        ("{source: digits}", "set", "digits", {}),
        ("{source: data.py:load, task: regression}", "function", "data.py:load", {"task": "regression"}),
        ("{npz: a b.npz, x: images, y: labels}", "npz", "a b.npz", {"x": "images", "y": "labels"}),
        ("{keras: cifar10}", "keras", "cifar10", {}),
        ("{images: folder, size: [32, 48], channels: 1}", "images", "folder", {"size": [32, 48], "channels": 1}),
        (
            "{csv: a.csv, label: y, categorical: [a], ignore: [], separator: ';'}",
            "csv",
            "a.csv",
            {"label": "y", "separator": ";", "categorical": ["a"], "ignore": []},
        ),
    ],
)
def test_data_comes_from_one_source_with_its_own_options(
    data: str, kind: str, location: str, options: dict[str, Any]
) -> None:
    spec = parse(minimal(data=data), "s.yaml", Path(".")).data
    assert spec is not None
    assert (spec.kind, spec.location, dict(spec.options)) == (kind, location, options)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2h", 7200), ("90m", 5400), ("30s", 30), ("1h30m", 5400), ("1.5h", 5400), ("1d", 86400), ("45", 45)],
)
def test_time_is_read_as_seconds(text: str, seconds: float) -> None:
    budget = parse(minimal(budget=f"{{trials: 1, time: {text}, trial_time: {text}}}"), "s.yaml", Path(".")).budget
    assert (budget.time, budget.trial_time) == (seconds, seconds)


def test_several_objectives_keep_their_order() -> None:
    spec = parse(minimal(objective="[{maximize: accuracy}, {minimize: size}]"), "s.yaml", Path("."))
    assert spec.objectives == (Objective("maximize", "accuracy"), Objective("minimize", "size"))


def test_constraints_keep_the_ends_of_each_metric() -> None:
    text = minimal() + "constraints: {size: {max: 100000}, val_f1: {min: 0.5, max: .9}}\n"
    spec = parse(text, "s.yaml", Path("."))
    assert spec.constraints == (Constraint("size", None, 100000, NOWHERE), Constraint("val_f1", 0.5, 0.9, NOWHERE))
    assert "constraints: {size: {max: 100000}, val_f1: {min: 0.5, max: 0.9}}\n" in dump(spec)
    assert parse(minimal(), "s.yaml", Path(".")).constraints == ()


def test_one_trial_of_a_fixed_space_is_a_study() -> None:
    assert names(parse(minimal(budget="{trials: 1}", space="{a: 1}"), "s.yaml", Path(".")).space) == ()


def test_alias_repeats_a_value() -> None:
    space = parse(minimal(space="{a: &range {float: [0, 1]}, b: *range}"), "s.yaml", Path(".")).space
    assert space.items["a"] == space.items["b"] == Float(0.0, 1.0, NOWHERE)


def test_file_is_read_relative_to_itself_with_a_byte_order_mark_and_any_line_breaks(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + minimal().replace("\n", "\r\n").encode())
    spec = read(path)
    assert (spec.folder, spec.file, spec.study) == (tmp_path, str(path), "a")
    assert spec.text == minimal().replace("\n", "\r\n")


def test_missing_file_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "digits.yaml").write_text("")
    with pytest.raises(SpaceError, match="there is no such file") as caught:
        read(tmp_path / "digit.yaml")
    assert f"did you mean '{tmp_path / 'digits.yaml'}'?" in str(caught.value)


def test_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match="can't be read: Is a directory"):
        read(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_unreadable_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(minimal())
    path.chmod(0)
    with pytest.raises(SpaceError, match="Permission denied"):
        read(path)


def test_file_that_is_not_utf8_is_told_at_its_first_wrong_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes("study: a\ntrainer: é\n".encode("latin-1"))
    with pytest.raises(SpaceError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}:2:10: the file is not UTF-8")


def test_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("#" * (LARGEST_FILE + 1))
    with pytest.raises(SpaceError, match="larger than 1 MB"):
        read(path)


def test_reading_and_checking_imports_nothing_heavy() -> None:
    code = (
        "import sys, spaces.reader, spaces.vocabulary, spaces.schema, spaces.writer, spaces.template\n"
        "heavy = {'optuna', 'keras', 'tensorflow', 'sqlalchemy', 'psycopg2', 'numpy'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout == "[]\n"


def test_null_that_is_repeated_or_chosen_is_written_so_that_it_stays_null() -> None:
    text = minimal(space="{a: {repeat: [1, 2], each: {const: null}}, b: {choice: {c: {const: null}, d: }}}")
    spec = parse(text, "s.yaml", Path("."))
    assert parse(dump(spec), "s.yaml", Path(".")).space == spec.space
    assert spec.space.items["b"] == Branches({"c": Fixed(None, NOWHERE), "d": Map({}, NOWHERE, {})}, NOWHERE, {})

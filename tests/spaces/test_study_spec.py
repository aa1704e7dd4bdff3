"""What makes the values of two files comparable, and how a difference is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spaces.parameters import MissingParameterError, rebuild
from spaces.reader import parse
from spaces.spec import StudySpec, difference, digest, identity
from spaces.writer import dump, fragment

TEXT = """\
study: a
trainer: image
data: {csv: a.csv, label: y}
objective: {maximize: acc}
budget: {trials: 5, epochs: 10}
space:
  lr: {float: [1e-5, 0.1], log: true}
  units: {int: [8, 64]}
  act: {choice: [relu, gelu]}
  optimizer: {choice: {adam: {}, sgd: {momentum: {float: [0, 1], step: 0.5}}}}
  augment: {optional: {zoom: {float: [0, 1]}}}
  layers: {repeat: [1, 3], each: {filters: {int: [8, 16], step: 8}}}
  fixed: 1
  shape: {const: [1, 2]}
"""


def spec(*changes: tuple[str, str]) -> StudySpec:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse(text, "space.yaml", Path("."))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("study: a", "study: b"),
        ("trials: 5", "trials: 500, time: 3h"),
        ("space:\n", "algorithm: {sampler: random, seed: 3}\nspace:\n"),
        ("[8, 64]}", "[8, 64], prior: 16}"),
        ("[relu, gelu]}", "[relu, gelu], prior: gelu}"),
        (
            "{adam: {}, sgd: {momentum: {float: [0, 1], step: 0.5}}}",
            "{sgd: {momentum: {step: 0.5, float: [0.0, 1.0]}}, adam: }",
        ),
        ("fixed: 1", "fixed: 1.0   # a comment"),
        (
            "trainer: image\ndata: {csv: a.csv, label: y}",
            "data: {label: y, validation: 0.2, csv: a.csv}\ntrainer: image",
        ),
    ],
)
def test_what_does_not_touch_the_values_keeps_the_identity(old: str, new: str) -> None:
    assert digest(spec((old, new))) == digest(spec())
    assert difference(spec(), spec((old, new))) == []


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("trainer: image", "trainer: tabular", "trainer: {builtin: image} -> {builtin: tabular}"),
        ("a.csv", "b.csv", "data.csv: a.csv -> b.csv"),
        ("label: y", "label: y, ignore: [z]", "data.ignore: added ([z])"),
        ("label: y", "label: y, validation: 0.3", "data.validation: 0.2 -> 0.3"),
        ("maximize", "minimize", "objectives: [{maximize: acc}] -> [{minimize: acc}]"),
        ("epochs: 10", "epochs: 20", "epochs: 10 -> 20"),
        ("space:\n", "constraints: {size: {max: 9.0}}\nspace:\n", "constraints.size: added ({max: 9})"),
        ("1e-5", "1e-6", "space.lr: float [1e-05, 0.1] log -> float [1e-06, 0.1] log"),
        ("{float: [1e-5, 0.1], log: true}", "0.1", "space.lr: float [1e-05, 0.1] log -> 0.1"),
        ("[relu, gelu]", "[gelu, relu]", "space.act: choice [relu, gelu] -> choice [gelu, relu]"),
        ("  units: {int: [8, 64]}\n", "", "space.units: removed (int [8, 64])"),
        ("  units", "  dropout: {float: [0, 1]}\n  units", "space.dropout: added (float [0.0, 1.0])"),
        ("adam: {}", "nadam: {}", "space.optimizer.adam: removed (a map of nothing)"),
        (
            "step: 0.5",
            "step: 0.25",
            "space.optimizer.sgd.momentum: float [0.0, 1.0] step 0.5 -> float [0.0, 1.0] step 0.25",
        ),
        ("zoom", "zoum", "space.augment.zoom: removed (float [0.0, 1.0])"),
        ("[1, 3]", "[1, 4]", "space.layers: repeat [1, 3] -> repeat [1, 4]"),
        ("step: 8", "step: 4", "space.layers.each.filters: int [8, 16] step 8 -> int [8, 16] step 4"),
        ("fixed: 1", "fixed: true", "space.fixed: 1 -> true"),
        ("fixed: 1", 'fixed: "1"', 'space.fixed: 1 -> "1"'),
        ("const: [1, 2]", "const: [2, 1]", "space.shape: {const: [1, 2]} -> {const: [2, 1]}"),
    ],
)
def test_what_touches_the_values_is_told_in_a_line(old: str, new: str, line: str) -> None:
    changed = spec((old, new))
    assert digest(changed) != digest(spec())
    assert line in difference(spec(), changed)


def test_other_constraints_are_told_however_they_are_written() -> None:
    first, same, other = (
        spec(("space:\n", f"constraints: {text}\nspace:\n"))
        for text in ("{a: {min: 1, max: 9}, b: {min: 0}}", "{b: {min: 0.0}, a: {max: 9.0, min: 1}}", "{a: {max: 9}}")
    )
    assert digest(first) == digest(same)
    assert difference(first, other) == [
        "constraints.a: {min: 1, max: 9} -> {max: 9}",
        "constraints.b: removed ({min: 0})",
    ]


def test_identity_is_json_and_its_digest_is_stable() -> None:
    infinite = spec(("fixed: 1", "fixed: .inf"))
    assert json.loads(json.dumps(identity(infinite), allow_nan=False)) == identity(infinite)
    assert digest(spec()) == "9636e28dbe0c7afa9d1e582ec15b090c58710328d0010ef85e1ac4da24df590e"


def test_dumped_study_says_the_same() -> None:
    again = parse(dump(spec(("trials: 5", "trials: 5, time: 90s"))), "b.yaml", Path("."))
    assert (again.study, again.trainer, again.data, again.budget.time) == ("a", spec().trainer, spec().data, 90.0)
    assert again.space == spec().space


def test_stored_values_rebuild_the_configuration() -> None:
    values = {
        "lr": 0.01,
        "units": 8,
        "act": "gelu",
        "optimizer": "sgd",
        "optimizer.sgd.momentum": 0.5,
        "augment": False,
    }
    values |= {"layers.n": 2, "layers.0.filters": 8, "layers.1.filters": 16, "from.an.older.file": 1}
    assert rebuild(spec().space, values) == {
        "lr": 0.01,
        "units": 8,
        "act": "gelu",
        "optimizer": {"sgd": {"momentum": 0.5}},
        "augment": None,
        "layers": [{"filters": 8}, {"filters": 16}],
        "fixed": 1,
        "shape": [1, 2],
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "'lr' is not among the stored values: none"),
        ({"lr": 0.1, "units": 9}, "'act' is not among the stored values: lr, units"),
        ({"lr": 0.1, "units": 9, "act": "tanh"}, "'act' is 'tanh' in the stored values; expected one of"),
    ],
)
def test_incomplete_values_are_told_by_name(values: dict[str, object], message: str) -> None:
    with pytest.raises(MissingParameterError) as caught:
        rebuild(spec().space, values)
    assert str(caught.value).startswith(message)


def test_drawn_values_are_the_callers_own() -> None:
    space = spec().space
    values = {
        "lr": 0.1,
        "units": 8,
        "act": "relu",
        "optimizer": "adam",
        "augment": False,
        "layers.n": 1,
        "layers.0.filters": 8,
    }
    rebuild(space, values)["shape"].append(3)
    assert rebuild(space, values)["shape"] == [1, 2]


def test_long_values_of_a_fragment_stand_on_lines_of_their_own() -> None:
    layer = {"filters": 47, "kernel_size": 3, "activation": "gelu", "batch_norm": True, "dropout": 0.1}
    line = "{filters: 47, kernel_size: 3, activation: gelu, batch_norm: true, dropout: 0.1}"
    assert fragment({"layers": [layer, layer]}) == f"  layers:\n    const:\n      - {line}\n      - {line}\n"


def test_fragment_is_readable() -> None:
    drawn = {"lr": 1e-05, "optimizer": {"sgd": {}}, "augment": None, "name": "on", "layers": [{"filters": 8}]}
    assert fragment(drawn) == (
        "  lr: 1e-05\n  optimizer: {sgd: {}}\n  augment: null\n"
        '  name: "on"\n  layers: {const: [{filters: 8}]}\n'
    )  # fmt: skip

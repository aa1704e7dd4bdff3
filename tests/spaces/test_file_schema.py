"""Editors accept what the reader accepts and mark what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from search.study.words import PRUNERS, SAMPLERS
from spaces.compact import compact
from spaces.document import compose, plain
from spaces.errors import Problems
from spaces.reader import parse, read
from spaces.schema import file_schema
from spaces.template import template
from spaces.vocabulary import OneWord, Option, Options, Real, Word, schema
from trainers import words
from trainers.words.builtin import BUILTIN

SHIPPED = sorted((Path(__file__).parents[2] / "spaces").glob("*.yaml"))
GENERAL = Draft202012Validator(file_schema())


def data(text: str) -> Any:
    """The file as JSON would have it, scalars by YAML 1.2."""
    tree = compose(text, "space.yaml", Problems())
    assert tree is not None
    return plain(tree)


def test_schema_is_a_schema_and_json() -> None:
    Draft202012Validator.check_schema(file_schema())
    assert json.loads(json.dumps(file_schema())) == file_schema()


def test_a_space_is_shipped_for_every_built_in_trainer() -> None:
    assert {"breast_cancer.yaml", "cifar10.yaml", "digits.yaml"} <= {path.name for path in SHIPPED}
    assert {read(path).trainer.name for path in SHIPPED} == set(BUILTIN)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_file_is_read_and_fits_the_schema(path: Path) -> None:
    spec = read(path)
    assert spec.text.startswith("# ")
    assert [error.message for error in GENERAL.iter_errors(data(spec.text))] == []


@pytest.mark.parametrize("name", ["digits", "1e-5", 'a: "b"', "{x}"])
def test_template_is_read_under_any_name_and_fits_the_schema(name: str) -> None:
    text = template(name)
    assert parse(text, "new.yaml", Path(".")).study == name
    assert [error.message for error in GENERAL.iter_errors(data(text))] == []


RIGHT = """\
trainer: image
data: {source: digits}
objective: {maximize: a}
budget: {trials: 5, time: 1h30m}
space: {a: {float: [0, 1]}}
"""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("trainer: image", ""),
        ("trainer: image", "trainer: image\nmodel: a.py:b"),
        ("trainer: image", "model: image"),
        ("trainer: image", "trainer: image\nstudy: ''"),
        ("{source: digits}", "{validation: 0.5}"),
        ("{source: digits}", "{source: digits, npz: a}"),
        ("{source: digits}", "{source: digits, validation: 1}"),
        ("{source: digits}", "{csv: a.csv}"),
        ("{source: digits}", "{images: a, channels: 2}"),
        ("{maximize: a}", "{maximise: a}"),
        ("{maximize: a}", "{maximize: a, minimize: b}"),
        ("{maximize: a}", "[]"),
        ("budget:", "constraints: {}\nbudget:"),
        ("budget:", "constraints: {a: 3}\nbudget:"),
        ("budget:", "constraints: {a: {}}\nbudget:"),
        ("budget:", "constraints: {a: {mox: 3}}\nbudget:"),
        ("budget:", "constraints: {a: {max: many}}\nbudget:"),
        ("trials: 5", "trials: 0"),
        ("trials: 5", "epochs: 5"),
        ("1h30m", "2 hours"),
        ("space:", "algorithm: {seed: -1}\nspace:"),
        ("space:", "algorithm: {sampeler: tpe}\nspace:"),
        ("space:", "spaces:"),
        ("[0, 1]", "[0]"),
        ("[0, 1]", "[a, b]"),
        ("[0, 1]", "[0, 1], lgo: true"),
        ("[0, 1]", "[0, 1], int: [1, 2]"),
        ("{float: [0, 1]}", "[1, 2]"),
        ("{float: [0, 1]}", "{choice: [1]}"),
        ("{float: [0, 1]}", "{choice: [1, {a: 2}]}"),
        ("{float: [0, 1]}", "{repeat: [1, 2]}"),
        ("{float: [0, 1]}", "{deeper: {int: [1, 2.5]}}"),
    ],
)
def test_schema_refuses_what_the_reader_refuses(right: str, wrong: str) -> None:
    assert GENERAL.is_valid(data(RIGHT))
    assert right in RIGHT
    assert not GENERAL.is_valid(data(RIGHT.replace(right, wrong)))


def test_constraints_fit_the_schema() -> None:
    assert GENERAL.is_valid(data(RIGHT + "constraints: {parameters: {max: 100000}, val_f1: {min: 0.5, max: 0.9}}"))


def test_words_of_a_trainer_and_of_the_samplers_are_put_in() -> None:
    samplers = OneWord((Word("tpe", Options((Option("gamma", Real(0)),))), Word("random")))
    own = Options((Option("a", Real(0, 1), doc="A share."),))
    known = Draft202012Validator(file_schema(schema(own), schema(samplers), schema(samplers)))
    Draft202012Validator.check_schema(known.schema)

    assert known.is_valid(data(RIGHT + "algorithm: {sampler: {tpe: {gamma: 1}}, pruner: random}"))
    assert not known.is_valid(data(RIGHT + "algorithm: {sampler: tpo}"))
    assert not known.is_valid(data(RIGHT + "algorithm: {pruner: {tpe: {delta: 1}}}"))
    assert not known.is_valid(data(RIGHT.replace("{a:", "{b:")))
    assert not known.is_valid(data(RIGHT.replace("[0, 1]", "[0, 2]")))


def test_what_stands_several_times_is_said_once() -> None:
    inner = Options((Option("share", Real(0, 1, high_open=True), doc="A share that is used at many places."),))
    many = Options(tuple(Option(f"key{n}", inner) for n in range(20)))
    assert len(json.dumps(file_schema(schema(many)))) < 2 * len(
        json.dumps(file_schema(schema(Options((Option("key", inner),)))))
    )


def test_the_published_schema_stays_small_enough_for_editors() -> None:
    whole = file_schema(words.space_schema(), schema(SAMPLERS), schema(PRUNERS))
    assert len(json.dumps(whole, separators=(",", ":"))) < 300_000


def test_a_short_schema_that_holds_a_long_one_is_said_once_too() -> None:
    inner = {"enum": [f"a word of some length {n}" for n in range(9)]}
    outer = {"anyOf": [{"anyOf": [inner]}, {"type": "array", "items": {"anyOf": [inner]}}]}
    assert json.dumps(compact(outer)).count("length 3") == 1

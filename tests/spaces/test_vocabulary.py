"""Words of a file are judged against a table, each at its own place, with the nearest right word."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from spaces.document import compose, plain
from spaces.errors import Problem, Problems
from spaces.reader import parse
from spaces.schema import file_schema
from spaces.vocabulary import (
    Anything,
    Either,
    Flag,
    Kind,
    Listed,
    Many,
    OneOf,
    OneWord,
    Option,
    Options,
    Real,
    Text,
    Whole,
    Word,
    check,
    schema,
)

CONV = Options((Option("filters", Whole(1), required=True), Option("activation", OneOf(("relu", "gelu")))))
DENSE = Options((Option("units", Whole(1), required=True),))
TABLE = Options(
    (
        Option("lr", Real(0, 1, low_open=True), 1e-3, "The learning rate."),
        Option("size", Whole(1, 64)),
        Option("share", Real(0, 1, high_open=True)),
        Option("nesterov", Flag()),
        Option("label", Text()),
        Option("pool", OneOf(("max", "average", "none"))),
        Option("level", OneOf((1, 2, 3))),
        Option(
            "optimizer",
            OneWord(
                (
                    Word("adam", Options((Option("beta", Real(0, 1)),)), doc="Adaptive."),
                    Word("sgd", Options((Option("momentum", Real(0, 1)),))),
                    Word("scaled", Options((Option("by", Real(0), required=True),))),
                    Word("flip", OneOf(("horizontal", "vertical"))),
                )
            ),
        ),
        Option("kernel", Either((Whole(1), Listed(Whole(1), 2, 2)), "a whole number, or two of them")),
        Option("layers", Many(Either((CONV, OneWord((Word("conv", CONV), Word("dense", DENSE))))))),
        Option("blocks", Many(CONV)),
        Option("free", Anything()),
    )
)

RIGHT = [
    "lr: {float: [1e-5, 1], log: true}",
    "lr: 1",
    "lr: {choice: [0.1, 0.5]}",
    "lr: {optional: {float: [0.1, 0.5]}}",
    "lr: null",
    "lr: {choice: [null, 0.1]}",
    "size: {int: [1, 64], log: true}",
    "size: {const: 3}",
    "share: 0",
    "nesterov: {choice: [true, false]}",
    "label: {choice: [a, b]}",
    "pool: {choice: [max, none]}",
    "level: 2",
    "optimizer: adam",
    "optimizer: {sgd: {momentum: 0.9}}",
    "optimizer: {sgd: }",
    "optimizer: {choice: [adam, sgd]}",
    "optimizer: {choice: {adam: {beta: {float: [0.5, 0.9]}}, sgd: {}}}",
    "optimizer: {choice: {adam: , flip: horizontal}}",
    "optimizer: {choice: {adam: , flip: {choice: [horizontal, vertical]}}}",
    "optimizer: {scaled: {by: {float: [0, 3]}}}",
    "optimizer: {optional: {adam: {}}}",
    "optimizer: {const: {adam: {beta: 0.5}}}",
    "kernel: 3",
    "kernel: {const: [3, 5]}",
    "kernel: {choice: [3, [3, 5]]}",
    "kernel: {repeat: [2, 2], each: {int: [1, 5]}}",
    "layers: {repeat: [1, 3], each: {filters: {int: [8, 16]}, activation: relu}}",
    "layers: {repeat: [1, 3], each: {choice: {conv: {filters: 3}, dense: {units: 4}}}}",
    "layers: {const: [{filters: 3}, {conv: {filters: 4, activation: null}}, {dense: {units: 3}}]}",
    "layers: {const: []}",
    "layers: {const: [null, {filters: 3}]}",
    "layers: {repeat: [1, 3], each: {optional: {filters: 3}}}",
    "blocks: {optional: {repeat: [0, 1], each: {filters: 3}}}",
    "free: {anything: {const: [1, {a: 2}]}, at: {all: {int: [1, 2]}}}",
]

# What stands under `space` · the place marked · words of the message.
WRONG: list[tuple[str, list[str]]] = [
    ("lr: ▸{float: [-0.1, 0.5]}", ["space.lr: low -0.1 is not above 0", "a number above 0 and at most 1"]),
    ("lr: ▸{float: [0.1, 1.5]}", ["space.lr: high 1.5 is above 1"]),
    ("lr: ▸0.0", ["space.lr: 0.0 is not above 0"]),
    ("lr: ▸true", ["true or false where a number is expected"]),
    ("lr: ▸high", ["space.lr: a text where a number is expected", "received high"]),
    ("lr: ▸{a: 1}", ["space.lr: a map where a number is expected"]),
    ("lr: {choice: [0.1, ▸2.5]}", ["space.lr: 2.5 is above 1"]),
    ("lr: {optional: ▸{float: [0.5, 3.0]}}", ["high 3.0 is above 1"]),
    ("lr: {const: ▸[0.1]}", ["a list where a number is expected"]),
    ("share: ▸1", ["space.share: 1 is not below 1", "at least 0 and below 1"]),
    ("size: ▸{float: [1, 8]}", ["a float range where whole numbers are expected", "write int: [1, 8]"]),
    ("size: ▸{int: [0, 8]}", ["space.size: low 0 is below 1"]),
    ("size: ▸8.0", ["a number where a whole number is expected", "write 8"]),
    ("nesterov: ▸yes", ["space.nesterov", "true or false", "write true"]),
    ("nesterov: ▸1", ["where true or false is expected"]),
    ("label: ▸3", ["where a text is expected"]),
    ("pool: ▸maxx", ["space.pool: 'maxx' is not known", "did you mean 'max'?", "one of max, average, none"]),
    ("pool: {choice: [max, ▸avrage]}", ["did you mean 'average'?"]),
    ("level: ▸true", ["one of 1, 2, 3"]),
    ("level: ▸4", ["one of 1, 2, 3"]),
    ("optimizer: ▸adm", ["optimizer: 'adm' is not known here; did you mean 'adam'?", "adam, sgd, scaled"]),
    ("optimizer: {▸adm: {}}", ["did you mean 'adam'?"]),
    ("optimizer: {choice: {adam: {}, ▸sdg: {}}}", ["'sdg' is not known", "'sgd'"]),
    ("optimizer: {choice: [adam, ▸sdg]}", ["'sdg' is not known", "'sgd'"]),
    ("optimizer: {choice: {adam: {▸momentum: 0.9}, sgd: {}}}", ["optimizer.adam: 'momentum' is not known", "beta"]),
    ("optimizer: {sgd: {momentum: ▸{float: [0, 2]}}}", ["space.optimizer.sgd.momentum: high 2.0 is above 1"]),
    ("optimizer: ▸{adam: {}, sgd: {}}", ["2 words where one is expected", "received adam, sgd", "choice:"]),
    ("optimizer: ▸{}", ["0 words where one is expected"]),
    ("optimizer: ▸3", ["a number where one word is expected"]),
    ("optimizer: ▸scaled", ["space.optimizer.scaled: 'by' is missing"]),
    ("optimizer: {scaled: ▸{}}", ["'by' is missing"]),
    ("optimizer: {scaled: {by: ▸{optional: {float: [1, 2]}}}}", ["can't be switched off"]),
    ("optimizer: {scaled: {by: ▸null}}", ["where a number is expected"]),
    ("optimizer: {flip: ▸diagonal}", ["space.optimizer.flip: 'diagonal' is not known", "horizontal, vertical"]),
    ("kernel: ▸0", ["space.kernel: 0 is below 1"]),
    ("kernel: ▸wide", ["a whole number, or two of them"]),
    ("kernel: {const: ▸[3, 5, 7]}", ["not the right number of items", "received 3 items"]),
    ("layers: {repeat: [1, 2], each: {filters: ▸{int: [0, 8]}}}", ["space.layers.each.filters: low 0 is below 1"]),
    ("layers: {repeat: [1, 2], each: {filters: 3, ▸units: 3}}", ["each: 'units' is not known", "filters, activation"]),
    ("layers: {repeat: [1, 2], each: {dense: {▸filters: 3, units: 2}}}", ["each.dense: 'filters'"]),
    ("layers: {repeat: [1, 2], each: {choice: {conv: {filters: ▸0}, dense: {units: 2}}}}", ["each.conv.filters: 0"]),
    ("layers: {repeat: [1, 2], each: {▸unitz: 3, filters: 1}}", ["each: 'unitz'"]),
    ("layers: ▸{filters: 3}", ["a map where a list is expected", "repeat"]),
    ("blocks: {const: ▸[{filters: 3}, {filters: 0}]}", ["space.blocks.1.filters: 0 is below 1"]),
    ("blocks: {repeat: [1, 2], each: ▸{activation: relu}}", ["'filters' is missing"]),
    ("▸learning_rate: 1", ["space: 'learning_rate' is not known"]),
    ("▸optimiser: adam", ["did you mean 'optimizer'?"]),
]  # fmt: skip


def judged(kind: Kind, text: str) -> list[Problem]:
    head = "trainer: image\ndata: {source: digits}\nobjective: {maximize: a}\nbudget: {trials: 1}\nspace:\n"
    return check(kind, parse(f"{head}  {text}\n", "space.yaml", Path(".")).space, "space")


def data(text: str) -> object:
    tree = compose(text, "space.yaml", Problems())
    assert tree is not None
    return plain(tree)


@pytest.mark.parametrize("text", RIGHT)
def test_right_words_pass(text: str) -> None:
    assert judged(TABLE, text) == []


@pytest.mark.parametrize(("text", "words"), WRONG, ids=[text.replace("▸", "") for text, _ in WRONG])
def test_wrong_words_are_told_once_at_their_place(text: str, words: list[str]) -> None:
    before, _, after = text.partition("▸")
    problems = judged(TABLE, before + after)
    assert len(problems) == 1, problems
    message = str(problems[0])
    assert message.startswith(f"space.yaml:6:{len(before) + 3}: space")
    assert [word for word in words if word not in message] == []


def test_every_wrong_word_is_told() -> None:
    text = "lr: -1\n  pool: big\n  optimizer: {choice: [adm, sdg]}\n  layers: {const: [{filters: 0}, 3]}"
    assert [problem.place.line for problem in judged(TABLE, text)] == [6, 7, 8, 8, 9, 9]


def test_what_is_missing_in_each_branch_is_told_there() -> None:
    kind = Options(
        (Option("a", Options((Option("b", Anything()), Option("c", Anything()), Option("d", Real(), required=True)))),)
    )
    assert len(judged(kind, "a: {choice: {b: 1, c: 2}}")) == 2


def test_keys_of_an_open_map_belong_to_somebody_else() -> None:
    kind = Options((Option("lr", Real(0)),), open=True)
    assert judged(kind, "mine: {int: [1, 2]}") == []
    assert len(judged(kind, "lr: {int: [-1, 2]}")) == 1


VALIDATOR = Draft202012Validator({**schema(TABLE), "$defs": file_schema()["$defs"]})


@pytest.mark.parametrize("text", RIGHT)
def test_schema_accepts_right_words(text: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(data(text))] == []


# To JSON Schema 8.0 is an integer; and what a bare word requires is known to the check alone.
BEYOND_A_SCHEMA = {"size: 8.0", "optimizer: scaled"}


@pytest.mark.parametrize("text", sorted({text.replace("▸", "") for text, _ in WRONG} - BEYOND_A_SCHEMA))
def test_schema_refuses_wrong_words(text: str) -> None:
    assert not VALIDATOR.is_valid(data(text))

"""Scalars mean what YAML 1.2 says, and are written so that they read back the same."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from spaces.parameters import Fixed
from spaces.reader import parse
from spaces.scalars import resolve, written

MEANINGS: list[tuple[str, Any]] = [
    ("1e-5", 1e-5),
    ("1E+3", 1000.0),
    ("1.", 1.0),
    (".5", 0.5),
    ("-.5e2", -50.0),
    ("+1.5", 1.5),
    ("1e5", 1e5),
    ("6.8523015e+5", 685230.15),
    ("0", 0),
    ("-19", -19),
    ("+12", 12),
    ("010", 10),
    ("0o17", 15),
    ("0x1F", 31),
    (".inf", math.inf),
    ("-.INF", -math.inf),
    ("+.Inf", math.inf),
    ("true", True),
    ("True", True),
    ("FALSE", False),
    ("null", None),
    ("Null", None),
    ("~", None),
    ("", None),
    ("on", "on"),
    ("off", "off"),
    ("yes", "yes"),
    ("no", "no"),
    ("y", "y"),
    ("tRUE", "tRUE"),
    ("1_000", "1_000"),
    ("0b11", "0b11"),
    ("-0x1F", "-0x1F"),
    ("0o18", "0o18"),
    ("1:30", "1:30"),
    ("190:20:30", "190:20:30"),
    ("2001-12-14", "2001-12-14"),
    ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
    ("e5", "e5"),
    ("1e", "1e"),
    (".", "."),
    ("1.2.3", "1.2.3"),
    ("inf", "inf"),
    ("nan", "nan"),
    ("None", "None"),
]


@pytest.mark.parametrize(("text", "value"), MEANINGS, ids=[text or "nothing" for text, _ in MEANINGS])
def test_unquoted_scalar_means_what_yaml_1_2_says(text: str, value: Any) -> None:
    assert repr(resolve(text)) == repr(value)
    head = "trainer: a.py:b\nobjective: {maximize: a}\nbudget: {trials: 1}\nspace:\n"
    node = parse(f"{head}  a: {text}\n  b: {{choice: [1, 2]}}\n", "s.yaml", Path(".")).space.items["a"]
    assert isinstance(node, Fixed)
    assert repr(node.value) == repr(value)


def test_nan_is_a_number_to_yaml() -> None:
    assert math.isnan(resolve(".nan"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("relu", "relu"),
        ("my_package.net:build", "my_package.net:build"),
        ("data/train.csv", "data/train.csv"),
        ("1e-5", '"1e-5"'),
        ("true", '"true"'),
        ("off", '"off"'),
        ("null", '"null"'),
        ("", '""'),
        ("a: b", '"a: b"'),
        ("# a", '"# a"'),
        ("a\nb", '"a\\nb"'),
        ("\x85\u2028", '"\\u0085\\u2028"'),
        ("é", '"é"'),
        (1e16, "1e+16"),
        (1e-05, "1e-05"),
        (0.1, "0.1"),
        (-math.inf, "-.inf"),
        (None, "null"),
        ([True, {"a": []}], "[true, {a: []}]"),
    ],
)
def test_value_is_written_so_that_every_reader_of_yaml_agrees(value: Any, text: str) -> None:
    assert written(value) == text

"""What is suggested, under which names, and where a person would start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from spaces.parameters import Map, draw, names, priors
from spaces.reader import parse
from spaces.writer import fragment

HEAD = "trainer: a.py:b\nobjective: {maximize: a}\nbudget: {trials: 1}\n"


def space(text: str) -> Map:
    return parse(f"{HEAD}space:\n{text}", "s.yaml", Path(".")).space


class Last:
    """Takes the upper end of everything and the last option, and notes the calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None, log: bool) -> float:
        self.calls.append((name, low, high, step, log))
        return high

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        self.calls.append((name, low, high, step, log))
        return high

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        self.calls.append((name, tuple(choices)))
        return choices[-1]


def test_each_form_is_suggested_under_its_dotted_path() -> None:
    tree = space(
        "  lr: {float: [1e-4, 1], log: true}\n"
        "  share: {float: [0, 1], step: 0.5}\n"
        "  units: {int: [8, 64], step: 8}\n"
        "  kernel: {choice: [3, [3, 5]]}\n"
        "  optimizer: {choice: {adam: {}, sgd: {momentum: {float: [0, 1]}}, lion: {float: [1, 2]}}}\n"
        "  dropout: {optional: {float: [0.1, 0.5]}}\n"
        "  augment: {optional: {zoom: {int: [1, 2]}}}\n"
        "  layers: {repeat: [0, 2], each: {int: [1, 3]}}\n"
    )
    suggest = Last()
    assert draw(tree, suggest) == {
        "lr": 1.0,
        "share": 1.0,
        "units": 64,
        "kernel": [3, 5],
        "optimizer": {"sgd": {"momentum": 1.0}},
        "dropout": 0.5,
        "augment": {"zoom": 2},
        "layers": [3, 3],
    }
    assert suggest.calls == [
        ("lr", 1e-4, 1.0, None, True),
        ("share", 0.0, 1.0, 0.5, False),
        ("units", 8, 64, 8, False),
        ("kernel", (3, "[3, 5]")),
        ("optimizer", ("adam", "lion", "sgd")),
        ("optimizer.sgd.momentum", 0.0, 1.0, None, False),
        ("dropout", (False, True)),
        ("dropout.value", 0.1, 0.5, None, False),
        ("augment", (False, True)),
        ("augment.zoom", 1, 2, 1, False),
        ("layers.n", 0, 2, 1, False),
        ("layers.0", 1, 3, 1, False),
        ("layers.1", 1, 3, 1, False),
    ]
    assert set(names(tree)) == {call[0] for call in suggest.calls} | {"optimizer.lion"}


def test_order_of_branches_in_the_file_does_not_change_what_is_suggested() -> None:
    first, second = Last(), Last()
    draw(space("  a: {choice: {x: , y: {int: [1, 2]}}}\n"), first)
    draw(space("  a: {choice: {y: {int: [1, 2]}, x: }}\n"), second)
    assert first.calls == second.calls


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: {float: [0, 1], prior: 0.5}", {"a": 0.5}),
        ("a: {float: [0, 1]}", {}),
        ("a: {choice: [null, 1], prior: null}", {"a": None}),
        ("a: {choice: [[1, 2], 1], prior: [1, 2]}", {"a": "[1, 2]"}),
        (
            "a: {choice: {b: {c: {int: [1, 2], prior: 1}}, d: {e: {int: [1, 2], prior: 2}}}, prior: d}",
            {"a": "d", "a.d.e": 2},
        ),
        (
            "a: {choice: {b: {c: {int: [1, 2], prior: 1}}, d: {e: {int: [1, 2], prior: 2}}}}",
            {"a.b.c": 1, "a.d.e": 2},
        ),
        ("a: {optional: {b: {int: [1, 2], prior: 1}}, prior: false}", {"a": False}),
        ("a: {optional: {int: [1, 2], prior: 1}, prior: true}", {"a": True, "a.value": 1}),
        ("a: {optional: {b: {int: [1, 2], prior: 1}}}", {"a.b": 1}),
        ("a: {repeat: [0, 3], each: {b: {int: [1, 2], prior: 1}}, prior: 2}", {"a.n": 2, "a.0.b": 1, "a.1.b": 1}),
        ("a: {repeat: [0, 3], each: {b: {int: [1, 2], prior: 1}}, prior: 0}", {"a.n": 0}),
        ("a: {repeat: [0, 2], each: {int: [1, 2], prior: 1}}", {"a.0": 1, "a.1": 1}),
    ],
)
def test_priors_leave_out_what_a_prior_further_up_leaves_out(text: str, found: dict[str, Any]) -> None:
    assert priors(space(f"  {text}\n")) == found


@pytest.mark.parametrize(
    "value", [{"float": 1}, {"a.b": 1}, {"a:b": 1}, {"": 1}, {"x": {"choice": [1]}}, {"\x1b": 1}, {"1": 2}]
)
def test_map_that_would_read_as_something_else_is_fixed_by_const(value: Any) -> None:
    again = draw(space(fragment({"a": value})), Last())
    assert again == {"a": value}

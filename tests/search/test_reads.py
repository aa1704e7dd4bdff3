from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search import worker
from search.reads import Watched
from spaces.reader import parse


def parameters() -> Watched:
    return Watched({"rate": 0.1, "kind": {"sgd": {"momentum": 0.9}}, "layers": [{"units": 8}, {"units": 4}]})


def test_a_parameter_that_nobody_reads_is_told_by_its_path() -> None:
    given = parameters()
    assert given["rate"] == 0.1
    assert [layer["units"] for layer in given["layers"]] == [8, 4]
    assert given.unread() == ["kind"]
    _ = given["kind"]["sgd"]
    assert given.unread() == ["kind.sgd.momentum"]
    assert given["kind"]["sgd"]["momentum"] == 0.9
    assert given.unread() == []


def test_each_item_of_a_repeat_is_watched_on_its_own() -> None:
    given = parameters()
    _ = given["rate"], given["layers"][0]["units"], given["kind"]["sgd"]["momentum"]
    assert given.unread() == ["layers.1.units"]


def unpack(**given: Any) -> Any:
    return given


READS: dict[str, Callable[[Watched], Any]] = {
    "items": lambda given: [value for _, value in given.items()],
    "values": lambda given: list(given.values()),
    "get": lambda given: given.get("momentum"),
    "pop": lambda given: given.pop("momentum"),
    "setdefault": lambda given: given.setdefault("momentum", 1.0),
    "keyword arguments": lambda given: unpack(**given),
    "a dict of it": dict,
    "a literal around it": lambda given: {**given},
    "copy": lambda given: given.copy()["momentum"],
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "json": json.dumps,
    "union": lambda given: (given | {"a": 1})["momentum"],
    "union from the right": lambda given: ({"a": 1} | given)["momentum"],
    "a loop over its keys": lambda given: list(given),
    "keys": lambda given: list(given.keys()),
    "membership": lambda given: "momentum" in given,
    "comparison": lambda given: given == {"momentum": 0.5},
    "a pattern": lambda given: _matched(given),
}


def _matched(given: Watched) -> float | None:
    match given:
        case {"momentum": value}:
            return float(value)
    return None


@pytest.mark.parametrize("how", READS)
def test_every_way_of_reading_counts(how: str) -> None:
    given = Watched({"momentum": 0.9})
    READS[how](given)
    assert given.unread() == []


def test_it_is_a_plain_dict_to_its_reader() -> None:
    given = parameters()
    plain = {"rate": 0.1, "kind": {"sgd": {"momentum": 0.9}}, "layers": [{"units": 8}, {"units": 4}]}
    assert given == plain
    assert json.loads(json.dumps(given)) == plain
    assert isinstance(given, dict)
    assert ("rate" in given, "rat" in given, len(given)) == (True, False, 3)
    assert next(iter(given["kind"].items())) == ("sgd", {"momentum": 0.9})
    with pytest.raises(KeyError, match="rat"):
        given["rat"]
    assert given.get("rat", 5) == 5


def test_what_is_the_same_in_all_trials_is_not_searched() -> None:
    text = """
trainer: train.py:train
objective: {minimize: loss}
budget: {trials: 1}
space:
  sleep: 0.3
  rest: {a: 1, b: {int: [1, 3]}, c: {const: [1, {d: 2}]}}
  same: {a: 1, b: {c: 2}}
  kind: {choice: {sgd: {momentum: 0.5}, adam: {}}}
"""
    space = parse(text, "space.yaml", Path()).space
    paths = ("sleep", "rest", "rest.a", "rest.b", "rest.c", "rest.c.1.d", "same", "kind", "kind.sgd.momentum", "none")
    fixed = tuple(path for path in paths if worker._is_fixed(space, path))
    assert fixed == ("sleep", "rest.a", "rest.c", "rest.c.1.d", "same")

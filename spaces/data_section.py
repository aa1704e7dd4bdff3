"""What does `data:` say: which source, with which options?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from spaces import ranges
from spaces.document import Items, Leaf, plain
from spaces.errors import Place
from spaces.kinds import Either, Flag, Kind, Listed, OneOf, Text, Whole
from spaces.scalars import written
from spaces.section import FUNCTION, WORD, Section
from spaces.sources import SOURCES
from spaces.sources import options as options_of
from spaces.spec import DataKind, DataSpec

_KINDS = tuple(source.name for source in SOURCES)


def read_data(top: Section, required: bool) -> DataSpec | None:
    """Read `data:`, exactly one source and its own options."""
    if top.get("data") is None:
        if required:
            top.required("data", "where the data comes from, such as data: {source: digits}")
        return None
    every = sorted({option.name for source in SOURCES for option in source.options})
    whole = top.section("data", (*_KINDS, "validation", *every))
    if whole is None:
        return None
    kind = whole.exactly_one(_KINDS)
    options = options_of(kind) if kind else {}
    section = Section(whole.tree, "data", top.problems, (*_KINDS, "validation", *(options if kind else every)))
    section.check_keys()
    validation = _validation(section)
    if kind is None:
        return None
    location = section.text(kind)
    values = _data_options(section, options)
    if location is None:
        return None
    place = section.tree.entries[kind].value.place
    if kind == "source":
        return DataSpec(_source(section, location, place), location, place, validation, values)
    if kind == "dataset" and not FUNCTION.fullmatch(location):
        expected = "file.py:function or module:function"
        top.problems.add(place, "data.dataset: no function", written(location), expected)
    named: DataKind = kind  # type: ignore[assignment]
    return DataSpec(named, location, place, validation, values)


def _source(section: Section, location: str, place: Place) -> Literal["set", "function"]:
    """Tell a set's name from a function."""
    if FUNCTION.fullmatch(location):
        return "function"
    if not WORD.fullmatch(location):
        hint = f"write {location}:load" if FUNCTION.fullmatch(f"{location}:load") else None
        if location.endswith((".csv", ".npz", ".parquet")):
            hint = f"write {location.rpartition('.')[2]}: {location}"
        expected = "a set's name, file.py:function or module:function"
        section.problems.add(place, "data.source: neither a set nor a function", written(location), expected, hint)
    return "set"


def _validation(section: Section) -> float:
    """Read the share of the data that validates."""
    entry = section.get("validation")
    if entry is None:
        return 0.2
    value = ranges.number(entry.value, "data.validation", section.problems)
    if value is not None and not 0 < value < 1:
        expected = "a fraction between 0 and 1, such as 0.2"
        section.problems.add(entry.value.place, f"data.validation: {written(value)} is no fraction", expected=expected)
    return 0.2 if value is None else value


def _data_options(section: Section, options: Mapping[str, Kind]) -> dict[str, Any]:
    """Read the options that the source has, each as the table says."""
    if "label" in options:
        section.required("label", "the column that is predicted")
    values = {key: _data_option(section, key, kind) for key, kind in options.items() if section.get(key)}
    _check_columns(section, values)
    _check_labels(section, values)
    if values.get("stream") and (entry := section.get("text")):
        message = "data.text: texts can't be streamed"
        section.problems.add(entry.place, message, hint="take stream: true out: texts are kept in memory as numbers")
    if "stream" in options and not values.get("stream"):
        for key in ("shuffle", "cache", "prefetch"):
            if entry := section.get(key):
                message = f"data.{key}: is for data that is streamed"
                section.problems.add(entry.place, message, hint="add stream: true, or take it out")
    return values


def _check_labels(section: Section, values: Mapping[str, Any]) -> None:
    """Tell about a task that doesn't fit the number of labels."""
    label, task, entry = values.get("label"), values.get("task"), section.get("label")
    if not label or entry is None:
        return
    if isinstance(entry.value, Items) and len(entry.value.items) == 1:
        message = "data.label: a list is for several labels at once (multi_label)"
        section.problems.add(entry.value.place, message, hint=f"write label: {label[0]}, or name another")
    elif isinstance(label, list) and task not in (None, "multi_label"):
        message = f"data.label: several labels are for multi_label, and the task is {task}"
        section.problems.add(entry.value.place, message, hint="name one column, or write task: multi_label")
    elif isinstance(label, str) and task == "multi_label":
        message = "data.label: one column is no multi_label"
        section.problems.add(entry.value.place, message, hint=f"write label: [{label}, …]")


def _data_option(section: Section, key: str, kind: Kind) -> Any:
    """Read one option."""
    tree = section.tree.entries[key].value
    if key == "label" and isinstance(tree, Items):
        return _columns(section, key)
    match kind:
        case Listed(Text()):
            return _columns(section, key)
        case Listed(_, least, most):
            return _sides(section, key, least, most)
        case Either() if key == "cache" and isinstance(tree, Leaf) and isinstance(tree.value, bool):
            return tree.value
        case Flag():
            return ranges.flag(tree, f"data.{key}", section.problems)
        case Whole(low, high):
            return section.whole(key, low or 0, high or ranges.LARGEST_WHOLE)
        case OneOf((1, 3)):
            channels = section.whole(key, 1, 3)
            if channels == 2:
                section.problems.add(tree.place, "data.channels: 2 is neither 1 (grey) nor 3 (colour)")
            return channels
        case OneOf(words):
            return section.word(key, tuple(map(str, words)))
    return section.text(key)


def _check_columns(section: Section, values: Mapping[str, Any]) -> None:
    """Tell about a column that is named for two things."""
    label = values.get("label") or []
    used = dict.fromkeys([label] if isinstance(label, str) else label, "the label")
    for key in ("text", "weights", "categorical", "ignore"):
        given, entry = values.get(key) or [], section.get(key)
        columns = [given] if isinstance(given, str) else given
        places = entry.value.items if entry and isinstance(entry.value, Items) else [entry.value] if entry else []
        for column, at in zip(columns, places, strict=False):
            if column in used:
                section.problems.add(at.place, f"data.{key}: '{column}' is {used[column]}", hint="take it out")
        used |= {column: f"under {key} already" for column in columns if key != "categorical"}


def _columns(section: Section, key: str) -> list[str]:
    """Read a list of columns, none of them twice."""
    tree = section.tree.entries[key].value
    if not isinstance(tree, Items):
        hint = f"write [{tree.text}]" if isinstance(tree, Leaf) and tree.text else None
        section.problems.add(tree.place, f"data.{key}: not a list", written(plain(tree)), "a list of columns", hint)
        return []
    columns: list[str] = []
    for item in tree.items:
        column = section.as_text(item, f"data.{key}")
        if column is not None and column in columns:
            section.problems.add(item.place, f"data.{key}: '{column}' is there twice", hint="take it out")
        elif column is not None:
            columns.append(column)
    return columns


def _sides(section: Section, key: str, least: int, most: int | None) -> list[int]:
    """Read the size of an image, [height, width] in pixels, or a shape."""
    tree = section.tree.entries[key].value
    expected = "[height, width] in pixels" if most == 2 else "a list of whole numbers"
    if not isinstance(tree, Items) or len(tree.items) < least or (most is not None and len(tree.items) > most):
        section.problems.add(tree.place, f"data.{key}: not a {key}", written(plain(tree)), expected)
        return []
    sides = [ranges.whole(item, f"data.{key}", section.problems) for item in tree.items]
    for item, side in zip(tree.items, sides, strict=True):
        if side is not None and not 1 <= side <= 10_000:
            what = "number of pixels" if most == 2 else "length"
            section.problems.add(item.place, f"data.{key}: {side} is no {what}", expected="1 to 10000")
    return [side for side in sides if side is not None]

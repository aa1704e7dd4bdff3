"""What do the sections beside `space:` say: trainer, data, objective and budget?"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from spaces import ranges
from spaces.document import Entries, Entry, Items, Leaf, Tree, plain
from spaces.errors import Place, Problems, did_you_mean, nearest
from spaces.kinds import Either, Flag, Kind, Listed, OneOf, Text, Whole
from spaces.scalars import written
from spaces.sources import SOURCES
from spaces.sources import options as options_of
from spaces.spec import Budget, DataKind, DataSpec, Objective, TrainerSpec

_FUNCTION = re.compile(r"(.+\.py|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):[A-Za-z_]\w*")
_WORD = re.compile(r"[A-Za-z_][\w-]*")
_TIME = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
_SECONDS = (86_400, 3_600, 60, 1)

_KINDS = tuple(source.name for source in SOURCES)


@dataclass(frozen=True)
class Section:
    """A map of the file with known keys, and how its values are taken out. Each method tells what is wrong itself."""

    tree: Entries
    name: str
    problems: Problems
    known: tuple[str, ...]

    @property
    def place(self) -> Place:
        """Where the map starts."""
        return self.tree.place

    def check_keys(self) -> None:
        """Tell about keys that this section doesn't have."""
        for key, entry in self.tree.entries.items():
            if key not in self.known:
                message = f"'{key}' is not a key of {self.name}{did_you_mean(key, self.known)}"
                self.problems.add(entry.place, message, expected="one of " + ", ".join(self.known))

    def _misspelt(self, *keys: str) -> bool:
        """Tell whether one of these keys is there under a wrong name, which is told already."""
        return any(nearest(key, self.known) in keys for key in self.tree.entries if key not in self.known)

    def get(self, key: str) -> Entry | None:
        """Return the entry at `key`, if there is one."""
        return self.tree.entries.get(key)

    def required(self, key: str, expected: str) -> Entry | None:
        """Return the entry at `key`; without one it tells what was expected."""
        entry = self.get(key)
        if entry is None and not self._misspelt(key):
            self.problems.add(self.place, f"'{key}' is missing in {self.name}", expected=expected)
        return entry

    def section(self, key: str, known: tuple[str, ...]) -> Section | None:
        """Return the map at `key`, if there is one; its keys are `known`."""
        entry = self.get(key)
        if entry is None:
            return None
        if not isinstance(entry.value, Entries):
            self.problems.add(
                entry.value.place, f"{key}: not a map", written(plain(entry.value)), "a map: {key: value}"
            )
            return None
        return Section(entry.value, key, self.problems, known)

    def text(self, key: str) -> str | None:
        """Return the text at `key`, if there is one."""
        entry = self.get(key)
        return None if entry is None else self.as_text(entry.value, key)

    def as_text(self, tree: Tree, key: str) -> str | None:
        """Return a text, or None after telling that it is none."""
        if isinstance(tree, Leaf) and isinstance(tree.value, str) and tree.value.strip():
            return tree.value
        hint = f'write "{tree.text}" if that is its name' if isinstance(tree, Leaf) and tree.text.strip() else None
        self.problems.add(tree.place, f"{key}: not a text", written(plain(tree)), "a text", hint)
        return None

    def whole(self, key: str, low: int, high: int) -> int | None:
        """Return the whole number at `key`, if there is one."""
        entry = self.get(key)
        if entry is None:
            return None
        name = f"{self.name}.{key}"
        value = ranges.whole(entry.value, name, self.problems)
        if value is not None and not low <= value <= high:
            self.problems.add(
                entry.value.place, f"{name}: {value} is outside of the range", expected=f"{low} to {high}"
            )
            return None
        return value

    def word(self, key: str, known: tuple[str, ...]) -> str | None:
        """Return the word at `key`, if there is one; it must be one of `known`."""
        word = self.text(key)
        if word is not None and word not in known:
            place = self.tree.entries[key].value.place
            self.problems.add(
                place, f"{key}: '{word}' is not known{did_you_mean(word, known)}", expected=_either(known)
            )
            return None
        return word

    def exactly_one(self, keys: tuple[str, ...]) -> str | None:
        """Return which of `keys` is there, and tell if that isn't exactly one."""
        found = [key for key in self.tree.entries if key in keys]
        if not found and not self._misspelt(*keys):
            self.problems.add(self.place, f"{self.name} lacks {_either(keys)}", expected="exactly one of them")
        for second in found[1:]:
            message = f"'{second}' can't stand beside '{found[0]}'"
            self.problems.add(self.tree.entries[second].place, message, expected=f"exactly one of {', '.join(keys)}")
        return found[0] if found else None


def read_trainer(top: Section) -> TrainerSpec | None:
    """Read `trainer:` or `model:`."""
    key = top.exactly_one(("trainer", "model"))
    if key is None:
        return None
    place, name = top.tree.entries[key].value.place, top.text(key)
    if name is None:
        return None
    if _FUNCTION.fullmatch(name):
        return TrainerSpec("model" if key == "model" else "loop", name, place)
    function = "train" if key == "trainer" else "build"
    if key == "trainer" and _WORD.fullmatch(name):
        return TrainerSpec("builtin", name, place)
    expected = "file.py:function or module:function" + (
        ", or the word of a built-in trainer" if key == "trainer" else ""
    )
    hint = f"write {name}:{function}" if _FUNCTION.fullmatch(f"{name}:{function}") else None
    top.problems.add(place, f"{key}: no function", written(name), expected, hint)
    return None


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
    if kind == "dataset" and not _FUNCTION.fullmatch(location):
        expected = "file.py:function or module:function"
        top.problems.add(place, "data.dataset: no function", written(location), expected)
    named: DataKind = kind  # type: ignore[assignment]
    return DataSpec(named, location, place, validation, values)


def _source(section: Section, location: str, place: Place) -> Literal["set", "function"]:
    """Tell a set's name from a function."""
    if _FUNCTION.fullmatch(location):
        return "function"
    if not _WORD.fullmatch(location):
        hint = f"write {location}:load" if _FUNCTION.fullmatch(f"{location}:load") else None
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


def read_objectives(top: Section) -> tuple[Objective, ...]:
    """Read `objective:`, one metric with its direction or a list of them."""
    entry = top.required("objective", "such as objective: {maximize: val_accuracy}")
    if entry is None:
        return ()
    trees = entry.value.items if isinstance(entry.value, Items) else (entry.value,)
    if not trees:
        top.problems.add(entry.value.place, "objective: the list is empty", expected="at least one metric")
    objectives: list[Objective] = []
    for tree in trees:
        objective = _objective(top, tree)
        if objective and objective.metric in [known.metric for known in objectives]:
            top.problems.add(tree.place, f"objective: '{objective.metric}' is there twice", hint="take one out")
        elif objective:
            objectives.append(objective)
    return tuple(objectives)


def _objective(top: Section, tree: Tree) -> Objective | None:
    """Read one metric with its direction."""
    if not isinstance(tree, Entries):
        hint = None
        if isinstance(tree, Leaf) and isinstance(tree.value, str):
            hint = f"write {{{'minimize' if 'loss' in tree.value else 'maximize'}: {tree.value}}}"
        expected = "{maximize: metric} or {minimize: metric}"
        top.problems.add(tree.place, "objective: no direction", written(plain(tree)), expected, hint)
        return None
    section = Section(tree, "objective", top.problems, ("maximize", "minimize"))
    section.check_keys()
    direction = section.exactly_one(section.known)
    metric = section.text(direction) if direction else None
    if direction is None or metric is None:
        return None
    if not re.fullmatch(r"[^\s\x00-\x1f\x7f]{1,200}", metric):
        top.problems.add(tree.entries[direction].value.place, "objective: not a metric", written(metric), "one word")
    return Objective("maximize" if direction == "maximize" else "minimize", metric)


def read_budget(top: Section) -> Budget | None:
    """Read `budget:`; without trials there is no end."""
    if top.required("budget", "such as budget: {trials: 50, epochs: 10}") is None:
        return None
    section = top.section("budget", ("trials", "epochs", "time", "trial_time"))
    if section is None:
        return None
    section.check_keys()
    section.required("trials", "how many configurations are tried, a whole number")
    trials = section.whole("trials", 1, 1_000_000)
    epochs = section.whole("epochs", 1, 1_000_000)
    return Budget(trials or 1, epochs or 10, _seconds(section, "time"), _seconds(section, "trial_time"))


def _seconds(section: Section, key: str) -> float | None:
    """Read a time: `2h`, `90m`, `1h30m`, `30s`, or a number of seconds."""
    entry = section.get(key)
    if entry is None:
        return None
    tree = entry.value
    seconds = math.nan
    if isinstance(tree, Leaf) and isinstance(tree.value, int | float) and not isinstance(tree.value, bool):
        seconds = float(tree.value) if abs(tree.value) < 1e300 else math.inf
    elif isinstance(tree, Leaf) and isinstance(tree.value, str) and (parts := _TIME.fullmatch(tree.value.strip())):
        seconds = sum(float(part) * unit for part, unit in zip(parts.groups(), _SECONDS, strict=True) if part)
    if 0 < seconds < math.inf:
        return seconds
    expected = "a time such as 2h, 90m, 1h30m or 30s, or a number of seconds above 0"
    section.problems.add(tree.place, f"budget.{key}: not a time", written(plain(tree)), expected)
    return None


def _either(words: tuple[str, ...]) -> str:
    """Return `a, b or c`."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

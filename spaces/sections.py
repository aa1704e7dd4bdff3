"""What do the sections beside `space:` and `data:` say: trainer, objective, constraints and budget?"""

from __future__ import annotations

import math
import re

from spaces import ranges
from spaces.document import Entries, Entry, Items, Leaf, Tree, plain
from spaces.scalars import written
from spaces.section import FUNCTION, WORD, Section
from spaces.spec import Budget, Constraint, Objective, TrainerSpec

_METRIC = re.compile(r"[^\s\x00-\x1f\x7f]{1,200}")
_TIME = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
_SECONDS = (86_400, 3_600, 60, 1)


def read_trainer(top: Section) -> TrainerSpec | None:
    """Read `trainer:` or `model:`."""
    key = top.exactly_one(("trainer", "model"))
    if key is None:
        return None
    place, name = top.tree.entries[key].value.place, top.text(key)
    if name is None:
        return None
    if FUNCTION.fullmatch(name):
        return TrainerSpec("model" if key == "model" else "loop", name, place)
    function = "train" if key == "trainer" else "build"
    if key == "trainer" and WORD.fullmatch(name):
        return TrainerSpec("builtin", name, place)
    expected = "file.py:function or module:function" + (
        ", or the word of a built-in trainer" if key == "trainer" else ""
    )
    hint = f"write {name}:{function}" if FUNCTION.fullmatch(f"{name}:{function}") else None
    top.problems.add(place, f"{key}: no function", written(name), expected, hint)
    return None


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
    if not _METRIC.fullmatch(metric):
        top.problems.add(tree.entries[direction].value.place, "objective: not a metric", written(metric), "one word")
    return Objective("maximize" if direction == "maximize" else "minimize", metric)


def read_constraints(top: Section) -> tuple[Constraint, ...]:
    """Read `constraints:`, metrics with the least or the most that they may be."""
    section = top.section("constraints", ())
    if section is None:
        return ()
    if not section.tree.entries:
        top.problems.add(section.place, "constraints: the map is empty", expected="{metric: {min: …, max: …}}")
    found = [_constraint(top, metric, entry) for metric, entry in section.tree.entries.items()]
    return tuple(constraint for constraint in found if constraint is not None)


def _constraint(top: Section, metric: str, entry: Entry) -> Constraint | None:
    """Read the ends of one metric."""
    name, place = f"constraints.{metric}", entry.value.place
    if not isinstance(entry.value, Entries):
        hint = "write {max: …} if less is better, {min: …} if more is"
        top.problems.add(place, f"{name}: not a map", written(plain(entry.value)), "{min: number, max: number}", hint)
        return None
    section = Section(entry.value, name, top.problems, ("min", "max"))
    section.check_keys()
    if not _METRIC.fullmatch(metric):
        top.problems.add(entry.place, "constraints: not a metric", written(metric), "one word")
    if not entry.value.entries:
        top.problems.add(place, f"{name}: neither min nor max", expected="at least one of them")
    ends = {key: ranges.number(end.value, f"{name}.{key}", top.problems) for key, end in entry.value.entries.items()}
    low, high = ends.get("min"), ends.get("max")
    if low is not None and high is not None and low > high:
        received, expected = f"min {written(low)}, max {written(high)}", "min at most max"
        top.problems.add(place, f"{name}: min is above max, which nothing can keep", received, expected)
    return Constraint(metric, low, high, entry.place)


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

"""How is a space, or one configuration drawn from it, written as a file that reads back the same?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spaces.parameters import Map, Node
from spaces.plain import plain
from spaces.scalars import written
from spaces.spec import StudySpec, limits
from spaces.tree import KINDS, fits_path

_WIDTH = 100


def dump(what: StudySpec | Node) -> str:
    """Return the text of a whole space file, or of one node as it stands under `space:` (without indentation)."""
    if isinstance(what, StudySpec):
        return _block(_file(what), 0)
    value = plain(what)
    return _block(value, 0) if isinstance(what, Map) and value else written(value) + "\n"


def fragment(parameters: Mapping[str, Any]) -> str:
    """Return a drawn configuration as lines that stand under `space:` (indented by two) and fix these values."""
    return _block({key: _fixed(value) for key, value in parameters.items()}, 1)


def _file(spec: StudySpec) -> dict[str, Any]:
    """Return the file's sections as plain data; what is left out has its default."""
    file: dict[str, Any] = {
        "study": spec.study,
        "model" if spec.trainer.kind == "model" else "trainer": spec.trainer.name,
    }
    if spec.data is not None:
        kind = "source" if spec.data.kind in ("set", "function") else spec.data.kind
        file["data"] = {kind: spec.data.location, "validation": spec.data.validation, **spec.data.options}
    objectives = [{objective.direction: objective.metric} for objective in spec.objectives]
    file["objective"] = objectives[0] if len(objectives) == 1 else objectives
    if spec.constraints:
        file["constraints"] = limits(spec)
    times = {"time": spec.budget.time, "trial_time": spec.budget.trial_time}
    file["budget"] = {"trials": spec.budget.trials, "epochs": spec.budget.epochs} | _given(times)
    chosen = {"sampler": spec.algorithm.sampler, "pruner": spec.algorithm.pruner}
    algorithm = {key: _unwrapped(node) for key, node in chosen.items() if node is not None}
    algorithm |= _given({"seed": spec.algorithm.seed})
    if algorithm:
        file["algorithm"] = algorithm
    file["space"] = plain(spec.space)
    return file


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _unwrapped(node: Node) -> Any:
    """Return a sampler or pruner as plain data, where lists need no `const`."""
    value = plain(node)
    return _without_const(value)


def _without_const(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return value["const"] if value.keys() == {"const"} else {key: _without_const(item) for key, item in value.items()}


def _fixed(value: Any) -> Any:
    """Return a drawn value as plain data that fixes it: `const` around what would read as something else."""
    if isinstance(value, Mapping):
        if any(key in KINDS or not fits_path(key) for key in value):
            return {"const": value}
        return {key: _fixed(item) for key, item in value.items()}
    return {"const": value} if isinstance(value, Sequence) and not isinstance(value, str) else value


def _block(value: Mapping[str, Any], level: int) -> str:
    """Return a map with one line per key; what fits on a line stands on one, a longer list has an item a line."""
    lines = []
    for key, item in value.items():
        head = "  " * level + written(key) + ":"
        flow = written(item)
        if isinstance(item, Mapping) and item and len(head) + len(flow) > _WIDTH:
            lines.append(f"{head}\n{_block(item, level + 1)}")
        elif isinstance(item, list) and len(head) + len(flow) > _WIDTH:
            lines += [f"{head}\n", *("  " * (level + 1) + f"- {written(entry)}\n" for entry in item)]
        else:
            lines.append(f"{head} {flow}\n")
    return "".join(lines)

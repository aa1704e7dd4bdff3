"""What a space file says as a whole: study, trainer, data, objectives, budget, algorithm and space."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from spaces.errors import Place
from spaces.parameters import Branches, Float, Int, Map, Node, Optional, Repeat
from spaces.plain import plain
from spaces.scalars import written


@dataclass(frozen=True)
class TrainerSpec:
    """Who trains. kind `builtin`: `image`; `model`: a user's `build`; `loop`: a user's `train` (`module:function`)."""

    kind: Literal["builtin", "model", "loop"]
    name: str
    place: Place = field(compare=False)


DataKind = Literal["set", "function", "npz", "csv", "parquet", "images", "texts", "dataset", "tfrecord", "keras"]


@dataclass(frozen=True)
class DataSpec:
    """Where the data comes from.

    kind: `set` (a named set such as digits), `function` (`module:function` or `file.py:function`), or the source's key
    in `spaces.sources`. `location` is the name, function or path as the file says it; `options` the source's own
    options (label, …).
    """

    kind: DataKind
    location: str
    place: Place = field(compare=False)
    validation: float = 0.2
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Objective:
    """One metric and the direction in which it is better."""

    direction: Literal["maximize", "minimize"]
    metric: str


@dataclass(frozen=True)
class Constraint:
    """What a metric must be at the end of a trial for the trial to be worth anything: at least, at most, or both."""

    metric: str
    least: float | None
    most: float | None
    place: Place = field(compare=False)


@dataclass(frozen=True)
class Budget:
    """How much is spent: trials, epochs of a full trial, and seconds of wall-clock time (None: no limit)."""

    trials: int
    epochs: int
    time: float | None = None
    trial_time: float | None = None


@dataclass(frozen=True)
class AlgorithmSpec:
    """The `algorithm:` part as it stands, to be checked by whoever knows samplers and pruners.

    `sampler` and `pruner` are None when left out, else the node there (`tpe`, or `{tpe: {n_startup_trials: 20}}`).
    """

    sampler: Node | None = None
    pruner: Node | None = None
    seed: int | None = None


@dataclass(frozen=True)
class StudySpec:
    """One space file. `text` is its content as read; relative paths in it are relative to `folder`."""

    study: str
    trainer: TrainerSpec
    data: DataSpec | None
    objectives: tuple[Objective, ...]
    budget: Budget
    algorithm: AlgorithmSpec
    space: Map
    text: str
    folder: Path
    file: str
    constraints: tuple[Constraint, ...] = ()


def identity(spec: StudySpec) -> dict[str, Any]:
    """Return, as JSON-able data, everything that makes the values of two trials comparable.

    That is trainer, data, objectives, constraints, epochs and space; not the study's name, how much or how cleverly is
    searched, priors, the order of keys, or how the file is written (`1` and `1.0` are the same).
    """
    data = spec.data
    return {
        "trainer": {spec.trainer.kind: spec.trainer.name},
        "data": None
        if data is None
        else {data.kind: data.location, "validation": data.validation, **_even(_telling(data.options))},
        "objectives": [{objective.direction: objective.metric} for objective in spec.objectives],
        "epochs": spec.budget.epochs,
        "space": _even(plain(spec.space, priors=False)),
        **({"constraints": limits(spec)} if spec.constraints else {}),
    }


def limits(spec: StudySpec) -> dict[str, dict[str, float]]:
    """Return the constraints as they stand in the file: `{metric: {min: …, max: …}}`."""
    ends = {each.metric: {"min": each.least, "max": each.most} for each in spec.constraints}
    return {metric: {key: _even(end) for key, end in each.items() if end is not None} for metric, each in ends.items()}


def _telling(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options of the data without those that only say how it is read."""
    return {key: value for key, value in options.items() if key not in ("cache", "prefetch")}


def digest(spec: StudySpec) -> str:
    """Return the SHA-256 of the identity, 64 hexadecimal digits."""
    return hashlib.sha256(_canonical(identity(spec)).encode()).hexdigest()


def difference(old: StudySpec, new: StudySpec) -> list[str]:
    """Return one line for each part of the identity that differs, such as `epochs: 10 -> 20`; empty if none does."""
    before, after = identity(old), identity(new)
    lines = []
    for key in ("trainer", "objectives", "epochs"):
        if _canonical(before[key]) != _canonical(after[key]):
            lines.append(f"{key}: {written(before[key])} -> {written(after[key])}")
    for part in ("data", "constraints"):
        first, second = before.get(part) or {}, after.get(part) or {}
        for key in (*first, *(key for key in second if key not in first)):
            if _canonical(first.get(key)) != _canonical(second.get(key)):
                lines.append(_changed(f"{part}.{key}", first.get(key), second.get(key)))
    return lines + list(_node_difference("space", old.space, new.space))


def describe(node: Node) -> str:
    """Return a parameter in a few words, such as `float [1e-05, 0.1] log`, without what is nested in it."""
    match node:
        case Float() | Int():
            kind = "float" if isinstance(node, Float) else "int"
            log = " log" if node.log else ""
            step = (
                f" step {written(node.step)}"
                if node.step not in (None, 1) or (node.step == 1 and kind == "float")
                else ""
            )
            return f"{kind} {written([node.low, node.high])}{log}{step}"
        case Branches():
            return f"choice of {', '.join(node.options)}"
        case Optional():
            return "optional"
        case Repeat():
            return f"repeat {written([node.low, node.high])}"
        case Map():
            return "a map of " + (", ".join(node.items) or "nothing")
        case _:
            value = plain(node, priors=False)
            return (
                f"choice {written(value['choice'])}"
                if isinstance(value, dict) and "choice" in value
                else written(value)
            )


def _node_difference(name: str, old: Node, new: Node) -> Iterator[str]:
    """Give the lines for two nodes at the same place."""
    if _canonical(_even(plain(old, priors=False))) == _canonical(_even(plain(new, priors=False))):
        return
    match old, new:
        case (Map(), Map()):
            yield from _below(name, old.items, new.items)
        case (Branches(), Branches()):
            yield from _below(name, old.branches, new.branches)
        case (Optional(), Optional()):
            yield from _node_difference(name, old.body, new.body)
        case (Repeat(), Repeat()):
            if (old.low, old.high) != (new.low, new.high):
                yield f"{name}: {describe(old)} -> {describe(new)}"
            yield from _node_difference(f"{name}.each", old.each, new.each)
        case _:
            yield f"{name}: {describe(old)} -> {describe(new)}"


def _below(name: str, old: Mapping[str, Node], new: Mapping[str, Node]) -> Iterator[str]:
    """Give the lines for what two maps hold."""
    for key in (*old, *(key for key in new if key not in old)):
        if key not in new:
            yield f"{name}.{key}: removed ({describe(old[key])})"
        elif key not in old:
            yield f"{name}.{key}: added ({describe(new[key])})"
        else:
            yield from _node_difference(f"{name}.{key}", old[key], new[key])


def _changed(name: str, old: Any, new: Any) -> str:
    """Return the line for a value that changed, came or went."""
    if old is None:
        return f"{name}: added ({written(new)})"
    return f"{name}: removed ({written(old)})" if new is None else f"{name}: {written(old)} -> {written(new)}"


def _canonical(value: Any) -> str:
    """Return the JSON in which only what is the same looks the same (to Python, `True == 1`)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _even(value: Any) -> Any:
    """Return plain data in which equal numbers look alike and JSON has a form for each."""
    if isinstance(value, Mapping):
        return {key: _even(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_even(item) for item in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            return {"number": written(value)}
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value

"""What a space file says as a whole: study, trainer, data, objectives, budget, algorithm and space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from spaces.errors import Place
from spaces.parameters import Map, Node


@dataclass(frozen=True)
class TrainerSpec:
    """Who trains. kind `builtin`: `image`; `model`: a user's `build`; `loop`: a user's `train` (`module:function`)."""

    kind: Literal["builtin", "model", "loop"]
    name: str
    place: Place


@dataclass(frozen=True)
class DataSpec:
    """Where the data comes from.

    kind: `set` (a named set such as digits), `function` (`module:function` or `file.py:function`), `npz`, `csv`, `images`, `keras`.
    `location` is the name, function or path as the file says it; `options` the source's own options (label, …).
    """

    kind: Literal["set", "function", "npz", "csv", "images", "keras"]
    location: str
    place: Place
    validation: float = 0.2
    options: Mapping[str, Any] = ()  # type: ignore[assignment]


@dataclass(frozen=True)
class Objective:
    """One metric and the direction in which it is better."""

    direction: Literal["maximize", "minimize"]
    metric: str


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

    `sampler` and `pruner` are None when left out, else the node at that key (`tpe`, or `{tpe: {n_startup_trials: 20}}`).
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

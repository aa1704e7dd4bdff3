"""A run without a study, and data small enough to train on in a moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np

from spaces.errors import Place
from spaces.spec import TrainerSpec
from trainers import runtime
from trainers.contract import TrialOver
from trainers.data import Data
from trainers.data.data import Raw
from trainers.data.documentation import read_documentation
from trainers.data.loading import prepared
from trainers.data.sources import read_set

runtime.prepare(threads=1)

NOWHERE = Place("space.yaml", 1, 1)
IMAGE = TrainerSpec("builtin", "image", NOWHERE)
TABULAR = TrainerSpec("builtin", "tabular", NOWHERE)
SEQUENCE = TrainerSpec("builtin", "sequence", NOWHERE)
TEXT = TrainerSpec("builtin", "text", NOWHERE)


class FakeRun:
    """Records what is reported; ends the trial at epoch `over_at`."""

    number = 0
    objectives: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()

    def __init__(self, data: Data, folder: Path, epochs: int = 3, seed: int = 11, over_at: int | None = None) -> None:
        self.data, self.folder, self.epochs, self.seed, self.over_at = data, folder, epochs, seed, over_at
        self.base = folder
        self.reports: list[tuple[int, dict[str, float]]] = []
        self.kept: list[Path] = []
        self.result: Mapping[str, float] = {}

    def report(self, epoch: int, **metrics: float) -> None:
        self.reports.append((epoch, metrics))
        if epoch == self.over_at:
            raise TrialOver

    def cost(self, **metrics: float) -> None:
        self.costs = metrics

    def tick(self) -> None:
        pass

    def keep(self, save: Callable[[Path], None]) -> None:
        path = self.folder / f"model-{len(self.kept)}.keras"
        save(path)
        self.kept.append(path)

    @property
    def losses(self) -> list[tuple[float, float]]:
        return [(metrics["loss"], metrics["val_loss"]) for _, metrics in self.reports]


def fewer(raw: Raw, examples: int) -> Raw:
    rows = np.random.default_rng(0).permutation(len(raw.x))[:examples]
    return Raw(raw.x[rows], raw.y[rows], class_names=raw.class_names, feature_names=raw.feature_names)


@cache
def few_digits() -> Data:
    """160 images to train on and 40 to validate."""
    return prepared(fewer(read_set("digits"), 200), 0.2, 0)


@cache
def few_tumours() -> Data:
    """A table for classification: 120 rows to train on and 30 to validate."""
    return prepared(fewer(read_set("breast_cancer"), 150), 0.2, 0)


@cache
def few_patients() -> Data:
    """A table for regression: 120 rows to train on and 30 to validate."""
    return prepared(fewer(read_set("diabetes"), 150), 0.2, 0)


@cache
def few_rows() -> Data:
    """Sequences (8 steps of 8 features) for classification: 160 to train on and 40 to validate."""
    return prepared(fewer(read_set("digit_rows"), 200), 0.2, 0)


@cache
def few_texts() -> Data:
    """Texts of two topics: 120 to train on and 30 to validate."""
    return prepared(fewer(read_documentation(("linalg", "signal")), 150), 0.2, 0)

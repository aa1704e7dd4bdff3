"""Which metrics a trainer reports at each epoch, and so what an objective may name."""

from __future__ import annotations

from typing import Literal

Task = Literal["classification", "regression"]

ALWAYS = ("loss", "learning_rate", "seconds")
BY_TASK: dict[Task, tuple[str, ...]] = {"classification": ("accuracy",), "regression": ("mae", "rmse")}


def reported(task: Task | None) -> tuple[str, ...]:
    """Return the names of the metrics for `task`; None: the task isn't known yet, so those of every task."""
    own = BY_TASK[task] if task else tuple(name for names in BY_TASK.values() for name in names)
    return (*own, *(f"val_{name}" for name in own), "val_loss", *ALWAYS)

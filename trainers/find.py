"""Who trains: from the name in the space file to the function that trains one trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spaces.errors import did_you_mean
from spaces.spec import TrainerSpec
from trainers import user_code
from trainers.contract import Run, Train
from trainers.user_code import FindError
from trainers.words.builtin import BUILTIN

if TYPE_CHECKING:
    from trainers.data import Data
    from trainers.training.train import Preview

__all__ = ["FindError", "build_only", "load"]


def load(trainer: TrainerSpec, folder: Path) -> Train:
    """Return the function that trains one trial; relative paths are relative to `folder`. Raises FindError."""
    if trainer.kind == "loop":
        return user_code.function(trainer.name, folder, ("params", "run"))
    build = _build(trainer, folder)
    from trainers.training.train import fit

    def train(params: Mapping[str, Any], run: Run) -> Mapping[str, float]:
        return fit(build, params, run)

    return train


def build_only(trainer: TrainerSpec, folder: Path, params: Mapping[str, Any], data: Data) -> Preview | None:
    """Build and compile the model of one configuration without training it; None for a user's own loop.

    Raises FindError if the model can't be had, DataError if it can't be trained on this data.
    """
    if trainer.kind == "loop":
        user_code.function(trainer.name, folder, ("params", "run"))
        return None
    from trainers.training.train import preview

    build = _build(trainer, folder)
    try:
        return preview(build, params, data)
    except Exception as error:
        if trainer.kind == "builtin":
            raise
        raise FindError(f"{trainer.name}: failed while building a model, {user_code.told(error)}") from error
    except SystemExit as error:
        raise FindError(f"{trainer.name}: called sys.exit({error.code!r}) while building a model") from error


def _build(trainer: TrainerSpec, folder: Path) -> Callable[..., Any]:
    if trainer.kind == "model":
        return user_code.function(trainer.name, folder, ("params", "data"))
    if trainer.name not in BUILTIN:
        known = did_you_mean(trainer.name, BUILTIN) or f"; expected one of {', '.join(BUILTIN)}"
        raise FindError(f"no built-in trainer '{trainer.name}'{known}")
    from trainers.training.variables import of_any_size

    build: Callable[..., Any] = of_any_size()(import_module(f"trainers.{trainer.name}").build)
    # A backbone's file of weights is named relative to the space file.
    return partial(build, folder=folder) if trainer.name == "image" else build

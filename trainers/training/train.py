"""How one trial trains, from its parameters to its last epoch's metrics. Reads top to bottom."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from trainers import runtime
from trainers.contract import Diverged, Run
from trainers.data import Data
from trainers.training import checkpoint
from trainers.training.augmentation import layers as augmentation_layers
from trainers.training.compiling import Encode, describe, goal, make_state
from trainers.training.loop import CompiledEpochs
from trainers.training.optimizer import optimizer
from trainers.training.streaming import StreamedEpochs
from trainers.words.reading import read
from trainers.words.training import OPTIONS

Build = Callable[[Mapping[str, Any], Data], keras.Model]

LARGEST_IN_MEMORY = 4 * 2**30
LARGEST_SHARE_OF_GPU = 0.25

log = logging.getLogger(__name__)


def fit(build: Build, params: Mapping[str, Any], run: Run) -> dict[str, float]:
    """Train the model that `build` returns and report every epoch; return the last epoch's metrics.

    Goes on from the newest checkpoint in `run.folder`. Raises TrialOver (from `run.report`), Diverged when a metric is
    NaN or infinite, and whatever `build` raises.
    """
    # 1. The model, the same whenever this trial starts: seed and precision come first.
    data, words = run.data, read(OPTIONS, params)
    steps = -(-len(data.x_train) // words["batch_size"])
    model, encode = _compiled(build, params, words, data, run.seed, steps * run.epochs)

    # 2. The epochs: a compiled program where the data fits on the device.
    augmentation = augmentation_layers(words["augment"], data, run.seed)
    epochs = (CompiledEpochs if fits_on_device(data) else StreamedEpochs)(
        model, data, augmentation, encode, words["batch_size"], run.seed
    )

    # 3. Where an earlier process left off.
    variables = _variables(model, augmentation)
    done, metrics = _restore(variables, checkpoint.load(run.folder))
    if done:
        run.report(done, **metrics)

    # 4. Train, write, report: what was reported is always on disk already.
    with runtime.graphs_released():
        for epoch in range(done + 1, run.epochs + 1):
            start = time.perf_counter()
            metrics = epochs.train(epoch)
            metrics |= {f"val_{name}": value for name, value in epochs.validate().items()}
            metrics["learning_rate"] = float(model.optimizer.learning_rate)
            metrics["seconds"] = time.perf_counter() - start
            _check_finite(epoch, metrics)
            checkpoint.save(run.folder, checkpoint.State(epoch, metrics, _values(variables)))
            run.report(epoch, **metrics)

    # 5. The result.
    run.keep(model.save)
    return metrics


@dataclass(frozen=True)
class Preview:
    """A model that was built but not trained: its number of parameters, and one line about it."""

    parameters: int
    summary: str


def preview(build: Build, params: Mapping[str, Any], data: Data) -> Preview:
    """Build and compile a model without training it. Raises whatever `build` raises."""
    words = read(OPTIONS, params)
    model, _ = _compiled(build, params, words, data, seed=0, steps=1)
    augmentation_layers(words["augment"], data, seed=0)
    return Preview(model.count_params(), describe(model, words))


def fits_on_device(data: Data) -> bool:
    """Return whether the data set may stay on the device: at most a quarter of a GPU's memory, or 4 GB of the CPU's."""
    memory = runtime.device_memory()
    return data.size <= (LARGEST_IN_MEMORY if memory is None else memory * LARGEST_SHARE_OF_GPU)


def _compiled(
    build: Build, params: Mapping[str, Any], words: Mapping[str, Any], data: Data, seed: int, steps: int
) -> tuple[keras.Model, Encode]:
    """Return a model ready to be trained, and how labels are put for its loss; nothing of an earlier trial is left."""
    keras.backend.clear_session()
    runtime.seed_everything(seed)
    keras.config.set_dtype_policy(words["precision"])
    model = build(params, data)
    if not isinstance(model, keras.Model):
        raise TypeError(f"build(params, data) returned a {type(model).__name__}; expected a keras.Model")
    aim = goal(model, data, words["label_smoothing"])
    model.compile(optimizer(words, steps), loss=aim.loss, metrics=aim.metrics)
    make_state(model, data, aim.encode)
    return model, aim.encode


def _variables(model: keras.Model, augmentation: list[keras.layers.Layer]) -> dict[str, Any]:
    """Return every variable that the rest of the training depends on, by a name that the next process will give too."""
    groups = {
        "model": model.variables,
        "optimizer": model.optimizer.variables,
        "augmentation": [variable for layer in augmentation for variable in layer.variables],
    }
    return {f"{group}.{i}": variable for group, variables in groups.items() for i, variable in enumerate(variables)}


def _values(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {name: variable.value.numpy() for name, variable in variables.items()}


def _restore(variables: Mapping[str, Any], state: checkpoint.State | None) -> tuple[int, dict[str, float]]:
    """Put a checkpoint's values into the variables; return its epoch and metrics, or 0 and none."""
    if state is None:
        return 0, {}
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    if shapes != {name: array.shape for name, array in state.arrays.items()}:
        log.warning("the checkpoint of epoch %s is of another model (was build changed?); starting over", state.epoch)
        return 0, {}
    for name, variable in variables.items():
        variable.assign(state.arrays[name])
    return state.epoch, dict(state.metrics)


def _check_finite(epoch: int, metrics: Mapping[str, float]) -> None:
    bad = [f"{name} is {value}" for name, value in metrics.items() if not math.isfinite(value)]
    if bad:
        raise Diverged(f"epoch {epoch}: {', '.join(bad)}")

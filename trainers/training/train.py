"""How one trial trains, from its parameters to its last epoch's metrics. Reads top to bottom."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras

from trainers import runtime
from trainers.contract import Diverged, Run, TrialOver
from trainers.data import Data
from trainers.export import exported
from trainers.training import callbacks, checkpoint, schedules
from trainers.training.averaging import average, averaged
from trainers.training.compiling import describe
from trainers.training.example_weights import example_weights
from trainers.training.loop import Epochs
from trainers.training.measures import measured
from trainers.training.programs import Trial, programs
from trainers.training.ready import Build, compiled, parts_of, programmed, ready
from trainers.words.metrics import BEFORE_TRAINING
from trainers.words.reading import read
from trainers.words.training import OPTIONS

log = logging.getLogger(__name__)


def fit(build: Build, params: Mapping[str, Any], run: Run) -> dict[str, float]:
    """Train the model that `build` returns and report every epoch; return the last epoch's metrics.

    Goes on from the newest checkpoint in `run.folder`. Raises TrialOver (from `run`), Diverged when a metric is NaN or
    infinite, and whatever `build` raises.
    """
    # 1. The model, the same whenever this trial starts, and the programs that train it, perhaps made for another trial.
    data, words = run.data, read(OPTIONS, params)
    weights = example_weights(words, data)
    known = programs(data)
    with runtime.draws_told(known.draw):
        trial, program = ready(build, params, words, run, weights is not None, known)
        try:
            costs = _tell_costs(trial.model, run)
            metrics = _train(trial, program.epochs, words, weights, run, costs)
        except (TrialOver, Diverged):
            raise
        except BaseException:
            known.forget(program)  # whatever state it is in
            raise
    run.keep(partial(_save, trial, data))
    return metrics


def _tell_costs(model: keras.Model, run: Run) -> dict[str, float]:
    """Tell and return what the model costs, as far as the file constrains it.

    Raises TrialOver (from `run`) if it is too much.
    """
    known = {*run.constraints} & {*BEFORE_TRAINING}
    if not known:
        return {}
    costs = measured(known, model, run.data, ())
    run.cost(**costs)
    return costs


def _train(
    trial: Trial, epochs: Epochs, words: Mapping[str, Any], weights: Any, run: Run, costs: dict[str, float]
) -> dict[str, float]:
    """Train a trial from its start, or from its newest checkpoint."""
    model = trial.model
    epochs.begin(words["batch_size"], run.seed, weights, trial.places, run.epochs)
    rates = schedules.values(words, epochs.steps * run.epochs, epochs.steps)
    model.optimizer.learning_rate.assign(words["learning_rate"])

    # 2. Where an earlier process left off.
    variables = trial.variables
    state = checkpoint.load(run.folder)
    done, metrics = _restore(variables, state)
    made = callbacks.callbacks(words, run, done)
    hooks = keras.callbacks.CallbackList(made, model=model, epochs=run.epochs)
    hooks.on_train_begin()
    if done and state is not None:
        callbacks.restore(made, state.arrays)
        run.report(done, **metrics)

    # 3. Train and report; what is written now and then, and when the trial is stopped, is how it can go on.
    seconds = []
    with runtime.graphs_released(), checkpoint.Writer(run.folder) as writer, callbacks.ending(hooks):
        for epoch in range(done + 1, run.epochs + 1):
            if model.stop_training:
                break
            start = time.perf_counter()
            hooks.on_epoch_begin(epoch - 1)
            if (made or not trial.parts.plain) and schedules.by_callback(words):  # a `train_step` of its own may, too
                rates[:] = model.optimizer.learning_rate
            metrics = epochs.train(epoch, rates[(epoch - 1) * epochs.steps : epoch * epochs.steps], run.tick)
            metrics["learning_rate"] = float(model.optimizer.learning_rate)
            with averaged(model):
                hooks.on_test_begin()
                held = epochs.validate()
                hooks.on_test_end(held)
                metrics |= {f"val_{name}": value for name, value in held.items()}
                metrics["seconds"] = time.perf_counter() - start
                hooks.on_epoch_end(epoch - 1, metrics)
            seconds.append(metrics["seconds"])
            _check_finite(epoch, metrics)
            state_now = partial(_state, epoch, metrics, variables, made)
            writer.offer(state_now)
            try:
                run.report(epoch, **metrics)
            except TrialOver:
                writer.save(state_now())
                raise
        average(model)

    # 4. The result.
    asked = {*run.objectives, *run.constraints} - costs.keys()
    at_the_end = measured(asked, model, run.data, seconds or [metrics["seconds"]])
    return callbacks.result(made, metrics) | costs | at_the_end


def _save(trial: Trial, data: Data, path: Path) -> None:
    """Save the trained model as one that takes raw values and needs nothing but Keras."""
    with trial.saved():
        exported(trial.model, data).save(path)


@dataclass(frozen=True)
class Preview:
    """A model that was built but not trained: its number of parameters, and one line about it."""

    parameters: int
    summary: str


def preview(build: Build, params: Mapping[str, Any], data: Data, objectives: Sequence[str] = ()) -> Preview:
    """Build and compile a model without training it. Raises whatever `build` raises."""
    words = read(OPTIONS, params)
    made = parts_of(build, params, words, data, seed=0)
    trial = compiled(made, words, data, objectives)
    programmed(trial, words, data, example_weights(words, data) is not None, streamed=False)
    return Preview(made.model.count_params(), describe(made.model, words))


def _state(
    epoch: int, metrics: Mapping[str, float], variables: Mapping[str, Any], hooks: Sequence[keras.callbacks.Callback]
) -> checkpoint.State:
    arrays = {name: variable.value.numpy() for name, variable in variables.items()}
    return checkpoint.State(epoch, metrics, arrays | callbacks.state(hooks))


def _restore(variables: Mapping[str, Any], state: checkpoint.State | None) -> tuple[int, dict[str, float]]:
    """Put a checkpoint's values into the variables; return its epoch and metrics, or 0 and none."""
    if state is None:
        return 0, {}
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    saved = {name: array.shape for name, array in state.arrays.items() if not name.startswith("callbacks.")}
    if shapes != saved:
        log.warning("the checkpoint of epoch %s is of another model (was build changed?); starting over", state.epoch)
        return 0, {}
    for name, variable in variables.items():
        variable.assign(state.arrays[name])
    return state.epoch, dict(state.metrics)


def _check_finite(epoch: int, metrics: Mapping[str, float]) -> None:
    bad = [f"{name} is {value}" for name, value in metrics.items() if not math.isfinite(value)]
    if bad:
        raise Diverged(f"epoch {epoch}: {', '.join(bad)}")

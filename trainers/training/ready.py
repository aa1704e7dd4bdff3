"""How does a trial get from its parameters to a program that is ready to train it?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import keras

from trainers import runtime
from trainers.contract import Run
from trainers.data import Data
from trainers.data.placing import largest
from trainers.training.augmentation import layers as augmentation_layers
from trainers.training.callbacks import watched
from trainers.training.compiling import goal, make_state
from trainers.training.loop import CompiledEpochs
from trainers.training.metrics import Answers
from trainers.training.optimizer import optimizer
from trainers.training.programs import Program, Programs, Trial
from trainers.training.streaming import StreamedEpochs
from trainers.training.structure import Parts, parts, structure_of
from trainers.training.updates import Updates
from trainers.training.variables import release

Build = Callable[[Mapping[str, Any], Data], keras.Model]


def ready(
    build: Build, params: Mapping[str, Any], words: Mapping[str, Any], run: Run, weighted: bool, known: Programs
) -> tuple[Trial, Program]:
    """Return a trial at its start, and the program that is ready to train it."""
    data, objectives = run.data, (*run.objectives, *run.constraints, *watched(words))
    known.note_replaced()
    made = parts_of(build, params, words, data, run.seed, known.garbage, known.may_keep_kernels)
    known.garbage, known.trials = False, known.trials + 1
    structure = structure_of(made, words, objectives, weighted)
    program = known.find(structure)
    trial = compiled(made, words, data, objectives, None if program is None else program.first.aim.answers)
    # What can't be told is like nothing else.
    kind, updates = ("", Updates()) if structure is None else (structure.optimizer, known.updates)
    if program is None:
        program = programmed(trial, words, data, weighted, not fits_on_device(data), kind, updates)
    else:
        program.lend(trial, kind, updates)
    known.keep(structure, program)
    known.note_shapes(words["batch_size"], *(variable.shape for variable in trial.model.variables))
    return trial, program


def parts_of(
    build: Build,
    params: Mapping[str, Any],
    words: Mapping[str, Any],
    data: Data,
    seed: int,
    collect: bool = True,
    keep_kernels: bool = False,
) -> Parts:
    """Return the model as the seed makes it, and what it is trained with; names begin anew with every trial."""
    with runtime.kernels_kept() if keep_kernels else nullcontext():
        keras.utils.clear_session(free_memory=collect)
        runtime.seed_everything(seed)
    keras.config.set_dtype_policy(words["precision"])
    model = build(params, data)
    if not isinstance(model, keras.Model):
        raise TypeError(f"build(params, data) returned a {type(model).__name__}; expected a keras.Model")
    if not model.built:
        model(data.x_train[:2], training=False)  # only now it has weights, and a structure
    return parts(model, optimizer(words), augmentation_layers(words["augment"], data, seed))


def compiled(
    made: Parts, words: Mapping[str, Any], data: Data, objectives: Sequence[str], answers: Answers | None = None
) -> Trial:
    """Return the trial that these parts make; `answers` are the model's, if they are known."""
    model = made.model
    aim = goal(model, data, words, objectives, answers)
    model.compile(made.optimizer, loss=aim.loss, metrics=aim.metrics)
    return Trial(made, aim, tuple(model.optimizer.variables))


def programmed(
    trial: Trial,
    words: Mapping[str, Any],
    data: Data,
    weighted: bool,
    streamed: bool,
    kind: str = "",
    updates: Updates | None = None,
) -> Program:
    """Return a new program, ready to train the trial that it is made for; `kind` is its `Structure.optimizer`."""
    model, widths = trial.model, trial.parts.widths
    for variable in trial.parts.start:
        release(variable, widths.shape(variable))
    make_state(model, data, trial.aim)
    augmentation, encode, places = trial.parts.augmentation, trial.aim.encode, trial.places
    epochs_over = StreamedEpochs if streamed else CompiledEpochs
    epochs = epochs_over(model, data, augmentation, encode, places, weighted, words["jit_compile"])
    program = Program(trial, epochs)
    program.build_optimizer(trial, kind, Updates() if updates is None else updates)
    return program


def fits_on_device(data: Data) -> bool:
    """Return whether the data set may stay on the device: at most a quarter of a GPU's memory, or 4 GB of the CPU's."""
    if data.stream is not None:
        return False
    return data.size <= largest(runtime.device_memory())

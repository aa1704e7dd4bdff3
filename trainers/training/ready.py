"""How does a trial get from its parameters to a program that is ready to train it?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import keras
import tensorflow as tf

from trainers import runtime
from trainers.contract import Run
from trainers.data import Data
from trainers.data.placing import largest
from trainers.training.augmentation import layers as augmentation_layers
from trainers.training.callbacks import watched
from trainers.training.compiling import goal, make_state
from trainers.training.loop import CompiledEpochs
from trainers.training.one_vector import one_vector
from trainers.training.optimizer import optimizer
from trainers.training.programs import Parts, Program, Programs, loss_places, parts, scalars_in, structure_of
from trainers.training.streaming import StreamedEpochs

Build = Callable[[Mapping[str, Any], Data], keras.Model]


def ready(
    build: Build, params: Mapping[str, Any], words: Mapping[str, Any], run: Run, weighted: bool, known: Programs
) -> Program:
    """Return a program that is ready to train this trial from its start."""
    data, objectives = run.data, (*run.objectives, *run.constraints, *watched(words))
    streamed = not fits_on_device(data)
    made = parts_of(build, params, words, data, run.seed, known.garbage, known.may_keep_kernels)
    known.garbage = False
    structure = structure_of(made, words, objectives, weighted)
    program = known.find(structure)
    if program is None:
        program = compiled(made, words, data, objectives, weighted, streamed)
        known.keep(structure, program)
    else:
        program.take(made, words["label_smoothing"])
    return program


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
    return parts(model, optimizer(words), augmentation_layers(words["augment"], data, seed))


def compiled(
    made: Parts, words: Mapping[str, Any], data: Data, objectives: Sequence[str], weighted: bool, streamed: bool
) -> Program:
    """Return a new program, ready to train the trial that its parts were made for."""
    model = made.model
    aim = goal(model, data, words, objectives)
    model.compile(made.optimizer, loss=aim.loss, metrics=aim.metrics)
    vector = one_vector(model)
    make_state(model, data, aim, model.trainable_variables if vector is None else [vector.variable])
    loss = loss_places(aim.loss)
    kind = StreamedEpochs if streamed else CompiledEpochs
    scalars, jit_compile = scalars_in([*made.places, *loss]), words["jit_compile"]
    epochs = kind(model, data, made.augmentation, aim.encode, scalars, weighted, vector, jit_compile)
    fresh = [tf.identity(variable.value) for variable in model.optimizer.variables]
    program = Program(made, aim, loss, epochs, fresh, vector)
    program.loosen()
    return program


def fits_on_device(data: Data) -> bool:
    """Return whether the data set may stay on the device: at most a quarter of a GPU's memory, or 4 GB of the CPU's."""
    if data.stream is not None:
        return False
    return data.size <= largest(runtime.device_memory())

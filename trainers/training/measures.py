"""What does a trained model cost: size, operations, time?"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from trainers.data import Data

WARM_UP, CALLS = 3, 30
"""Predictions that aren't timed, and that are."""


@dataclass(frozen=True)
class Trained:
    """A model, the data it was trained on, and how long the epochs took, in seconds."""

    model: keras.Model
    data: Data
    seconds: Sequence[float]


def measured(names: Collection[str], model: keras.Model, data: Data, seconds: Sequence[float]) -> dict[str, float]:
    """Return those of the table `MEASURED` that `names` has; `seconds` are those of the epochs so far.

    `seconds_per_epoch` needs at least one.
    """
    trained = Trained(model, data, seconds)
    return {name: measure(trained) for name, measure in MEASURES.items() if name in names}


def _parameters(trained: Trained) -> float:
    return float(trained.model.count_params())


def _flops(trained: Trained) -> float:
    """Count with TensorFlow's profiler: a multiplication and an addition are two; what it doesn't know counts 0."""
    from tensorflow.python.profiler import model_analyzer, option_builder  # tf.compat.v1.profiler, without its noise

    graph = _prediction(trained).graph
    options = option_builder.ProfileOptionBuilder(option_builder.ProfileOptionBuilder.float_operation())
    counted = model_analyzer.profile(graph, options=options.with_empty_output().build())
    return float(counted.total_float_ops)


def _seconds_per_epoch(trained: Trained) -> float:
    return statistics.median(trained.seconds)


def _latency(trained: Trained) -> float:
    """Time single predictions, from the example in memory to the answer in memory."""
    predict, example = _prediction(trained), tf.constant(trained.data.x_validation[:1])
    times = []
    for _ in range(WARM_UP + CALLS):
        start = time.perf_counter()
        predict(example).numpy()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times[WARM_UP:])


def _bytes(trained: Trained) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        trained.model.save(path, include_optimizer=False)
        return float(path.stat().st_size)


def _prediction(trained: Trained) -> Any:
    """Return the model's prediction for one example as one program, in which every size is known."""
    x, model = trained.data.x_validation, trained.model
    values = [(variable, tf.identity(variable.value)) for variable in model.variables]

    def predict(example: Any) -> Any:
        with keras.StatelessScope(state_mapping=values):
            return model(example, training=False)

    return tf.function(predict, autograph=False).get_concrete_function(tf.TensorSpec((1, *x.shape[1:]), x.dtype))


MEASURES: dict[str, Callable[[Trained], float]] = {
    "parameters": _parameters,
    "flops": _flops,
    "seconds_per_epoch": _seconds_per_epoch,
    "latency_ms": _latency,
    "model_bytes": _bytes,
}

"""Which learning rate does each step of a trial have?

Every schedule is a row of Keras schedules, each over a stretch of the steps; their values are Keras'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from trainers.words.reading import one_word
from trainers.words.schedules import SCHEDULE

Piece = tuple[int, keras.optimizers.schedules.LearningRateSchedule]
"""A number of steps and what holds in them, its own steps counted from 0."""

keras_schedules = keras.optimizers.schedules


def values(words: Mapping[str, Any], steps: int, steps_per_epoch: int) -> NDArray[np.float32]:
    """Return the learning rate of each of the trial's `steps` steps, float32 (steps,)."""
    rates = [_evaluated(schedule, length) for length, schedule in pieces(words, steps) if length]
    joined = np.concatenate(rates)[:steps]
    if words["schedule_by"] == "epoch":
        return np.repeat(joined[::steps_per_epoch], steps_per_epoch)[:steps]
    return joined


def by_callback(words: Mapping[str, Any]) -> bool:
    """Tell whether a callback may change the optimizer's learning rate between epochs; `values` is flat then."""
    word, options = one_word(SCHEDULE, words["schedule"])
    return word.name == "reduce_on_plateau" or (word.name == "constant" and not options["warmup"])


def pieces(words: Mapping[str, Any], steps: int) -> list[Piece]:
    """Return the Keras schedules of a trial, one after the other; together they have `steps` steps."""
    word, options = one_word(SCHEDULE, words["schedule"])
    highest = float(words["learning_rate"])
    rising = round(options.get("warmup", 0.0) * steps)
    warmup = [(rising, keras_schedules.PolynomialDecay(0.0, rising, highest))] if rising else []
    return [*warmup, *PIECES[word.name](highest, options, steps - rising)]


def _evaluated(schedule: keras.optimizers.schedules.LearningRateSchedule, length: int) -> NDArray[np.float32]:
    steps = keras.ops.arange(length, dtype="float32")
    rates: NDArray[np.float32] = keras.ops.convert_to_numpy(schedule(steps))
    return rates.astype(np.float32, copy=False)


def _constant(highest: float, options: Mapping[str, Any], steps: int) -> list[Piece]:
    return [(steps, keras_schedules.PolynomialDecay(highest, max(1, steps), highest))]


def _cosine(highest: float, options: Mapping[str, Any], steps: int) -> list[Piece]:
    return [(steps, keras_schedules.CosineDecay(highest, max(1, steps), options["final"]))]


def _cosine_restarts(highest: float, options: Mapping[str, Any], steps: int) -> list[Piece]:
    longer, cycles = options["t_mul"], options["restarts"] + 1
    first = steps / cycles if longer == 1 else steps * (longer - 1) / (longer**cycles - 1)
    schedule = keras_schedules.CosineDecayRestarts(
        highest, max(1, first), longer, options["m_mul"], alpha=options["final"]
    )
    return [(steps, schedule)]


def _exponential(highest: float, options: Mapping[str, Any], steps: int) -> list[Piece]:
    return [(steps, keras_schedules.ExponentialDecay(highest, max(1, steps), options["decay"]))]


def _polynomial(highest: float, options: Mapping[str, Any], steps: int) -> list[Piece]:
    end, power = highest * options["final"], options["power"]
    return [(steps, keras_schedules.PolynomialDecay(highest, max(1, steps), end, power))]


def _inverse_time(highest: float, options: Mapping[str, Any], steps: int) -> list[Piece]:
    return [(steps, keras_schedules.InverseTimeDecay(highest, max(1, steps), options["rate"]))]


def _step(highest: float, options: Mapping[str, Any], steps: int) -> list[Piece]:
    stretch = max(1, -(-steps // (options["drops"] + 1)))
    return [(steps, keras_schedules.ExponentialDecay(highest, stretch, options["factor"], staircase=True))]


def _piecewise(highest: float, options: Mapping[str, Any], steps: int) -> list[Piece]:
    # Keras still counts the boundary itself to the stretch before.
    boundaries = [round(share * steps) - 1 for share in options["boundaries"]]
    levels = [highest * share for share in options["shares"]]
    return [(steps, keras_schedules.PiecewiseConstantDecay(boundaries, levels))]


def _one_cycle(highest: float, options: Mapping[str, Any], steps: int) -> list[Piece]:
    rising = min(steps - 1, max(1, round(options["rising"] * steps))) if steps > 1 else 0
    # A cosine down to more than where it began goes up.
    up = keras_schedules.CosineDecay(highest * options["start"], max(1, rising), alpha=1 / options["start"])
    down = keras_schedules.CosineDecay(highest, max(1, steps - rising), alpha=options["final"])
    return [(rising, up), (steps - rising, down)]


PIECES: dict[str, Callable[[float, Mapping[str, Any], int], list[Piece]]] = {
    "constant": _constant,
    "cosine": _cosine,
    "cosine_restarts": _cosine_restarts,
    "exponential": _exponential,
    "polynomial": _polynomial,
    "inverse_time": _inverse_time,
    "step": _step,
    "piecewise": _piecewise,
    "one_cycle": _one_cycle,
    "reduce_on_plateau": _constant,
}

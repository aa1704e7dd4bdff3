"""Which Keras optimizer and learning rate schedule the words of a trial stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import keras

from trainers.words.optimizers import OPTIMIZER
from trainers.words.reading import one_word
from trainers.words.schedules import SCHEDULE


def optimizer(words: Mapping[str, Any], steps: int) -> keras.optimizers.Optimizer:
    """Return the optimizer of a trial of `steps` steps; `words` are all those of `trainers.words.training`."""
    word, options = one_word(OPTIMIZER, words["optimizer"])
    for name in ("weight_decay", "clipnorm"):
        if words[name] is not None:
            options[name] = words[name]
    made: keras.optimizers.Optimizer = keras_object(word.target)(
        learning_rate=learning_rate(words["learning_rate"], words["schedule"], steps), **options
    )
    return made


def learning_rate(highest: float, schedule: Any, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate as Keras takes it: a number, or a schedule over `steps` steps."""
    word, options = one_word(SCHEDULE, schedule)
    if word.name == "constant":
        return highest
    return SCHEDULES[word.name](keras_object(word.target), highest, options, steps)


def _cosine(schedule: Any, highest: float, options: Mapping[str, Any], steps: int) -> Any:
    rising = round(options["warmup"] * steps)
    return schedule(
        initial_learning_rate=0.0 if rising else highest,
        decay_steps=max(1, steps - rising),
        alpha=options["final"],
        warmup_target=highest if rising else None,
        warmup_steps=rising,
    )


def _exponential(schedule: Any, highest: float, options: Mapping[str, Any], steps: int) -> Any:
    return schedule(highest, decay_steps=steps, decay_rate=options["decay"])


def _polynomial(schedule: Any, highest: float, options: Mapping[str, Any], steps: int) -> Any:
    return schedule(highest, decay_steps=steps, end_learning_rate=highest * options["final"], power=options["power"])


SCHEDULES: dict[str, Callable[[Any, float, Mapping[str, Any], int], Any]] = {
    "cosine": _cosine,
    "exponential": _exponential,
    "polynomial": _polynomial,
}


def keras_object(target: str) -> Any:
    """Return what a table's target such as `keras.optimizers.Adam` names."""
    return reduce(getattr, target.split(".")[1:], keras)

"""Which Keras optimizer the words of a trial stand for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import keras

from trainers.words.optimizers import OPTIMIZER
from trainers.words.reading import one_word, read
from trainers.words.training import CLIPPING, EMA


def optimizer(words: Mapping[str, Any]) -> keras.optimizers.Optimizer:
    """Return the optimizer of a trial; `words` are all those of `trainers.words.training`.

    Its learning rate is a variable: what `schedules.values` gives is assigned step by step.
    """
    word, options = one_word(OPTIMIZER, words["optimizer"])
    for name in ("weight_decay", *CLIPPING):
        if words[name] is not None:
            options[name] = float(words[name])  # which can stand at a place of a program, as a whole number can't
    if words["gradient_accumulation_steps"] is not None:
        options["gradient_accumulation_steps"] = words["gradient_accumulation_steps"]
    if words["ema"] is not None:
        average = read(EMA, words["ema"])
        options["use_ema"], options["ema_momentum"] = True, average["momentum"]
        options["ema_overwrite_frequency"] = average["overwrite_frequency"]
    made: keras.optimizers.Optimizer = keras_object(word.target)(learning_rate=words["learning_rate"], **options)
    return made


def keras_object(target: str) -> Any:
    """Return what a table's target such as `keras.optimizers.Adam` names."""
    return reduce(getattr, target.split(".")[1:], keras)

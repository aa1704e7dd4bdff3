"""When does a model stand for the moving average of its weights (the word `ema`)?

While it is validated and once it is trained. Training itself goes on with the weights as they are; Keras keeps the
average in the optimizer (`use_ema`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras


@contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Put the average into the model's weights while inside; without `ema` do nothing."""
    optimizer = _averaging(model)
    if optimizer is None:
        yield
        return
    swap = keras.callbacks.SwapEMAWeights()
    swap.set_model(model)
    swap.on_test_begin()
    try:
        yield
    finally:
        swap.on_test_end()


def average(model: keras.Model) -> None:
    """Put the average into the model's weights for good; without `ema` do nothing."""
    if _averaging(model) is not None:
        model.optimizer.finalize_variable_values(model.trainable_variables)


def _averaging(model: keras.Model) -> Any:
    """Return the optimizer that keeps an average, or None."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    return optimizer if optimizer.use_ema else None

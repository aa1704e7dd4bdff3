"""Which memory does a Keras variable have: its own, one of open size, or that of a program?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

Shape = tuple[int | None, ...]


def size_of(variables: Iterable[keras.Variable]) -> int:
    """Return how many bytes their values take."""
    return sum(int(one.value.dtype.size) * int(one.shape.num_elements()) for one in variables)


def release(variable: keras.Variable, shape: Shape) -> None:
    """Give a variable memory that takes values of any size where `shape` is None, and of no other size elsewhere."""
    if tuple(variable.value.shape) != shape:
        _put(variable, tf.Variable(variable.value, shape=tf.TensorShape(shape), trainable=variable.trainable))


def lend(mine: Iterable[keras.Variable], theirs: Iterable[keras.Variable]) -> None:
    """Let the second variables have the memory of the first ones, with the values that they hold now."""
    for lent, taken in zip(mine, theirs, strict=True):
        give(lent.value, taken)


def give(memory: tf.Variable, variable: keras.Variable) -> None:
    """Let a variable have this memory, with the value that it holds now."""
    memory.assign(variable.value)
    _put(variable, memory)


def _put(variable: keras.Variable, memory: tf.Variable) -> None:
    variable._initialize(memory)  # what its constructor does with a variable that it is given


@contextmanager
def reused(pool: list[tf.Variable]) -> Iterator[None]:
    """Whoever makes a variable inside gets the next of these, with the value that it was to begin with.

    Where there are too few of them, more are made and added.
    """
    given = iter([*pool])

    def next_one(make: Any, initial_value: Any, **named: Any) -> tf.Variable:
        variable = next(given, None)
        if variable is None:
            pool.append(make(initial_value=initial_value, **named))
            return pool[-1]
        variable.assign(initial_value() if callable(initial_value) else initial_value)
        return variable

    with tf.variable_creator_scope(next_one):
        yield


@contextmanager
def of_any_size() -> Iterator[None]:
    """Leave all sizes of the variables that are made inside open, but not how many there are.

    TensorFlow makes and keeps kernels for each new shape of a variable, half a megabyte a trial of new widths; Keras
    knows the sizes all the same. Not for a user's own layers, which may ask TensorFlow.
    """

    def make_open(make: Any, initial_value: Any, **named: Any) -> Any:
        value = initial_value() if callable(initial_value) else initial_value
        return make(**{**named, "initial_value": value, "shape": tf.TensorShape([None] * len(value.shape))})

    with tf.variable_creator_scope(make_open):
        yield

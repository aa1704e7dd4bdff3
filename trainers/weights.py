"""The Keras initializers and regularizers that words such as `{l2: 1e-4}` stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spaces.vocabulary import Options, Word
from trainers.training.optimizer import keras_object
from trainers.words.reading import read
from trainers.words.weights import INITIALIZERS, MATRIX_REGULARIZER


def initializer(value: Any) -> Any:
    """Return a new Keras initializer: two layers that share one would start with the same weights."""
    return _made(INITIALIZERS, value)


def regularizer(value: Any) -> Any:
    """Return the Keras regularizer, or None for None."""
    return None if value is None else _made(MATRIX_REGULARIZER.words, value)


def kernel(words: Mapping[str, Any], part: str = "kernel", word: str = "kernel") -> dict[str, Any]:
    """Return the Keras arguments for the part of a layer's weights that the words `word`_… are about."""
    return {
        f"{part}_initializer": initializer(words[f"{word}_initializer"]),
        f"{part}_regularizer": regularizer(words.get(f"{word}_regularizer")),
    }


def _made(table: Sequence[Word], value: Any) -> Any:
    """Return the Keras object for `"l2"`, `{"l2": 0.1}` or `{"l1l2": {"l1": 0.1}}`."""
    name, given = next(iter(value.items())) if isinstance(value, Mapping) else (value, None)
    word = next(word for word in table if word.name == name)
    made = keras_object(word.target)
    if isinstance(word.kind, Options):
        return made(**read(word.kind, given or {}))
    return made() if given is None else made(given)

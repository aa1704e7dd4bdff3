"""How a trained model is saved: in front of it, what turns raw values into the numbers that it was trained on."""

from __future__ import annotations

from typing import Any

import keras

from trainers.data import Data
from trainers.data.data import Column


def exported(model: keras.Model, data: Data) -> keras.Model:
    """Return a model of raw values that gives what `model` gives; its weights are those of `model`.

    Images, numbers and sequences are raw already: (n, …); sequences may have any number of steps. Texts are strings
    (n,). Tables with categories are a dict {column: (n, 1)}, float32 numbers (NaN where missing) and strings ("" where
    missing); a category that training never saw is unknown. Made of Keras' own layers: it loads with
    `keras.saving.load_model` alone.
    """
    if data.columns is not None:
        return _of_columns(model, data.columns)
    if data.vocabulary is not None:
        from trainers.data.text import vectorizer

        texts = keras.Input((), dtype="string", name="text")
        return keras.Model(texts, model(vectorizer(data.vocabulary, data.input_shape[0])(texts)))
    if data.padding is not None:
        return _of_any_length(model, data)
    return model


def _of_columns(model: keras.Model, columns: tuple[Column, ...]) -> keras.Model:
    """Put categories into the codes of `trainers.data.columns.encoded`."""
    raw, numbers, taken = {}, [], {column.name for column in columns}
    for column in columns:
        name = column.name
        if "/" in name:  # Keras allows none
            name = name.replace("/", "_")
            while name in taken:
                name += "_"
            taken.add(name)
        kind = "string" if column.kind == "category" else "float32"
        raw[name] = value = keras.Input((1,), name=name, dtype=kind)
        if column.kind == "category":
            lookup = keras.layers.StringLookup(vocabulary=list(column.categories), num_oov_indices=1, mask_token="")
            value = keras.ops.cast(lookup(value), "float32")
        numbers.append(value)
    row = numbers[0] if len(numbers) == 1 else keras.layers.Concatenate(dtype="float32")(numbers)
    return keras.Model(raw, model(row))


def _of_any_length(model: keras.Model, data: Data) -> keras.Model:
    """Cut sequences, and fill them with zeros, as `trainers.data.sequences.padded` does."""
    length, features = data.input_shape
    sequences = keras.Input((None, features), dtype="float32")
    filling = ((0, 0), (0, length), (0, 0)) if data.padding == "post" else ((0, 0), (length, 0), (0, 0))
    x: Any = keras.ops.pad(sequences, filling)
    x = x[:, :length] if data.padding == "post" else x[:, -length:]
    return keras.Model(sequences, model(keras.ops.reshape(x, (-1, length, features))))

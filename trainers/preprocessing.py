"""How a model begins: from raw values, as the data set holds them, to what its layers work on.

Built of Keras' own layers and operations alone, in a functional model: what is saved loads without this package. All of
it works in float32, whatever the precision.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from spaces.vocabulary import Options
from trainers.data import Data, DataError
from trainers.data.data import FIRST_CATEGORY, MISSING
from trainers.fitting import Fitted, fit, most_frequent_category, numbers
from trainers.words.preprocessing import (
    CATEGORIES,
    IMAGE_PREPROCESSING,
    SEQUENCE_PREPROCESSING,
    TABLE_PREPROCESSING,
)
from trainers.words.reading import one_word, read

MOST_ONE_HOT = 200


def inputs(params: Mapping[str, Any], data: Data) -> tuple[Any, Any]:
    """Return the model's input and what follows from it by the words under `preprocessing`, as Keras tensors.

    Images give (n, height, width, channels), tables (n, features), sequences (n, steps, features), float32; anything
    else is left as it is. A build function of one's own may begin with it too. Raises DataError.
    """
    if data.vocabulary is not None:
        start = keras.Input(data.input_shape, dtype="int32")
        return start, start
    start = keras.Input(data.input_shape, dtype="float32")
    prepared = {1: table, 2: sequence, 3: image}.get(len(data.input_shape))
    return start, start if prepared is None else prepared(start, params, data)


def image(x: Any, params: Mapping[str, Any], data: Data, scaled: bool = True) -> Any:
    """Resize, crop and (if `scaled`) scale images (n, height, width, channels), or scale volumes. Raises DataError."""
    words = _words(IMAGE_PREPROCESSING, params)
    if len(x.shape) != 4 and (words["resize"] or words["crop"]):
        raise DataError(
            f"preprocessing.resize and crop: received examples of shape {data.input_shape}; expected images "
            "(height, width, channels). Leave them out"
        )
    if words["resize"]:
        x = keras.layers.Resizing(*_size(words["resize"]), dtype="float32")(x)
    if words["crop"]:
        height, width = _size(words["crop"])
        if height > x.shape[1] or width > x.shape[2]:
            raise DataError(
                f"preprocessing.crop: received {height} x {width} of images of {x.shape[1]} x {x.shape[2]} pixels; "
                "expected no more than they have"
            )
        x = keras.layers.CenterCrop(height, width, dtype="float32")(x)
    if not scaled:
        return x
    name, options = one_word(_kind(IMAGE_PREPROCESSING, "scale"), words["scale"])
    if name.name == "rescale":
        factor = 1 / data.maximum if options["factor"] is None else options["factor"]
        return keras.layers.Rescaling(factor, offset=options["offset"], dtype="float32")(x)
    return _scaled(x, fit(words, data))


def _size(given: int | list[int]) -> tuple[int, int]:
    height, width = (given, given) if isinstance(given, int) else given
    return height, width


def sequence(x: Any, params: Mapping[str, Any], data: Data) -> Any:
    """Cut sequences (n, steps, features), and clip and scale their features. Raises DataError."""
    words = _words(SEQUENCE_PREPROCESSING, params)
    if words["length"]:
        x = x[:, -words["length"] :] if data.padding == "pre" else x[:, : words["length"]]
    prepared = _numbers(x, fit(words, data, steps=True))
    if data.padding is None:
        return prepared
    # A step of zeros is filling, which a Masking layer must still be able to tell.
    return ops.where(ops.any(ops.not_equal(x, 0.0), axis=-1, keepdims=True), prepared, 0.0)


def table(x: Any, params: Mapping[str, Any], data: Data) -> Any:
    """Fill, clip and scale a table's numbers, and put its categories into features: (n, features). Raises DataError."""
    words = _words(TABLE_PREPROCESSING, params)
    fitted, columns = fit(words, data), numbers(data)
    parts = []
    if columns:
        raw = x if data.columns is None else ops.take(x, columns, axis=1)
        parts.append(_numbers(raw, fitted))
        if words["missing_indicator"] and fitted.absent:
            parts.append(ops.cast(ops.isnan(ops.take(raw, list(fitted.absent), axis=1)), "float32"))
    for position, column in enumerate(data.columns or ()):
        if column.kind == "category":
            parts.append(_category(x, position, words, data))
    return parts[0] if len(parts) == 1 else keras.layers.Concatenate(dtype="float32")(parts)


def _numbers(x: Any, fitted: Fitted) -> Any:
    """Fill, clip, take logarithms and scale: (…, features) float32."""
    if fitted.fill is not None:
        x = ops.where(ops.isnan(x), fitted.fill, x)
    if fitted.low is not None:
        x = ops.maximum(x, fitted.low)
    if fitted.high is not None:
        x = ops.minimum(x, fitted.high)
    if fitted.log is not None:
        logarithm = ops.sign(x) * ops.log1p(ops.absolute(x))
        x = logarithm if fitted.log.all() else ops.where(fitted.log, logarithm, x)
    return _scaled(x, fitted)


def _scaled(x: Any, fitted: Fitted) -> Any:
    if fitted.bins is not None:
        columns = [
            keras.layers.Discretization(edges, output_mode="one_hot", dtype="float32")(x[:, position : position + 1])
            for position, edges in enumerate(fitted.bins)
        ]
        return columns[0] if len(columns) == 1 else keras.layers.Concatenate(dtype="float32")(columns)
    if fitted.mean is not None:
        return keras.layers.Normalization(mean=fitted.mean, variance=fitted.variance, dtype="float32")(x)
    if fitted.rescale is not None:
        factor, offset = fitted.rescale
        return keras.layers.Rescaling(factor, offset=offset, dtype="float32")(x)
    return x


def _category(x: Any, position: int, words: Mapping[str, Any], data: Data) -> Any:
    """Turn the codes of one column into features (n, features) float32."""
    assert data.columns is not None
    column = data.columns[position]
    code = ops.cast(x[:, position], "int32")
    if words["missing"] is not None and one_word(_kind(TABLE_PREPROCESSING, "missing"), words["missing"])[0].name == (
        "most_frequent"
    ):
        code = ops.where(ops.equal(code, MISSING), most_frequent_category(data, position), code)
    name, options = one_word(CATEGORIES, words["categories"])
    count = len(column.categories)
    if name.name == "embedding":
        size = options["size"] or min(50, (count + 1) // 2)
        return keras.layers.Embedding(count + FIRST_CATEGORY, size, dtype="float32")(code)
    if count > MOST_ONE_HOT:
        raise DataError(
            f"column '{column.name}' has {count} different texts, too many for one feature each (at most "
            f"{MOST_ONE_HOT}); write preprocessing: {{categories: embedding}} under space, or ignore the column"
        )
    # What training never sees gets no feature of its own: its weights would stay what chance made them.
    features = ops.one_hot(code - FIRST_CATEGORY, count, dtype="float32")
    known = data.stream.moments if data.stream is not None else None
    if (data.x_train[:, position].min() if known is None else known.least[position]) != MISSING:
        return features
    missing = ops.cast(ops.equal(code, MISSING), "float32")
    return keras.layers.Concatenate(dtype="float32")([features, ops.expand_dims(missing, 1)])


def _words(known: Options, params: Mapping[str, Any]) -> dict[str, Any]:
    return read(known, params.get("preprocessing") or {})


def _kind(known: Options, name: str) -> Any:
    return next(option.kind for option in known.options if option.name == name)

"""How the built-in models are put together: blocks one after the other, a head, an output.

Every function takes and gives a Keras tensor (n, …, channels).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from trainers.blocks_layers import RECURRENT, builder, pooled, rank
from trainers.data import Data, DataError
from trainers.weights import initializer
from trainers.words.layers import EMBEDDING, block
from trainers.words.losses import LOSS
from trainers.words.reading import one_word, read

Words = Mapping[str, Any]

KIND_OF_DATA = {
    0: "vectors (n, features)",
    1: "sequences (n, time, channels)",
    2: "images (n, height, width, channels)",
    3: "volumes (n, depth, height, width, channels)",
}


def stack(x: Any, params: Sequence[Any] | None, default: str, name: str = "layers", mask: Any = None) -> Any:
    """Add one block after the other; each is a layer kind or options of the `default` one, or None: no block.

    `mask` (n, time) tells which steps of a sequence are real; blocks that shorten the sequence end its use. Raises
    DataError, with the block's place in the list `name`, where a block can't follow what is there.
    """
    blocks = [(position, *block(each, default)) for position, each in enumerate(params or ()) if each is not None]
    for position, kind, words in blocks:
        if kind.word.name in RECURRENT and words["return_sequences"] is None:
            # The state after the last step says it all, unless a later block wants to see every step.
            words = words | {"return_sequences": position < blocks[-1][0]}
        where = f"{name}.{position} ({kind.word.name})"
        if rank(x) not in kind.ranks:
            taken = " or ".join(KIND_OF_DATA[each] for each in kind.ranks)
            raise DataError(f"{where}: received {KIND_OF_DATA.get(rank(x), x.shape)}; expected {taken}")
        try:
            x = builder(kind)(x, words, mask)
        except ValueError as error:
            raise DataError(f"{where}: can't be built on {tuple(x.shape)} with {_shown(words)}: {error}") from error
        if mask is not None and (rank(x) != 1 or x.shape[1] != mask.shape[1]):
            mask = None
    return x


def take_maps(params: Sequence[Any], default: str) -> bool:
    """Tell whether any block takes images, and no vectors."""
    return any(0 not in block(each, default)[0].ranks for each in params if each is not None)


def _shown(words: Words) -> str:
    return ", ".join(f"{name}: {value}" for name, value in words.items() if value not in (None, False, 0, "none"))


def embedded(numbers: Any, values: int, params: Words) -> Any:
    """Return a vector (n, time, size) for each whole number from 0 to `values` - 1 of (n, time)."""
    words = read(EMBEDDING, params)
    start = initializer(words["initializer"])
    x = keras.layers.Embedding(values, words["size"], embeddings_initializer=start)(numbers)
    return keras.layers.SpatialDropout1D(words["dropout"])(x) if words["dropout"] else x


def positioned(x: Any) -> Any:
    """Return (n, time, channels) with a learned vector added at each step."""
    steps = keras.ops.cumsum(keras.ops.ones_like(x[..., 0], dtype="int32"), axis=1) - 1
    return keras.layers.Add()([x, keras.layers.Embedding(x.shape[1], x.shape[-1])(steps)])


def head(x: Any, kind: str, mask: Any = None) -> Any:
    """Return a vector for each example; steps of a sequence that aren't real don't count in an average."""
    if rank(x) == 0:
        return x
    if kind == "flatten":
        return keras.layers.Flatten()(x)
    if kind == "average" and mask is not None and rank(x) == 1 and x.shape[1] == mask.shape[1]:
        return _average_of_real(x, mask)
    return pooled(x, kind)


def _average_of_real(x: Any, mask: Any) -> Any:
    """Return the average over the real steps; 0 for an empty text, which Keras' masked pooling would make NaN."""
    ops = keras.ops
    real = ops.expand_dims(ops.cast(mask, x.dtype), -1)
    return ops.sum(x * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1)


def output(x: Any, data: Data, params: Mapping[str, Any]) -> Any:
    """Add the last layer: logits (n, classes), or predictions (n, 1) in the unit of the labels; always float32.

    Predictions that a Poisson loss judges are above 0.
    """
    if data.classes is not None:
        return keras.layers.Dense(data.classes, dtype="float32", name="logits")(x)
    x = keras.layers.Dense(1, dtype="float32")(x)
    # The network works on standardized targets, whatever their unit.
    x = keras.layers.Rescaling(data.target_deviation, offset=data.target_mean, dtype="float32", name="prediction")(x)
    counts = params.get("loss") is not None and one_word(LOSS, params["loss"])[0].name == "poisson"
    return keras.layers.Activation("softplus", dtype="float32")(x) if counts else x

"""How each kind of block is made of Keras layers, from the words of `trainers.words.layers`.

Every builder takes a Keras tensor (n, …, channels), the block's words and a mask (n, time) or None, and gives a tensor.
Kinds without a builder here are a Keras layer that takes the words as its arguments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from trainers.training.optimizer import keras_object
from trainers.weights import kernel, regularizer
from trainers.words.layers import LayerKind

Words = Mapping[str, Any]
Builder = Callable[[Any, Words, Any], Any]


def rank(x: Any) -> int:
    """Return the number of axes between examples and channels."""
    return len(x.shape) - 2


def ranked(name: str, x: Any) -> Any:
    """Return the Keras layer for the rank of `x`: `Conv` for images is `keras.layers.Conv2D`."""
    return getattr(keras.layers, f"{name}{rank(x)}D")


def pooled(x: Any, kind: str) -> Any:
    """Return the largest (`max`) or the average value of each channel: (n, channels)."""
    return ranked("GlobalMaxPooling" if kind == "max" else "GlobalAveragePooling", x)()(x)


def normalized(x: Any, kind: str) -> Any:
    """Add the normalization that `kind` names, if any."""
    match kind:
        case "batch":
            # Keras' own momentum of 0.99 takes hundreds of steps to forget its start: on small data the first epochs
            # would look like failures, and be pruned.
            return keras.layers.BatchNormalization(momentum=0.9)(x)
        case "layer":
            return keras.layers.LayerNormalization()(x)
        case "group":
            return keras.layers.GroupNormalization(math.gcd(int(x.shape[-1]), 8))(x)
        case "rms":
            return keras.layers.RMSNormalization()(x)
    return x


def activated(name: str, x: Any) -> Any:
    """Add the activation of that name."""
    # Keras' Activation layer expects that the shape stays, and glu halves the channels.
    return keras.activations.glu(x) if name == "glu" else keras.layers.Activation(name)(x)


def dropped(x: Any, share: float) -> Any:
    """Add dropout, unless it would drop nothing."""
    return keras.layers.Dropout(share)(x) if share else x


def _normalization(words: Words) -> str:
    kind: str = words["normalization"]
    return "batch" if kind == "none" and words.get("batch_norm") else kind


def _general(words: Words) -> dict[str, Any]:
    """Return what dense and convolution layers have in common."""
    return {
        "use_bias": words["use_bias"] and _normalization(words) != "batch",
        "bias_regularizer": regularizer(words["bias_regularizer"]),
        "activity_regularizer": regularizer(words["activity_regularizer"]),
    }


def dense(x: Any, words: Words, mask: Any = None) -> Any:
    """Add a fully connected layer, normalization, activation and dropout."""
    x = keras.layers.Dense(words["units"], **_general(words), **kernel(words))(x)
    x = activated(words["activation"], normalized(x, _normalization(words)))
    return dropped(x, words["dropout"])


def _convolution(name: str, parts: Sequence[str]) -> Callable[..., Any]:
    """Return the builder of a kind of convolution; `parts` are what its kernel consists of."""

    def build(x: Any, words: Words, mask: Any) -> Any:
        given = {key: words[key] for key in ("kernel_size", "strides", "dilation_rate", "padding")}
        given |= {key: words[key] for key in ("filters", "depth_multiplier") if key in words}
        for part in parts:
            given |= kernel(words, part)
        x = ranked(name, x)(**given, **_general(words))(x)
        x = activated(words["activation"], normalized(x, _normalization(words)))
        if words["pool"] != "none" and min(x.shape[1:-1]) >= 2:
            x = ranked("MaxPooling" if words["pool"] == "max" else "AveragePooling", x)(2)(x)
        if words["spatial_dropout"]:
            x = ranked("SpatialDropout", x)(words["spatial_dropout"])(x)
        return dropped(x, words["dropout"])

    return build


def residual(x: Any, words: Words, mask: Any = None) -> Any:
    """Add two layers and their input to them, through a projection where shapes differ. https://arxiv.org/abs/1512.03385."""
    filters, strides, kind = words["filters"], words["strides"], words["normalization"]

    def layer(x: Any, size: int, strides: int) -> Any:
        if rank(x) == 0:
            return keras.layers.Dense(filters, use_bias=kind != "batch", **kernel(words))(x)
        made = ranked("Conv", x)(
            filters, size, strides=strides, padding="same", use_bias=kind != "batch", **kernel(words)
        )
        return made(x)

    shortcut = x
    y = activated(words["activation"], normalized(layer(x, words["kernel_size"], strides), kind))
    y = normalized(layer(y, words["kernel_size"], 1), kind)
    if words["squeeze_excite"]:
        y = squeeze_excite(y, {"ratio": words["squeeze_excite"], "activation": words["activation"]})
    if shortcut.shape[1:] != y.shape[1:]:
        shortcut = normalized(layer(x, 1, strides), kind)
    return activated(words["activation"], keras.layers.Add()([shortcut, dropped(y, words["dropout"])]))


def squeeze_excite(x: Any, words: Words, mask: Any = None) -> Any:
    """Weigh the channels by a gate that sees all of them. https://arxiv.org/abs/1709.01507."""
    channels = int(x.shape[-1])
    gate = pooled(x, "average") if rank(x) else x
    gate = activated(words["activation"], keras.layers.Dense(max(1, round(channels * words["ratio"])))(gate))
    gate = keras.layers.Dense(channels, activation="sigmoid")(gate)
    if rank(x):
        gate = keras.layers.Reshape((*(1 for _ in range(rank(x))), channels))(gate)
    return keras.layers.Multiply()([x, gate])


def _pooling(x: Any, words: Words, mask: Any) -> Any:
    name = "MaxPooling" if words["kind"] == "max" else "AveragePooling"
    return ranked(name, x)(words["pool_size"], strides=words["strides"])(x)


def _global_pooling(x: Any, words: Words, mask: Any) -> Any:
    return pooled(x, words["kind"])


def _recurrent(kind: Callable[..., Any]) -> Callable[..., Any]:
    """Return the builder of a recurrent layer."""

    def build(x: Any, words: Words, mask: Any) -> Any:
        given = kernel(words) | kernel(words, "recurrent", "recurrent")
        given |= {key: words[key] for key in ("activation", "recurrent_dropout", "return_sequences")}
        layer = kind(words["units"], **given)
        x = (keras.layers.Bidirectional(layer) if words["bidirectional"] else layer)(x, mask=mask)
        if mask is not None:
            # The layer hangs its mask on its output, and Keras warns where a later layer has no use for it.
            x = keras.ops.copy(x)
        return dropped(normalized(x, words["normalization"]), words["dropout"])

    return build


def attention(x: Any, words: Words, mask: Any = None) -> Any:
    """Add what self-attention gives to its input. https://arxiv.org/abs/1706.03762."""
    heads, width = words["heads"], words["key_dim"] or max(1, int(x.shape[-1]) // words["heads"])

    def attended(x: Any) -> Any:
        layer = keras.layers.MultiHeadAttention(heads, width, dropout=words["attention_dropout"], **kernel(words))
        # (n, 1, time): every step may look at the real ones.
        seen = None if mask is None else keras.ops.expand_dims(mask, 1)
        return layer(x, x, attention_mask=seen)

    return _added(x, attended, words)


def transformer(x: Any, words: Words, mask: Any = None) -> Any:
    """Add self-attention and two dense layers, each with its input added. https://arxiv.org/abs/1706.03762."""
    channels = int(x.shape[-1])

    def feed_forward(x: Any) -> Any:
        inside = max(1, round(channels * words["feed_forward"]))
        x = activated(words["activation"], keras.layers.Dense(inside, **kernel(words))(x))
        return keras.layers.Dense(channels, **kernel(words))(x)

    return _added(attention(x, words, mask), feed_forward, words)


def _added(x: Any, part: Callable[[Any], Any], words: Words) -> Any:
    """Return `x` with a part's outputs added, layer normalization ahead of the part or after the sum."""
    if words["norm_first"]:
        return keras.layers.Add()([x, dropped(part(keras.layers.LayerNormalization()(x)), words["dropout"])])
    return keras.layers.LayerNormalization()(keras.layers.Add()([x, dropped(part(x), words["dropout"])]))


RECURRENT = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "simple_rnn": keras.layers.SimpleRNN}

BUILDERS: dict[str, Callable[..., Any]] = {
    "dense": dense,
    "conv": _convolution("Conv", ("kernel",)),
    "separable_conv": _convolution("SeparableConv", ("depthwise", "pointwise")),
    "depthwise_conv": _convolution("DepthwiseConv", ("depthwise",)),
    "residual": residual,
    "squeeze_excite": squeeze_excite,
    "pooling": _pooling,
    "global_pooling": _global_pooling,
    **{name: _recurrent(kind) for name, kind in RECURRENT.items()},
    "attention": attention,
    "transformer": transformer,
}


def builder(kind: LayerKind) -> Builder:
    """Return what makes a block of this kind."""

    def layer(x: Any, words: Words, mask: Any) -> Any:
        return keras_object(kind.word.target.format(rank=rank(x)))(**words)(x)

    return BUILDERS.get(kind.word.name, layer)

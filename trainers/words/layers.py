"""What the blocks of the built-in trainers' models are made of.

One more layer kind is one more row; where Keras has no single layer for it, also one more function in
`trainers.blocks`. A `{rank}` in a row's target is the number of axes between examples and channels: 1 for sequences
(n, time, channels), 2 for images (n, height, width, channels), 3 for volumes. Vectors (n, features) have rank 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spaces.vocabulary import Either, Flag, Kind, OneOf, OneWord, Option, Options, Real, Whole, Word
from trainers.words.reading import read
from trainers.words.weights import (
    ACTIVATION,
    ACTIVATIONS,
    INITIALIZER,
    MATRIX_REGULARIZER,
    REGULARIZER,
    STATE_ACTIVATION,
    WIDTH,
)

__all__ = ["ACTIVATIONS", "CONV", "DENSE", "EMBEDDING", "KINDS", "LAYERS", "LayerKind", "block", "blocks"]

NORMALIZATIONS = ("none", "batch", "layer", "group", "rms")

_SHARE = Real(0, 1, high_open=True)
_DROPOUT = Option("dropout", _SHARE, 0.0, "Share of the block's outputs dropped in training.")
_NORMALIZATION = Option("normalization", OneOf(NORMALIZATIONS), "none", "Normalization ahead of the activation.")
_BIAS = Option("use_bias", Flag(), True, "Add a bias; it is left out where batch normalization follows.")


def _activation(default: str) -> Option:
    return Option("activation", ACTIVATION, default, "Keras activation after the layer.")


def _weights(regularizer: OneWord, initial: str = "glorot_uniform") -> tuple[Option, ...]:
    return (
        Option("kernel_initializer", INITIALIZER, initial, "How the weights start."),
        Option("kernel_regularizer", regularizer, None, "Added to the loss for the size of the weights."),
        Option("bias_regularizer", OneWord(REGULARIZER.words), None, "Added to the loss for the size of the biases."),
        Option("activity_regularizer", OneWord(REGULARIZER.words), None, "Added to the loss for the size of outputs."),
    )


_AROUND = (
    _activation("relu"),
    Option("batch_norm", Flag(), False, "Short for normalization: batch."),
    _NORMALIZATION,
    _DROPOUT,
)
_SPATIAL = Option("spatial_dropout", _SHARE, 0.0, "Share of the channels dropped as a whole in training.")
_KERNEL = Option("kernel_size", WIDTH, 3, "Length of the kernel along each axis.")
_STRIDES = Option("strides", WIDTH, 1, "Every how many steps the kernel is applied.")
_WINDOW = (
    _KERNEL,
    _STRIDES,
    Option("dilation_rate", WIDTH, 1, "Distance between the kernel's points; above 1 only with strides 1."),
    Option("padding", OneOf(("same", "valid")), "same", "valid: no padding, so the edges are lost."),
    Option("pool", OneOf(("max", "average", "none")), "max", "Halve every axis; left out below 2."),
    _SPATIAL,
)
_FILTERS = Option("filters", WIDTH, 32, "Number of output channels.")
_MULTIPLIER = Option("depth_multiplier", WIDTH, 1, "Outputs for each input channel, before they are mixed.")

CONV = Options((_FILTERS, *_WINDOW, *_AROUND, _BIAS, *_weights(REGULARIZER)))
SEPARABLE = Options((_FILTERS, _MULTIPLIER, *_WINDOW, *_AROUND, _BIAS, *_weights(REGULARIZER)))
DEPTHWISE = Options((_MULTIPLIER, *_WINDOW, *_AROUND, _BIAS, *_weights(REGULARIZER)))
DENSE = Options(
    (Option("units", WIDTH, 64, "Number of outputs."), *_AROUND, _BIAS, *_weights(MATRIX_REGULARIZER)),
)
RESIDUAL = Options(
    (
        Option("filters", WIDTH, 32, "Number of output channels; for vectors, of outputs."),
        _KERNEL,
        _STRIDES,
        _activation("relu"),
        Option("normalization", OneOf(NORMALIZATIONS), "batch", "Normalization after each of the two layers."),
        Option("squeeze_excite", Real(0, 1), None, "Ratio of a squeeze-and-excite gate before the sum; none without."),
        _DROPOUT,
        *_weights(REGULARIZER)[:2],
    )
)
SQUEEZE_EXCITE = Options(
    (
        Option("ratio", Real(0, 1, low_open=True), 0.25, "Width of the gate's hidden layer, as a share of channels."),
        _activation("relu"),
    )
)
RECURRENT = Options(
    (
        Option("units", WIDTH, 64, "Size of the state, in each direction."),
        Option("bidirectional", Flag(), False, "Read the sequence both ways; twice the outputs."),
        Option(
            "return_sequences",
            Flag(),
            None,
            "Give an output for each step; if left out, all but the last block of `layers` do.",
        ),
        Option("activation", STATE_ACTIVATION, "tanh", "Keras activation of the state."),
        Option("recurrent_dropout", _SHARE, 0.0, "Share of the state dropped between steps."),
        Option("normalization", OneOf(NORMALIZATIONS), "none", "Normalization of the outputs."),
        _DROPOUT,
        *_weights(MATRIX_REGULARIZER)[:2],
        Option("recurrent_initializer", INITIALIZER, "orthogonal", "How the weights between steps start."),
        Option("recurrent_regularizer", MATRIX_REGULARIZER, None, "Added to the loss for the weights between steps."),
    )
)
_HEADS = (
    Option("heads", WIDTH, 4, "Number of attention heads."),
    Option("key_dim", WIDTH, None, "Width of each head; channels / heads if left out."),
    Option("attention_dropout", _SHARE, 0.0, "Share of the attention weights dropped in training."),
    Option("norm_first", Flag(), True, "Layer normalization ahead of each part; false: after its sum."),
    _DROPOUT,
    *_weights(REGULARIZER)[:2],
)
ATTENTION = Options(_HEADS)
TRANSFORMER = Options(
    (
        *_HEADS,
        Option("feed_forward", Real(0, low_open=True), 4.0, "Width of the two dense layers' inside, over channels."),
        _activation("gelu"),
    )
)
EMBEDDING = Options(
    (
        Option("size", WIDTH, 64, "Length of the vector that stands for each number or word."),
        Option("initializer", INITIALIZER, {"random_uniform": {}}, "How the vectors start."),
        Option("dropout", _SHARE, 0.0, "Share of the vectors' channels dropped in training."),
    )
)
_RATE = Option("rate", _SHARE, 0.5, "Share that is dropped in training.")
_EPSILON = Option("epsilon", Real(0, low_open=True), 1e-3, "Keeps a division from exploding.")
_POOLING = Option("kind", OneOf(("average", "max")), "max", "What is kept of each window.")


@dataclass(frozen=True)
class LayerKind:
    """One row: the word, and the ranks of the data that it takes."""

    word: Word
    ranks: tuple[int, ...]


ANY, AXES = (0, 1, 2, 3), (1, 2, 3)

KINDS: tuple[LayerKind, ...] = (
    LayerKind(Word("dense", DENSE, "keras.layers.Dense", "A fully connected layer, and what follows it."), ANY),
    LayerKind(Word("conv", CONV, "keras.layers.Conv{rank}D", "A convolution, and what follows it."), AXES),
    LayerKind(
        Word(
            "separable_conv",
            SEPARABLE,
            "keras.layers.SeparableConv{rank}D",
            "A convolution of each channel, then a mix of the channels, and what follows.",
        ),
        (1, 2),
    ),
    LayerKind(
        Word(
            "depthwise_conv",
            DEPTHWISE,
            "keras.layers.DepthwiseConv{rank}D",
            "A convolution of each channel by itself, and what follows.",
        ),
        (1, 2),
    ),
    LayerKind(Word("residual", RESIDUAL, "keras.layers.Add", "Two layers, and their input added to them."), ANY),
    LayerKind(
        Word("squeeze_excite", SQUEEZE_EXCITE, "keras.layers.Multiply", "Channels weighed by what all of them say."),
        ANY,
    ),
    LayerKind(
        Word(
            "pooling",
            Options(
                (
                    _POOLING,
                    Option("pool_size", WIDTH, 2, "Length of the window along each axis."),
                    Option("strides", WIDTH, None, "From window to window; the window's length if left out."),
                )
            ),
            "keras.layers.MaxPooling{rank}D",
            "The largest or average value of each window.",
        ),
        AXES,
    ),
    LayerKind(
        Word(
            "global_pooling",
            Options((_POOLING,)),
            "keras.layers.GlobalMaxPooling{rank}D",
            "The largest or average value of each channel: a vector.",
        ),
        AXES,
    ),
    LayerKind(Word("flatten", Options(), "keras.layers.Flatten", "All values in one vector."), AXES),
    LayerKind(Word("lstm", RECURRENT, "keras.layers.LSTM", "Long short-term memory."), (1,)),
    LayerKind(Word("gru", RECURRENT, "keras.layers.GRU", "Gated recurrent units."), (1,)),
    LayerKind(Word("simple_rnn", RECURRENT, "keras.layers.SimpleRNN", "A plain recurrent layer."), (1,)),
    LayerKind(
        Word("attention", ATTENTION, "keras.layers.MultiHeadAttention", "Self-attention, and its input added."), AXES
    ),
    LayerKind(
        Word("transformer", TRANSFORMER, "keras.layers.MultiHeadAttention", "Self-attention, then two dense layers."),
        AXES,
    ),
    LayerKind(
        Word(
            "batch_normalization",
            Options((Option("momentum", _SHARE, 0.9, "Share of the running mean that is kept."), _EPSILON)),
            "keras.layers.BatchNormalization",
            "Each channel to mean 0 and variance 1 over the batch.",
        ),
        ANY,
    ),
    LayerKind(
        Word(
            "layer_normalization", Options((_EPSILON,)), "keras.layers.LayerNormalization", "Channels of each position."
        ),
        ANY,
    ),
    LayerKind(
        Word(
            "group_normalization",
            Options((Option("groups", Whole(1), 8, "Number of groups; it must divide the channels."), _EPSILON)),
            "keras.layers.GroupNormalization",
            "Channels of each example, in groups.",
        ),
        ANY,
    ),
    LayerKind(
        Word("rms_normalization", Options(), "keras.layers.RMSNormalization", "Channels by their root mean square."),
        ANY,
    ),
    LayerKind(Word("dropout", Options((_RATE,)), "keras.layers.Dropout", "Values set to 0 in training."), ANY),
    LayerKind(
        Word("spatial_dropout", Options((_RATE,)), "keras.layers.SpatialDropout{rank}D", "Channels set to 0."), AXES
    ),
    LayerKind(
        Word("alpha_dropout", Options((_RATE,)), "keras.layers.AlphaDropout", "Dropout that suits selu."),
        ANY,
    ),
    LayerKind(
        Word("gaussian_dropout", Options((_RATE,)), "keras.layers.GaussianDropout", "Noise that multiplies."), ANY
    ),
    LayerKind(
        Word(
            "gaussian_noise",
            Options((Option("stddev", Real(0), 0.1, "Standard deviation."),)),
            "keras.layers.GaussianNoise",
            "Noise that is added.",
        ),
        ANY,
    ),
)

LAYERS: tuple[Word, ...] = tuple(kind.word for kind in KINDS)


def blocks(default: str, *ranks: int) -> Kind:
    """Return what a block may be where data of these ranks flows: a layer kind, or the options of the default one."""
    words = tuple(kind.word for kind in KINDS if set(ranks) & set(kind.ranks))
    options = next(word.kind for word in words if word.name == default)
    return Either((OneWord(words), options), f"a layer kind, or options of {default}")


def block(params: Any, default: str) -> tuple[LayerKind, dict[str, Any]]:
    """Return the layer kind that a drawn block names, and its options with defaults filled in.

    `{"conv": {"filters": 8}}` and `"flatten"` name one; any other map is the options of the `default` kind. An option
    may be called like a kind (`dropout`): under a kind stands a map.
    """
    by_name = {kind.word.name: kind for kind in KINDS}
    if isinstance(params, str):
        params = {params: {}}
    name, given = next(iter(params.items()), ("", 0)) if isinstance(params, Mapping) and len(params) == 1 else ("", 0)
    if name not in by_name or not isinstance(given, Mapping | None):
        name, given = default, params
    kind = by_name[name]
    assert isinstance(kind.word.kind, Options)
    return kind, read(kind.word.kind, given or {})

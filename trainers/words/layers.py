"""What the blocks of the built-in trainers' models are made of. One more layer kind is one more row."""

from __future__ import annotations

from spaces.vocabulary import Flag, OneOf, Option, Options, Real, Whole, Word

ACTIVATIONS: tuple[str, ...] = (
    "relu",
    "gelu",
    "silu",
    "elu",
    "selu",
    "leaky_relu",
    "relu6",
    "mish",
    "tanh",
    "sigmoid",
    "softplus",
    "softsign",
    "hard_silu",
    "hard_sigmoid",
    "linear",
)

_ACTIVATION = Option("activation", OneOf(ACTIVATIONS), "relu", "Keras activation after the layer.")
_DROPOUT = Option("dropout", Real(0, 1, high_open=True), 0.0, "Share of the block's outputs dropped in training.")
_BATCH_NORM = Option("batch_norm", Flag(), False, "Batch normalization between the layer and its activation.")

CONV = Options(
    (
        Option("filters", Whole(1), 32, "Number of output channels."),
        Option("kernel_size", Whole(1), 3, "Height and width of the kernel."),
        _ACTIVATION,
        _BATCH_NORM,
        Option("pool", OneOf(("max", "average", "none")), "max", "Halve height and width; left out below 2 pixels."),
        _DROPOUT,
    )
)

DENSE = Options((Option("units", Whole(1), 64, "Number of outputs."), _ACTIVATION, _BATCH_NORM, _DROPOUT))

LAYERS: tuple[Word, ...] = (
    Word("conv", CONV, "keras.layers.Conv2D", "A convolution with padding, and what follows it."),
    Word("dense", DENSE, "keras.layers.Dense", "A fully connected layer, and what follows it."),
)

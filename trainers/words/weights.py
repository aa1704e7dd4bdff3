"""How a layer's weights start, what is added to the loss for their size, and which activations there are.

Names and defaults are those of Keras: https://keras.io/api/layers/initializers/, …/regularizers/, …/activations/.
"""

from __future__ import annotations

from spaces.vocabulary import OneOf, OneWord, Option, Options, Real, Whole, Word

# All of keras.activations but `threshold`, which has no default and, as `relu` of a layer, no saved form.
ACTIVATIONS: tuple[str, ...] = (
    "relu",
    "gelu",
    "silu",
    "swish",
    "elu",
    "selu",
    "celu",
    "leaky_relu",
    "relu6",
    "mish",
    "tanh",
    "sigmoid",
    "softplus",
    "softsign",
    "softmax",
    "log_softmax",
    "log_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_sigmoid",
    "hard_tanh",
    "hard_shrink",
    "soft_shrink",
    "tanh_shrink",
    "squareplus",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "glu",
    "exponential",
    "linear",
)

_SPREAD = Option("stddev", Real(0, low_open=True), 0.05, "Standard deviation.")
_MEAN = Option("mean", Real(), 0.0, "Mean.")
_NONE = Options()

INITIALIZERS: tuple[Word, ...] = (
    Word("glorot_uniform", _NONE, "keras.initializers.GlorotUniform", "Uniform; variance 2 / (inputs + outputs)."),
    Word("glorot_normal", _NONE, "keras.initializers.GlorotNormal", "Normal; variance 2 / (inputs + outputs)."),
    Word("he_uniform", _NONE, "keras.initializers.HeUniform", "Uniform; variance 2 / inputs: for relu and its kin."),
    Word("he_normal", _NONE, "keras.initializers.HeNormal", "Normal; variance 2 / inputs: for relu and its kin."),
    Word("lecun_uniform", _NONE, "keras.initializers.LecunUniform", "Uniform; variance 1 / inputs."),
    Word("lecun_normal", _NONE, "keras.initializers.LecunNormal", "Normal; variance 1 / inputs: for selu."),
    Word(
        "orthogonal",
        Options((Option("gain", Real(0, low_open=True), 1.0, "Factor on the matrix."),)),
        "keras.initializers.Orthogonal",
        "A random orthogonal matrix.",
    ),
    Word("random_normal", Options((_MEAN, _SPREAD)), "keras.initializers.RandomNormal", "Normal, of a fixed width."),
    Word(
        "truncated_normal",
        Options((_MEAN, _SPREAD)),
        "keras.initializers.TruncatedNormal",
        "Normal, redrawn beyond two standard deviations.",
    ),
    Word(
        "random_uniform",
        Options((Option("minval", Real(), -0.05, "Low end."), Option("maxval", Real(), 0.05, "High end."))),
        "keras.initializers.RandomUniform",
        "Uniform, of a fixed width.",
    ),
    Word(
        "variance_scaling",
        Options(
            (
                Option("scale", Real(0, low_open=True), 1.0, "Factor on the variance."),
                Option("mode", OneOf(("fan_in", "fan_out", "fan_avg")), "fan_in", "What the variance is divided by."),
                Option(
                    "distribution",
                    OneOf(("truncated_normal", "untruncated_normal", "uniform")),
                    "truncated_normal",
                    "The shape of the distribution.",
                ),
            )
        ),
        "keras.initializers.VarianceScaling",
        "Variance by the number of inputs or outputs.",
    ),
    Word("zeros", _NONE, "keras.initializers.Zeros", "All 0."),
    Word("ones", _NONE, "keras.initializers.Ones", "All 1."),
    Word(
        "constant",
        Options((Option("value", Real(), 0.0, "The value."),)),
        "keras.initializers.Constant",
        "The same value everywhere.",
    ),
)

INITIALIZER = OneWord(INITIALIZERS)

_L1 = Option("l1", Real(0), 0.01, "Factor on the sum of absolute values.")
_L2 = Option("l2", Real(0), 0.01, "Factor on the sum of squares.")

REGULARIZERS: tuple[Word, ...] = (
    Word("l1", Real(0), "keras.regularizers.L1", "This times the sum of absolute values: many weights become 0."),
    Word("l2", Real(0), "keras.regularizers.L2", "This times the sum of squares: weights stay small."),
    Word("l1l2", Options((_L1, _L2)), "keras.regularizers.L1L2", "Both."),
)

_ORTHOGONAL = Word(
    "orthogonal",
    Options(
        (
            Option("factor", Real(0), 0.01, "Factor on the penalty."),
            Option("mode", OneOf(("rows", "columns")), "rows", "What is kept at right angles."),
        )
    ),
    "keras.regularizers.OrthogonalRegularizer",
    "Keeps the rows or columns of a weight matrix at right angles.",
)

REGULARIZER = OneWord(REGULARIZERS)
MATRIX_REGULARIZER = OneWord((*REGULARIZERS, _ORTHOGONAL))
"""For layers whose weights are a matrix: Keras' orthogonal regularizer takes nothing else."""

ACTIVATION = OneOf(ACTIVATIONS)
STATE_ACTIVATION = OneOf(tuple(name for name in ACTIVATIONS if name != "glu"))
"""For recurrent layers: `glu` halves the channels, and the state must keep its size."""
WIDTH = Whole(1)

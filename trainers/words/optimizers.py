"""Which optimizers a space may name, and the options of each.

Option names and defaults are those of Keras: https://keras.io/api/optimizers/. One more optimizer is one more row.
"""

from __future__ import annotations

from spaces.vocabulary import Flag, OneWord, Option, Options, Real, Word

_FRACTION = Real(0, 1, high_open=True)
_POSITIVE = Real(0, low_open=True)

_BETA_1 = Option("beta_1", _FRACTION, 0.9, "Decay of the running mean of gradients.")
_BETA_2 = Option("beta_2", _FRACTION, 0.999, "Decay of the running mean of squared gradients.")
_EPSILON = Option("epsilon", _POSITIVE, 1e-7, "Keeps a division from exploding.")
_AMSGRAD = Option("amsgrad", Flag(), False, "Keep the largest second moment seen.")
_ACCUMULATOR = Option("initial_accumulator_value", Real(0), 0.1, "Where the sum of squared gradients starts.")

OPTIMIZERS: tuple[Word, ...] = (
    Word(
        "sgd",
        Options(
            (
                Option("momentum", _FRACTION, 0.0, "Share of the last update that is kept."),
                Option("nesterov", Flag(), False, "Look ahead along the momentum."),
            )
        ),
        "keras.optimizers.SGD",
        "Gradient descent with momentum.",
    ),
    Word(
        "rmsprop",
        Options(
            (
                Option("rho", _FRACTION, 0.9, "Decay of the running mean of squared gradients."),
                Option("momentum", _FRACTION, 0.0, "Share of the last update that is kept."),
                _EPSILON,
                Option("centered", Flag(), False, "Divide by the variance instead of the second moment."),
            )
        ),
        "keras.optimizers.RMSprop",
        "Gradients divided by their running root mean square.",
    ),
    Word("adam", Options((_BETA_1, _BETA_2, _EPSILON, _AMSGRAD)), "keras.optimizers.Adam", "Adaptive moments."),
    Word(
        "adamw",
        Options((_BETA_1, _BETA_2, _EPSILON, _AMSGRAD)),
        "keras.optimizers.AdamW",
        "Adam with decoupled weight decay (0.004 unless `weight_decay` says otherwise).",
    ),
    Word("nadam", Options((_BETA_1, _BETA_2, _EPSILON)), "keras.optimizers.Nadam", "Adam with Nesterov momentum."),
    Word("adamax", Options((_BETA_1, _BETA_2, _EPSILON)), "keras.optimizers.Adamax", "Adam with the infinity norm."),
    Word("adagrad", Options((_ACCUMULATOR, _EPSILON)), "keras.optimizers.Adagrad", "Steps shrink with use."),
    Word(
        "adadelta",
        Options((Option("rho", _FRACTION, 0.95, "Decay of the running means."), _EPSILON)),
        "keras.optimizers.Adadelta",
        "Adagrad over a moving window.",
    ),
    Word(
        "adafactor",
        Options(
            (
                Option("beta_2_decay", Real(None, 0), -0.8, "Exponent of the second moment's decay."),
                Option("clip_threshold", _POSITIVE, 1.0, "Updates above this root mean square are scaled down."),
                Option("relative_step", Flag(), True, "Scale the learning rate with 1/sqrt(step)."),
            )
        ),
        "keras.optimizers.Adafactor",
        "Adam with factored second moments: little memory.",
    ),
    Word(
        "ftrl",
        Options(
            (
                Option("learning_rate_power", Real(None, 0), -0.5, "How fast steps shrink."),
                _ACCUMULATOR,
                Option("l1_regularization_strength", Real(0), 0.0, "L1 penalty."),
                Option("l2_regularization_strength", Real(0), 0.0, "L2 penalty."),
                Option("beta", Real(0), 0.0, "Added to the square root of the accumulator."),
            )
        ),
        "keras.optimizers.Ftrl",
        "Follow the regularized leader: sparse linear models.",
    ),
    Word(
        "lion",
        Options((_BETA_1, Option("beta_2", _FRACTION, 0.99, "Decay of the kept momentum."))),
        "keras.optimizers.Lion",
        "The sign of the momentum; wants a learning rate some ten times smaller than Adam's.",
    ),
    Word("lamb", Options((_BETA_1, _BETA_2, _EPSILON)), "keras.optimizers.Lamb", "Adam for large batches."),
)

OPTIMIZER = OneWord(OPTIMIZERS)

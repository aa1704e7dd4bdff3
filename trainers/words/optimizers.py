"""Which optimizers a space may name, and the options of each.

Option names and defaults are those of Keras: https://keras.io/api/optimizers/. One more optimizer is one more row.
"""

from __future__ import annotations

from spaces.vocabulary import Flag, Listed, OneWord, Option, Options, Real, Text, Whole, Word

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
                Option("epsilon_1", _POSITIVE, 1e-30, "Keeps a division by squared gradients from exploding."),
                Option("epsilon_2", _POSITIVE, 1e-3, "Least root mean square of a weight, for relative steps."),
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
                Option("l2_shrinkage_regularization_strength", Real(0), 0.0, "L2 penalty on the loss alone."),
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
    Word(
        "muon",
        Options(
            (
                Option("momentum", _FRACTION, 0.95, "Share of the last update that is kept."),
                Option("nesterov", Flag(), True, "Look ahead along the momentum."),
                Option("ns_steps", Whole(1), 5, "Newton-Schulz steps that make an update orthogonal."),
                Option("rms_rate", _POSITIVE, 0.2, "Scale of an update, so that Adam's learning rates fit."),
                Option("muon_a", Real(), 3.4445, "First coefficient of the Newton-Schulz step."),
                Option("muon_b", Real(), -4.775, "Second coefficient of the Newton-Schulz step."),
                Option("muon_c", Real(), 2.0315, "Third coefficient of the Newton-Schulz step."),
                Option("adam_beta_1", _FRACTION, 0.9, "`beta_1` of the weights that Adam trains."),
                Option("adam_beta_2", _FRACTION, 0.999, "`beta_2` of the weights that Adam trains."),
                Option("adam_weight_decay", Real(0), 0.004, "Weight decay of the weights that Adam trains."),
                Option("adam_lr_ratio", _POSITIVE, 1, "Learning rate of Adam, as a share of `learning_rate`."),
                _EPSILON,
                Option("exclude_embeddings", Flag(), True, "Let Adam train embeddings."),
                Option("exclude_layers", Listed(Text()), (), "Layers that Adam trains: parts of their names."),
            )
        ),
        "keras.optimizers.Muon",
        "Orthogonal updates for matrices; Adam with decoupled weight decay trains every other weight.",
    ),
    Word(
        "schedule_free_adamw",
        Options(
            (
                _BETA_1,
                _BETA_2,
                Option("epsilon", _POSITIVE, 1e-8, "Keeps a division from exploding."),
                Option("warmup_steps", Whole(0), 0, "Steps in which the learning rate rises from 0."),
            )
        ),
        "keras.optimizers.ScheduleFreeAdamW",
        "AdamW that averages its weights instead of lowering the learning rate: leave `schedule` out.",
    ),
)

OPTIMIZER = OneWord(OPTIMIZERS)

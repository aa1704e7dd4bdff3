"""Which losses a space may name, by task. Keras' own: https://keras.io/api/losses/.

A target names the class for one column of labels a class; `trainers.training.losses` takes the sparse or the binary
one where the labels are put otherwise.
"""

from __future__ import annotations

from spaces.vocabulary import Either, Flag, Kind, OneOf, OneWord, Option, Options, Real, Word
from trainers.words.metrics import Task

_POSITIVE = Real(0, low_open=True)
_FOCAL = (
    Option("gamma", Real(0), 2.0, "How much less easy examples count."),
    Option("alpha", Real(0, 1), 0.25, "Weight of every class; of the positive one where `balance` is on."),
    Option("balance", Flag(), False, "Two classes and labels: weigh positives with alpha, negatives with 1 - alpha."),
)

_CROSSENTROPY = Word("crossentropy", Options(), "keras.losses.CategoricalCrossentropy", "The usual one.")
_FOCAL_WORD = Word("focal", Options(_FOCAL), "keras.losses.CategoricalFocalCrossentropy", "Hard examples count more.")

_SQUARED_HINGE = Word(
    "squared_hinge", Options(), "keras.losses.SquaredHinge", "The squared margin of each class against all others."
)
_COSINE = Word(
    "cosine_similarity",
    Options(),
    "keras.losses.CosineSimilarity",
    "The angle between outputs and labels, whatever their length (two outputs or more).",
)

SMOOTHED = (_CROSSENTROPY.name, _FOCAL_WORD.name)
"""Losses that label_smoothing is for."""

LOSSES: dict[Task, tuple[Word, ...]] = {
    "classification": (
        _CROSSENTROPY,
        _FOCAL_WORD,
        Word(
            "generalized_crossentropy",
            Options((Option("q", Real(0, 1, low_open=True, high_open=True), 0.5, "Near 0 crossentropy, near 1 MAE."),)),
            "keras.losses.CategoricalGeneralizedCrossEntropy",
            "Bears wrong labels (three classes or more).",
        ),
        Word("hinge", Options(), "keras.losses.CategoricalHinge", "The margin between the right and the best other."),
        _SQUARED_HINGE,
        _COSINE,
    ),
    "multi_label": (_CROSSENTROPY, _FOCAL_WORD, _SQUARED_HINGE, _COSINE),
    "regression": (
        Word("mse", Options(), "keras.losses.MeanSquaredError", "The usual one: squared differences."),
        Word("mae", Options(), "keras.losses.MeanAbsoluteError", "Absolute differences: bears outliers."),
        Word(
            "huber",
            Options((Option("delta", _POSITIVE, 1.0, "Where squares become lines, in the unit of the labels."),)),
            "keras.losses.Huber",
            "Squared near zero, absolute beyond `delta`.",
        ),
        Word("log_cosh", Options(), "keras.losses.LogCosh", "Like huber, smooth everywhere."),
        Word("mape", Options(), "keras.losses.MeanAbsolutePercentageError", "Differences in percent of the label."),
        Word("msle", Options(), "keras.losses.MeanSquaredLogarithmicError", "Squared differences of logarithms."),
        Word("poisson", Options(), "keras.losses.Poisson", "For counts; built-in trainers then end in a softplus."),
    ),
}

LOSS = OneWord(tuple({word.name: word for words in LOSSES.values() for word in words}.values()))

CLASS_WEIGHT: Kind = Either(
    (OneOf(("balanced",)), Options(open=True)), "balanced, or a map from class names to weights"
)

"""Which Keras loss a word stands for, for labels and outputs as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from trainers.training.metrics import Answers
from trainers.training.optimizer import keras_object
from trainers.words.losses import LOSS, LOSSES, SMOOTHED
from trainers.words.reading import one_word

SPARSE = ("crossentropy", "generalized_crossentropy")
"""Losses that take class numbers; every other loss wants one column for each class."""


class GeneralizedCrossentropy(keras.losses.CategoricalGeneralizedCrossEntropy):  # type: ignore[misc]
    """Keras' loss, which wants class numbers (n,) and probabilities, for a model that gives logits."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each example, (n,)."""
        numbers = keras.ops.reshape(y_true, (-1,))
        return keras.losses.categorical_generalized_cross_entropy(numbers, keras.ops.softmax(y_pred), self.q)


def named(words: Mapping[str, Any], answers: Answers) -> tuple[str, dict[str, Any]]:
    """Return the loss's word and its options. Raises ValueError if it isn't for this task."""
    known = [word.name for word in LOSSES[answers.task]]
    word, options = one_word(LOSS, words["loss"] or known[0])
    if word.name not in known:
        raise ValueError(f"the loss '{word.name}' is not for {answers.task}; expected one of {', '.join(known)}")
    return word.name, options


def loss(words: Mapping[str, Any], answers: Answers) -> keras.losses.Loss:
    """Return the loss of a trial. Raises ValueError for a word that doesn't fit the task or the model's outputs."""
    name, options = named(words, answers)
    smoothing = words["label_smoothing"]
    if answers.task == "regression":
        made: keras.losses.Loss = keras_object(next(w.target for w in LOSSES["regression"] if w.name == name))(
            **options
        )
        return made
    if smoothing and name not in SMOOTHED:
        raise ValueError(f"label_smoothing is for {' and '.join(SMOOTHED)}; the loss is '{name}'")
    binary = answers.form == "one" or answers.task == "multi_label"
    kinds, from_logits = keras.losses, answers.from_logits
    match name:
        case "focal":
            balance = options.pop("balance")
            if binary:
                return kinds.BinaryFocalCrossentropy(
                    balance, **options, from_logits=from_logits, label_smoothing=smoothing
                )
            return kinds.CategoricalFocalCrossentropy(**options, from_logits=from_logits, label_smoothing=smoothing)
        case "hinge":
            return kinds.Hinge() if binary else kinds.CategoricalHinge()
        case "squared_hinge":
            return kinds.SquaredHinge()
        case "cosine_similarity":
            if answers.form == "one":
                raise ValueError(f"the loss '{name}' wants two outputs or more")
            return kinds.CosineSimilarity()
        case "generalized_crossentropy":
            if answers.form != "sparse":
                raise ValueError(f"the loss '{name}' wants three classes or more, and no mixed labels")
            kind = GeneralizedCrossentropy if from_logits else kinds.CategoricalGeneralizedCrossEntropy
            return kind(**options)
    if binary:
        return kinds.BinaryCrossentropy(from_logits, smoothing)
    if answers.form == "sparse":
        return kinds.SparseCategoricalCrossentropy(from_logits=from_logits)
    return kinds.CategoricalCrossentropy(from_logits, smoothing)

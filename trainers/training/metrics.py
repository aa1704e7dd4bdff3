"""Which Keras metric a word stands for, fed with labels and probabilities as Keras' metric wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras

from trainers.words.metrics import METRICS, Task

ops = keras.ops

Form = Literal["sparse", "columns", "one", "numbers"]


@dataclass(frozen=True)
class Answers:
    """What a model gives and how its labels stand.

    form: `sparse` (class numbers, outputs (n, classes)), `columns` (labels and outputs (n, classes)), `one` (0 or 1,
    outputs (n, 1)), `numbers` (a regression, (n, 1)).
    """

    task: Task
    form: Form
    classes: int
    from_logits: bool


def metric(name: str, answers: Answers) -> keras.metrics.Metric:
    """Return the metric that a word of the table stands for. Raises ValueError if the task has no such metric."""
    known = [word.name for word in METRICS[answers.task]]
    if name not in known:
        raise ValueError(f"the metric '{name}' is not for {answers.task}; expected one of {', '.join(known)}")
    if answers.task == "regression":
        return _of_numbers(name)
    if name in ("accuracy", "crossentropy") or name.startswith("top_"):
        return _of_outputs(name, answers)
    return Counted(_of_probabilities(name, answers), answers)


def _of_numbers(name: str) -> keras.metrics.Metric:
    kinds = keras.metrics
    if name == "r2":
        return Counted(kinds.R2Score(name="r2"), Answers("regression", "numbers", 1, from_logits=False))
    made: keras.metrics.Metric = {
        "mae": kinds.MeanAbsoluteError,
        "rmse": kinds.RootMeanSquaredError,
        "mse": kinds.MeanSquaredError,
        "mape": kinds.MeanAbsolutePercentageError,
        "msle": kinds.MeanSquaredLogarithmicError,
        "log_cosh": kinds.LogCoshError,
    }[name](name=name)
    return made


def _of_outputs(name: str, answers: Answers) -> keras.metrics.Metric:
    """Return a metric that takes labels and outputs as they are."""
    kinds, sparse = keras.metrics, answers.form == "sparse"
    several = answers.form == "columns" and answers.task == "multi_label"
    if name.startswith("top_"):
        k = int(name.split("_")[1])
        if k >= answers.classes:
            raise ValueError(f"the metric '{name}' is always 1 for {answers.classes} classes; take a smaller one")
        return (kinds.SparseTopKCategoricalAccuracy if sparse else kinds.TopKCategoricalAccuracy)(k, name=name)
    if name == "accuracy":
        if several or answers.form == "one":
            return kinds.BinaryAccuracy(name=name, threshold=0.0 if answers.from_logits else 0.5)
        return (kinds.SparseCategoricalAccuracy if sparse else kinds.CategoricalAccuracy)(name=name)
    if answers.form == "one":
        # Keras wants labels of the outputs' shape (n, 1).
        return Counted(kinds.BinaryCrossentropy(name=name), answers)
    if several:
        return kinds.BinaryCrossentropy(name=name, from_logits=answers.from_logits)
    kind = kinds.SparseCategoricalCrossentropy if sparse else kinds.CategoricalCrossentropy
    return kind(name=name, from_logits=answers.from_logits)


def _of_probabilities(name: str, answers: Answers) -> keras.metrics.Metric:
    """Return a metric that takes columns of 0 and 1 and of probabilities: one column for two classes."""
    columns = 1 if answers.classes == 2 and answers.task == "classification" else answers.classes
    if name in ("auc", "pr_auc"):
        curve = "ROC" if name == "auc" else "PR"
        return keras.metrics.AUC(
            name=name, curve=curve, multi_label=columns > 1, num_labels=columns if columns > 1 else None
        )
    # Of several classes the likeliest is the answer; a single one, or a label, is it above a half.
    threshold = None if columns > 1 and answers.task == "classification" else 0.5
    kind = {"f1": keras.metrics.F1Score, "precision": Precision, "recall": Recall}[name]
    made: keras.metrics.Metric = kind(name=name, average="macro", threshold=threshold)
    return made


class Precision(keras.metrics.F1Score):  # type: ignore[misc]
    """The mean over classes of right positives per positive, from F1Score's counts; a class never named counts 0."""

    def result(self) -> Any:
        """Return a scalar from 0 to 1."""
        return ops.mean(ops.divide_no_nan(self.true_positives, self.true_positives + self.false_positives))


class Recall(keras.metrics.F1Score):  # type: ignore[misc]
    """The mean over classes of right positives per case, from F1Score's counts; a class without cases counts 0."""

    def result(self) -> Any:
        """Return a scalar from 0 to 1."""
        return ops.mean(ops.divide_no_nan(self.true_positives, self.true_positives + self.false_negatives))


class Counted(keras.metrics.Metric):  # type: ignore[misc]
    """A Keras metric that is fed with columns: labels of 0 and 1, probabilities of the model's outputs."""

    def __init__(self, inner: keras.metrics.Metric, answers: Answers) -> None:
        super().__init__(name=inner.name)
        self.inner, self.answers = inner, answers
        self._direction = getattr(inner, "_direction", "up")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        self.inner.update_state(*columns(y_true, y_pred, self.answers), sample_weight)

    def result(self) -> Any:
        """Return the value over all batches since the last reset."""
        return self.inner.result()

    def reset_state(self) -> None:
        """Forget all batches."""
        self.inner.reset_state()


def columns(y_true: Any, y_pred: Any, answers: Answers) -> tuple[Any, Any]:
    """Return labels and probabilities as float32 (n, columns); two classes: the column of the second one."""
    outputs = ops.cast(y_pred, "float32")
    if answers.form == "numbers":
        return ops.reshape(ops.cast(y_true, "float32"), (-1, 1)), ops.reshape(outputs, (-1, 1))
    if answers.task == "multi_label":
        return ops.cast(y_true, "float32"), ops.sigmoid(outputs) if answers.from_logits else outputs
    if answers.form == "one":
        likely = ops.sigmoid(outputs) if answers.from_logits else outputs
        # Labels that were mixed count as the nearer one.
        return ops.round(ops.reshape(ops.cast(y_true, "float32"), (-1, 1))), ops.reshape(likely, (-1, 1))
    numbers = ops.argmax(y_true, axis=-1) if answers.form == "columns" else ops.reshape(y_true, (-1,))
    labels = ops.one_hot(ops.cast(numbers, "int32"), answers.classes, dtype="float32")
    likely = ops.softmax(outputs) if answers.from_logits else outputs
    return (labels, likely) if answers.classes > 2 else (labels[:, 1:], likely[:, 1:])


def chosen(names: Sequence[str], answers: Answers) -> list[keras.metrics.Metric]:
    """Return the metrics of these words, each once, in their order."""
    return [metric(name, answers) for name in dict.fromkeys(names)]

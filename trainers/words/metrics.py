"""Which metrics a trainer reports at each epoch or at the end, and so what an objective may name.

Keras' own: https://keras.io/api/metrics/. Two classes: precision, recall, f1, auc and pr_auc are those of the second
class; more classes or labels: the mean over all of them (one against the rest), as scikit-learn's `macro`.
"""

from __future__ import annotations

from typing import Literal

from spaces.vocabulary import Kind, Listed, OneOf, Word

Task = Literal["classification", "multi_label", "regression"]

_RANKED = tuple(
    Word(
        f"top_{k}_accuracy",
        target="keras.metrics.TopKCategoricalAccuracy",
        doc=f"Share of examples whose class is among the {k} likeliest.",
    )
    for k in (2, 3, 5, 10)
)
_COUNTED = (
    Word("auc", target="keras.metrics.AUC", doc="Area under the ROC curve."),
    Word("pr_auc", target="keras.metrics.AUC", doc="Area under the precision-recall curve."),
    Word("f1", target="keras.metrics.F1Score", doc="Harmonic mean of precision and recall."),
    Word("precision", target="keras.metrics.F1Score", doc="Share of what was called so that is (by F1Score's counts)."),
    Word("recall", target="keras.metrics.F1Score", doc="Share of what is so that was called so (by F1Score's counts)."),
)
_ACCURACY = Word("accuracy", target="keras.metrics.CategoricalAccuracy", doc="Share of right answers.")
_CROSSENTROPY = Word(
    "crossentropy",
    target="keras.metrics.CategoricalCrossentropy",
    doc="The loss without smoothing, weights and penalties.",
)

METRICS: dict[Task, tuple[Word, ...]] = {
    "classification": (_ACCURACY, *_RANKED, *_COUNTED, _CROSSENTROPY),
    "multi_label": (_ACCURACY, *_COUNTED, _CROSSENTROPY),
    "regression": (
        Word("mae", target="keras.metrics.MeanAbsoluteError", doc="Mean absolute difference."),
        Word("rmse", target="keras.metrics.RootMeanSquaredError", doc="Root of the mean squared difference."),
        Word("mse", target="keras.metrics.MeanSquaredError", doc="Mean squared difference."),
        Word("mape", target="keras.metrics.MeanAbsolutePercentageError", doc="Mean difference in percent."),
        Word("msle", target="keras.metrics.MeanSquaredLogarithmicError", doc="Mean squared difference of logarithms."),
        Word("log_cosh", target="keras.metrics.LogCoshError", doc="Mean logarithm of the difference's cosh."),
        Word("r2", target="keras.metrics.R2Score", doc="Share of the variance that is explained."),
    ),
}

MEASURED: tuple[Word, ...] = (
    Word("parameters", doc="Numbers that the model holds, trained or not."),
    Word("flops", doc="Floating point operations for one example, by TensorFlow's profiler: an estimate."),
    Word("seconds_per_epoch", doc="Median time of an epoch with its validation."),
    Word("latency_ms", doc="Median time of one prediction for one example, on the worker's device."),
    Word("model_bytes", doc="Size of the saved model's file."),
)
"""Measured once, at the end of a trial: an objective beside another one, or a constraint."""

BEFORE_TRAINING = ("parameters", "flops", "model_bytes")
"""What a model costs whatever it learns: measured as soon as it is built where a constraint asks for it."""

ALWAYS = ("loss", "learning_rate", "seconds")
BY_TASK: dict[Task, tuple[str, ...]] = {
    "classification": ("accuracy",),
    "multi_label": ("accuracy",),
    "regression": ("mae", "rmse"),
}
"""What is reported without being asked for."""


_RISING = {*(word.name for word in METRICS["classification"] + METRICS["multi_label"]), "r2"} - {"crossentropy"}


def rises(name: str) -> bool:
    """Tell whether a larger value of this metric, `val_` or not, is better."""
    return name.removeprefix("val_") in _RISING


def known(task: Task | None) -> tuple[str, ...]:
    """Return the names of the metrics for `task`; None: the task isn't known yet, so those of every task."""
    tasks = [task] if task else list(METRICS)
    return tuple(dict.fromkeys(word.name for one in tasks for word in METRICS[one]))


def reported(task: Task | None) -> tuple[str, ...]:
    """Return the names of all metrics that an epoch may have: those that an objective or `metrics` names are added."""
    own = known(task)
    return (*own, *(f"val_{name}" for name in own), "val_loss", *ALWAYS)


def measured() -> tuple[str, ...]:
    """Return the names of what is measured at the end of a trial."""
    return tuple(word.name for word in MEASURED)


CHOSEN: Kind = Listed(OneOf(known(None)))

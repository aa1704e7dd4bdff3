"""Which loss and metrics a model is compiled with: from the words, the task, and what the model gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import keras
import numpy as np
import tensorflow as tf

from trainers.data import Data, DataError
from trainers.training.layers_of import overrides
from trainers.training.losses import SPARSE, loss, named
from trainers.training.metrics import Answers, chosen
from trainers.words.augmentation import mixes_labels
from trainers.words.metrics import BY_TASK, METRICS
from trainers.words.optimizers import OPTIMIZER
from trainers.words.reading import one_word

Encode = Callable[[Any], Any]


@dataclass(frozen=True)
class Goal:
    """What is minimized and measured, and how labels are put for it."""

    loss: keras.losses.Loss
    metrics: list[keras.metrics.Metric]
    encode: Encode
    answers: Answers


def goal(
    model: keras.Model,
    data: Data,
    words: Mapping[str, Any],
    objectives: Iterable[str] = (),
    answers: Answers | None = None,
) -> Goal:
    """Return loss and metrics for this model and data.

    Calls the model on two examples, unless it tells what it gives, or `answers` do. Classification: (n, classes) or,
    for two classes, (n, 1); logits or probabilities. Several labels: (n, labels). Regression: (n, 1) or (n,). The
    metrics are those of the task, of the words, and those that `objectives` names, with `val_` or without. Raises
    ValueError for any other output, and for words that don't fit the task; DataError if it leaves missing values so.
    """
    if answers is None:
        answers = _answers(model, _two_outputs(model, data), data, words)
        _expect_filled(model, data)
    asked = [name.removeprefix("val_") for name in objectives]
    names = [*BY_TASK[data.task], *words["metrics"], *(name for name in asked if _is_metric(name))]
    columns = answers.form == "columns" and data.task == "classification"
    encode: Encode = (lambda labels: tf.one_hot(labels, answers.classes)) if columns else _as_it_is
    return Goal(loss(words, answers), chosen(names, answers), encode, answers)


def _two_outputs(model: keras.Model, data: Data) -> Any:
    last = (getattr(model, "operations", None) or [None])[-1]
    linear = type(last) is keras.layers.Dense and last.activation is keras.activations.linear
    if linear and len(model.outputs) == 1 and None not in model.outputs[0].shape[1:]:
        return tf.zeros((2, *model.outputs[0].shape[1:]), model.outputs[0].dtype)  # no probabilities, whatever they are
    return model(tf.constant(data.x_train[:2]), training=False)


def _expect_filled(model: keras.Model, data: Data) -> None:
    """Raise DataError if the model gives NaN for a table's rows just because they have missing values."""

    def gives_nan(x: Any) -> bool:
        return bool(np.isnan(model(tf.constant(x), training=False)).any())

    rows = data.x_train[np.flatnonzero(np.isnan(data.x_train).any(axis=-1))[:2]] if data.missing else ()
    if len(rows) and gives_nan(rows) and not gives_nan(np.nan_to_num(rows)):
        raise DataError(
            "the model gives NaN for rows with missing values: preprocessing.missing is for models that begin with "
            "`inputs, x = trainers.preprocessing.inputs(params, data)`. Begin yours so, or let it fill them itself"
        )


def _answers(model: keras.Model, outputs: Any, data: Data, words: Mapping[str, Any]) -> Answers:
    if not hasattr(outputs, "shape"):
        raise ValueError(f"the model gives a {type(outputs).__name__}; expected one tensor")
    width = 1 if len(outputs.shape) == 1 else outputs.shape[-1]
    two = data.classes == 2 and data.task == "classification"
    expected = {1} if data.classes is None else {data.classes, 1} if two else {data.classes}
    if len(outputs.shape) > 2 or width not in expected:
        raise ValueError(
            f"the model's output has shape (n{''.join(f', {size}' for size in outputs.shape[1:])}); expected "
            f"(n, {max(expected)}) for {data.task}" + (f" into {data.classes} classes" if data.classes else "")
        )
    if data.classes is None:
        return Answers("regression", "numbers", 1, from_logits=False)
    if data.task == "multi_label":
        return Answers("multi_label", "columns", data.classes, not _ends_in_sigmoid(model))
    if width == 1:
        return Answers("classification", "one", 2, not _ends_in_sigmoid(model))
    answers = Answers("classification", "sparse", data.classes, not _are_probabilities(outputs))
    sparse = named(words, answers)[0] in SPARSE and not words["label_smoothing"] and not mixes_labels(words["augment"])
    return answers if sparse else Answers("classification", "columns", data.classes, answers.from_logits)


def _is_metric(name: str) -> bool:
    return any(word.name == name for words in METRICS.values() for word in words)


def _as_it_is(labels: Any) -> Any:
    return labels


@contextmanager
def plain(model: keras.Model, aim: Goal) -> Iterator[None]:
    """While a model is saved, leave out of what it is compiled with what only we know: Keras alone can load it."""
    config = model.get_compile_config()
    if not _is_kerass(aim.loss):
        config["loss"] = None
    if not all(map(_is_kerass, aim.metrics)):
        config["metrics"] = keras.saving.serialize_keras_object([one for one in aim.metrics if _is_kerass(one)])
    with patch.object(model, "get_compile_config", lambda: config):
        yield


def _is_kerass(thing: Any) -> bool:
    return type(thing).__module__.startswith("keras.")


def _are_probabilities(outputs: Any) -> bool:
    values = outputs.numpy().astype(np.float32)
    return bool((values >= 0).all() and np.allclose(values.sum(axis=-1), 1, atol=1e-2))


def _ends_in_sigmoid(model: keras.Model) -> bool:
    layer: Any = model
    while getattr(layer, "layers", None):
        layer = layer.layers[-1]
    return getattr(layer, "activation", None) is keras.activations.sigmoid


def make_state(model: keras.Model, data: Data, aim: Goal) -> None:
    """Make every variable of a compiled model now, also those of its metrics.

    `tf.function` traces twice when its first trace makes some.
    """
    x, y = tf.constant(data.x_train[:2]), aim.encode(tf.constant(data.y_train[:2]))
    if overrides(model, "test_step", "compute_loss"):
        model.test_step((x, y))
    else:
        # All of it that makes variables.
        model.compute_metrics(x, y, _two_outputs(model, data))
    model.reset_metrics()


def describe(model: keras.Model, words: Mapping[str, Any]) -> str:
    """Say in one line what was built."""
    kinds = [type(layer).__name__ for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    name = one_word(OPTIMIZER, words["optimizer"])[0].name
    return f"{' > '.join(kinds)}; {model.count_params():,} parameters; {name}, batches of {words['batch_size']}"

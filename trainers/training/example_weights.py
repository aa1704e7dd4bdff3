"""How much each training example counts in the loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spaces.errors import did_you_mean
from spaces.parameters import Map
from trainers.data import Data, DataError
from trainers.words.agreement import nodes


def example_weights(words: Mapping[str, Any], data: Data) -> NDArray[np.float32] | None:
    """Return the weight of each training example, float32 (n,), or None if all count alike.

    It is the weight that the data gives the example, times that of its class. `balanced` gives a class n / (classes x
    examples of the class), as scikit-learn does. For data that is streamed only the weights of the classes, (classes,),
    by which those of the stream are multiplied. Raises DataError.
    """
    if data.stream is not None:
        if words["class_weight"]:
            return _of_classes(words["class_weight"], data)
        return np.ones(data.classes or 1, np.float32) if data.stream.weighted else None
    own: NDArray[np.float32] | None = getattr(data, "sample_weight_train", None)
    if not words["class_weight"]:
        return own
    weights = _of_classes(words["class_weight"], data)[data.y_train]
    return weights if own is None else (weights * own).astype(np.float32)


def check_classes(space: Map, data: Data) -> None:
    """Check the classes that `class_weight` names in a file, before a trial trains with them. Raises DataError."""
    for words in nodes(space, ("class_weight",)):
        if isinstance(words, Map):
            _of_classes(dict.fromkeys(words.items, 1), data)


def _of_classes(chosen: Any, data: Data) -> NDArray[np.float32]:
    """Return the weight of each class, float32 (classes,)."""
    if data.task != "classification":
        raise DataError(f"class_weight is for classification; the task is {data.task}. Leave class_weight out")
    assert data.classes is not None
    if chosen == "balanced":
        counts = np.bincount(data.y_train, minlength=data.classes)
        if data.stream is not None and data.stream.counts is not None:
            counts = data.stream.counts
        return np.asarray(counts.sum() / (data.classes * np.maximum(counts, 1)), np.float32)
    names = [str(name) for name in data.class_names or range(data.classes)]
    weights = np.ones(data.classes, np.float32)
    for name, weight in chosen.items():
        if str(name) not in names:
            raise DataError(
                f"class_weight: '{name}' is not a class{did_you_mean(str(name), names)}; expected {', '.join(names)}"
            )
        if isinstance(weight, bool) or not isinstance(weight, int | float) or weight < 0:
            raise DataError(f"class_weight: received {weight!r} for '{name}'; expected a number, at least 0")
        weights[names.index(str(name))] = weight
    return weights

"""Which sizes of a model are no part of its programs: how wide its inner layers are.

TensorFlow calculates with tensors of any size. What ties a graph to one are the shapes of its variables, and numbers
that Keras' layers put into it. Where neither is needed the sizes are left open, and trials that differ in them share
programs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from trainers.training.layers_of import PENALIZED
from trainers.training.one_vector import is_by_number
from trainers.training.scalars import Place
from trainers.training.variables import Shape

WIDE = {"Dense": "units", "Conv1D": "filters", "Conv2D": "filters", "Conv3D": "filters"}
"""By Keras class: the attribute that says how wide a layer is. It takes inputs of any width."""

FOLLOWING = (
    *("Activation", "ReLU", "LeakyReLU", "ELU", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
    *("Flatten", "BatchNormalization", "Add"),
    *(f"{kind}Pooling{rank}D" for kind in ("Max", "Average", "GlobalMax", "GlobalAverage") for rank in (1, 2, 3)),
)
"""Keras classes whose outputs are as wide as their inputs, and which never ask how wide that is."""

ACTIVATIONS = (
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "tanh", "sigmoid"),
    *("hard_sigmoid", "hard_silu", "softplus", "softsign", "exponential", "softmax", "log_softmax"),
)
"""Keras' functions that never ask how wide their input is."""

_PENALTIES = (keras.regularizers.L1, keras.regularizers.L2, keras.regularizers.L1L2)
_USUAL: dict[str, Sequence[Any]] = {
    "activation": [None, *(getattr(keras.activations, name) for name in ACTIVATIONS)],
    "axis": [-1, [-1]],
    "data_format": ["channels_last", None],
    "dilation_rate": [1, *((1,) * rank for rank in (1, 2, 3))],
    "groups": [1],
    "noise_shape": [None],
    "padding": ["valid", "same"],
    "renorm": [False],
}
"""By attribute: what it is where a layer never asks; the first is what a layer without it would have."""


class Width(Place):
    """The width of a layer: any, while a program is traced."""

    def hide(self) -> None:
        """Put the same number there, whatever it was."""
        self._put(1)

    def loosen(self) -> None:
        """Let the layer's shape follow from its variables."""
        self._put(-1)


@dataclass
class OpenShape(Place):
    """The shape of a variable: open, while a program is traced."""

    shape: Shape = ()

    def hide(self) -> None:
        """Do nothing: configurations don't tell of it."""

    def loosen(self) -> None:
        """Let Keras, too, see what TensorFlow sees; where it sees different sizes, it takes a slower way."""
        self._put(self.shape)


@dataclass(frozen=True)
class Widths:
    """The open widths of a model, and by id the shapes of the variables that depend on them: None where it is open."""

    places: Sequence[Place] = ()
    shapes: Mapping[int, Shape] = field(default_factory=dict)

    def shape(self, variable: keras.Variable) -> Shape:
        """Return a variable's shape as a program knows it."""
        return self.shapes.get(id(variable), tuple(variable.shape))


@dataclass(frozen=True)
class _Step:
    """An operation of a model, with the ids of the tensors that it takes and gives."""

    operation: Any
    taken: frozenset[int]
    given: frozenset[int]

    @property
    def kind(self) -> str:
        return type(self.operation).__name__ if type(self.operation).__module__.startswith("keras.") else ""


def widths(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Widths:
    """Return the widths that a program of this model can leave open; none if it isn't certain of all that it does."""
    steps = _steps(model)
    if not steps or not is_by_number(optimizer) or optimizer.gradient_accumulation_steps:
        return Widths()
    closed, held = set(steps[-1].given), set()
    for step in reversed(steps):
        if _is_wide(step):
            if step.given & closed:
                held.add(id(step.operation))
        elif step.given & closed or not _follows(step):
            closed |= step.taken
    places, shapes, opened = list[Place](), dict[int, Shape](), set[int]()
    for step in steps:
        follows, is_open = bool(step.taken & opened), _is_wide(step) and id(step.operation) not in held
        if is_open:
            attribute = WIDE[step.kind]
            places.append(Width(step.operation, attribute, getattr(step.operation, attribute)))
        if is_open or (follows and not _is_wide(step)):
            opened |= step.given
        if is_open or follows:
            for weight in getattr(step.operation, "weights", ()):  # not the states of random numbers
                shapes[id(weight)] = _open(weight, follows, step.given <= opened)
                places.append(OpenShape(weight, "_shape", weight._shape, shape=shapes[id(weight)]))
    return Widths(places, shapes)


def _steps(model: keras.Model) -> list[_Step]:
    """Return a model's operations in their order; none if its graph can't be told, or it calls one of them twice."""
    if isinstance(model, keras.Sequential):
        return [_Step(layer, frozenset([number]), frozenset([number + 1])) for number, layer in enumerate(model.layers)]
    operations = [one for one in getattr(model, "operations", ()) if not isinstance(one, keras.layers.InputLayer)]
    if any(len(operation._inbound_nodes) != 1 for operation in operations) or len(getattr(model, "outputs", ())) != 1:
        return []
    return [_Step(operation, _ids(operation.input), _ids(operation.output)) for operation in operations]


def _ids(tensors: Any) -> frozenset[int]:
    return frozenset(id(tensor) for tensor in keras.tree.flatten(tensors))


def _open(weight: keras.Variable, taken: bool, given: bool) -> Shape:
    """Return a weight's shape, (…, inputs, outputs) or (outputs), with the sizes that are open."""
    inner = [None if taken else size for size in weight.shape[-2:-1]]
    return (*weight.shape[:-2], *inner, None if given else weight.shape[-1])


def _is_wide(step: _Step) -> bool:
    layer = step.operation
    if step.kind not in WIDE or not _is_usual(layer):
        return False
    if not {weight.name for weight in layer.weights} <= {"kernel", "bias"}:  # one that was adapted, or made smaller
        return False
    return step.kind != "Dense" or len(layer.input.shape) == 2


def _follows(step: _Step) -> bool:
    return step.kind in FOLLOWING and _is_usual(step.operation)


def _is_usual(layer: Any) -> bool:
    """Tell whether nothing that a layer was given could ask how wide it is."""
    given = {name: getattr(layer, name, usual[0]) for name, usual in _USUAL.items()}
    if any(value not in _USUAL[name] for name, value in given.items()):
        return False
    penalties = [getattr(layer, f"{part}_regularizer", None) for part in PENALIZED]
    if not all(one is None or type(one) in _PENALTIES for one in penalties):
        return False
    return all(getattr(layer, f"{part}_constraint", None) is None for part in PENALIZED)

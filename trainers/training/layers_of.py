"""What is a model made of, and is all of it Keras' own?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

PENALIZED = ("kernel", "bias", "activity", "depthwise", "pointwise", "embeddings", "gamma", "beta", "recurrent")
_USES = ("regularizer", "constraint")


def layers_of(model: Any) -> Iterator[Any]:
    """Yield a model and every layer and operation in it."""
    yield model
    inner = list(getattr(model, "operations", ())) or list(getattr(model, "layers", ()))
    inner += [getattr(model, name, None) for name in ("layer", "cell", "forward_layer", "backward_layer")]
    for layer in inner:
        if isinstance(layer, keras.Operation):
            yield from layers_of(layer)


_UNTOLD = ("Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer")
_OVERRIDDEN = ("train_step", "test_step", "compute_loss", "compute_metrics", "call")


def is_plain(model: keras.Model) -> bool:
    """Tell whether the model is Keras' own through and through, with no function of the user's and nothing adapted."""
    if any(name in vars(model) for name in _OVERRIDDEN):
        return False
    return all(is_keras(layer) and not _is_adapted(layer) and not _has_functions(layer) for layer in layers_of(model))


def overrides(model: keras.Model, *methods: str) -> bool:
    """Tell whether one of these methods isn't that of every Keras model, in the model's class or in itself."""
    return any(
        method in vars(model) or getattr(type(model), method) is not getattr(keras.Model, method) for method in methods
    )


def is_keras(thing: Any) -> bool:
    """Tell whether its class is Keras' own, and one whose configuration tells all about it."""
    return type(thing).__module__.startswith("keras.") and type(thing).__name__ not in _UNTOLD


def _is_adapted(layer: keras.layers.Layer) -> bool:
    given = (getattr(layer, f"input_{name}", None) for name in ("mean", "vocabulary", "bin_boundaries"))
    return hasattr(layer, "adapt") and all(one is None for one in given)


def _has_functions(layer: keras.layers.Layer) -> bool:
    """Tell whether an attribute of the layer is a function or an object that isn't Keras' own."""
    for name in ("activation", "recurrent_activation", *(f"{part}_{use}" for part in PENALIZED for use in _USES)):
        given = getattr(layer, name, None)
        module = getattr(given, "__module__", None) or type(given).__module__
        if given is not None and not module.startswith("keras."):
            return True
    return False

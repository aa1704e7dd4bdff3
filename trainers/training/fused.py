"""Convolutions that add their bias while they write what they have calculated, on a CPU.

The sum of images and a bias takes a tenth of an epoch: little arithmetic, but all images through memory once more.
TensorFlow's own way to such operations (Grappler) takes longer than what it saves of a small model's trial.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import keras
import tensorflow as tf

OPERATION = "_FusedConv2D"  # TensorFlow's name for it, which it has no public function for


@contextmanager
def fused() -> Iterator[None]:
    """While a graph is traced, let Keras' own convolutions of images be one operation with their biases."""
    usual = keras.layers.Conv2D.call

    def call(layer: keras.layers.Conv2D, inputs: Any) -> Any:
        if not _can_be_fused(layer, inputs):
            return usual(layer, inputs)
        kernel, bias = tf.convert_to_tensor(layer.kernel), tf.convert_to_tensor(layer.bias)
        outputs = _convolution(inputs, kernel, bias, [1, *layer.strides, 1], layer.padding.upper())
        return outputs if layer.activation is None else layer.activation(outputs)

    with patch.object(keras.layers.Conv2D, "call", call):
        yield


def _can_be_fused(layer: keras.layers.Conv2D, inputs: Any) -> bool:
    if type(layer) is not keras.layers.Conv2D or not layer.use_bias or not tf.is_symbolic_tensor(inputs):
        return False
    if tf.config.list_logical_devices("GPU"):
        return False
    usual = (layer.data_format, layer.groups, layer.dilation_rate) == ("channels_last", 1, (1, 1))
    kinds = {keras.backend.standardize_dtype(one.dtype) for one in (inputs, layer.kernel, layer.bias)}
    return usual and len(inputs.shape) == 4 and kinds == {"float32"}


def _convolution(x: Any, kernel: Any, bias: Any, strides: list[int], padding: str) -> Any:
    """Return the convolution of float32 (n, rows, columns, channels), with the gradients that Keras' has."""

    def gradients(change: Any) -> Any:
        how = {"out_backprop": change, "strides": strides, "padding": padding}
        of_x = tf.raw_ops.Conv2DBackpropInput(input_sizes=tf.shape(x), filter=kernel, **how)
        of_kernel = tf.raw_ops.Conv2DBackpropFilter(input=x, filter_sizes=tf.shape(kernel), **how)
        return of_x, of_kernel, tf.reduce_sum(change, [0, 1, 2])

    return tf.custom_gradient(lambda *inputs: (_operation(inputs, strides, padding), gradients))(x, kernel, bias)


def _operation(inputs: Sequence[Any], strides: list[int], padding: str) -> Any:
    attributes, float32 = tf.compat.v1.AttrValue, tf.float32.as_datatype_enum
    made = tf.compat.v1.get_default_graph().create_op(
        OPERATION,
        inputs,
        attrs={
            "T": attributes(type=float32),
            "TArgs": attributes(list=attributes.ListValue(type=[float32])),
            "num_args": attributes(i=1),
            "num_host_args": attributes(i=0),
            "strides": attributes(list=attributes.ListValue(i=strides)),
            "padding": attributes(s=padding.encode()),
            "fused_ops": attributes(list=attributes.ListValue(s=[b"BiasAdd"])),
        },
    )
    return made.outputs[0]

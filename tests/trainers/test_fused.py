"""Convolutions that add their bias themselves give what Keras' do, and only those are made that can be."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainers.training.fused import OPERATION, fused

X = np.random.default_rng(1).normal(size=(5, 9, 7, 4)).astype(np.float32)


class Own(keras.layers.Conv2D):
    """A user's layer, which may do anything with what it inherits."""


def traced(layer: keras.layers.Layer, x: np.ndarray = X) -> Any:
    """Return a function of images that gives the layer's outputs and all gradients of a loss."""
    if not layer.built:
        layer.build(x.shape)

    @tf.function(autograph=False)
    def outputs_and_gradients(images: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = layer(images)
            loss = tf.reduce_sum(tf.sin(outputs))
        return outputs, *tape.gradient(loss, [images, *(weight.value for weight in layer.trainable_weights)])

    return outputs_and_gradients.get_concrete_function(tf.TensorSpec((None, *x.shape[1:]), x.dtype))


def is_fused(function: Any) -> bool:
    return OPERATION in {operation.type for operation in function.graph.get_operations()}


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [1, 2, (1, 2)])
@pytest.mark.parametrize("activation", [None, "relu"])
def test_outputs_and_gradients_are_those_of_keras(padding: str, strides: Any, activation: str | None) -> None:
    layer = keras.layers.Conv2D(6, 3, strides, padding, activation=activation, bias_initializer="normal")
    expected = traced(layer)
    with fused():
        found = traced(layer)
    assert not is_fused(expected)
    assert is_fused(found)
    for ours, theirs in zip(found(X), expected(X), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Conv2D(6, 3, use_bias=False),
        keras.layers.Conv2D(6, 3, groups=2),
        keras.layers.Conv2D(6, 3, dilation_rate=2),
        keras.layers.Conv2D(6, 3, dtype="mixed_bfloat16"),
        keras.layers.Conv2D(6, 3, dtype="float64"),
        keras.layers.Conv2DTranspose(6, 3),
        keras.layers.DepthwiseConv2D(3),
        Own(6, 3),
    ],
    ids=["no bias", "groups", "dilation", "half", "double", "transpose", "depthwise", "a user's"],
)
def test_other_convolutions_are_left_to_keras(layer: keras.layers.Layer) -> None:
    with fused():
        function = traced(layer)
    assert not is_fused(function)


def test_outside_of_a_graph_it_is_left_to_keras() -> None:
    layer = keras.layers.Conv2D(6, 3)
    expected = layer(X)
    with fused():
        np.testing.assert_array_equal(layer(X), expected)


def test_on_a_gpu_it_is_left_to_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["a GPU"])
    with fused():
        function = traced(keras.layers.Conv2D(6, 3))
    assert not is_fused(function)
    monkeypatch.undo()
    with fused():
        assert is_fused(traced(keras.layers.Conv2D(6, 3)))


def test_keras_is_itself_again_afterwards() -> None:
    usual = keras.layers.Conv2D.call
    with pytest.raises(RuntimeError), fused():
        assert keras.layers.Conv2D.call is not usual
        raise RuntimeError
    assert keras.layers.Conv2D.call is usual
    assert "call" not in vars(keras.layers.Conv2D)

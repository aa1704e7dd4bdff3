"""Equal constants of a program are one operation, for Keras' own models only, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from fake_run import few_tumours
from tensorflow.python.framework.func_graph import FuncGraph

from trainers.training import compiling
from trainers.training.loop import CompiledEpochs
from trainers.training.tracing import SMALL, one_stack, shared_constants
from trainers.words.reading import read
from trainers.words.training import OPTIONS


def graph_of(function: Callable[[], Any]) -> Any:
    with shared_constants():
        return tf.function(function, autograph=False).get_concrete_function().graph


def constants(graph: Any) -> int:
    return sum(operation.type == "Const" for operation in graph.get_operations())


def test_equal_constants_are_one_operation() -> None:
    def function() -> Any:
        return tf.constant(2.5), tf.constant([1, 2]), tf.constant(2.5), tf.constant([1, 2]), tf.constant("a")

    graph = graph_of(function)
    assert constants(graph) == 3
    assert graph.outputs[0].op.inputs[0] is graph.outputs[2].op.inputs[0]


@pytest.mark.parametrize(
    "pair",
    [
        (np.float32(0), np.float32(-0.0)),
        (np.float32(1), np.int32(1)),
        (np.float32(1), np.float64(1)),
        (np.float32(1), np.ones(1, np.float32)),
        (np.zeros((2, 1), np.int32), np.zeros((1, 2), np.int32)),
        (np.float32(1), np.nextafter(np.float32(1), np.float32(2))),
        ("a", "b"),
    ],
    ids=["sign of zero", "integer", "double", "rank", "shape", "last bit", "text"],
)
def test_different_constants_stay_two(pair: tuple[Any, Any]) -> None:
    graph = graph_of(lambda: [tf.constant(value) for value in pair])
    assert constants(graph) == 2
    assert [output.dtype for output in graph.outputs] == [tf.constant(value).dtype for value in pair]
    assert [output.shape for output in graph.outputs] == [np.shape(value) for value in pair]


def test_large_constants_are_not_compared() -> None:
    large = np.zeros(SMALL, np.float32)
    assert constants(graph_of(lambda: (tf.constant(large), tf.constant(large)))) == 2


def test_each_graph_has_its_own() -> None:
    def function() -> Any:
        counted = tf.while_loop(lambda n: n < 7, lambda n: n + tf.constant(3), [tf.constant(0)])
        return counted[0], tf.constant(3)

    with shared_constants():
        assert [int(one) for one in tf.function(function, autograph=False)()] == [9, 3]


def test_a_tensor_from_outside_is_an_input_of_its_own() -> None:
    first, second = tf.constant([1.0, 2.0]), tf.constant([1.0, 2.0])

    def function(x: Any) -> Any:
        inner = tf.while_loop(lambda n, x: n < 2, lambda n, x: (n + 1, x * first + second), [0, x])
        return tf.constant([1.0, 2.0]) + inner[1] * second * first * tf.constant([1.0, 2.0])

    with shared_constants():
        shared = tf.function(function, autograph=False)(tf.ones(2))
    np.testing.assert_array_equal(shared, tf.function(function, autograph=False)(tf.ones(2)))


def test_a_constant_that_waits_may_be_shared_with_what_does_not() -> None:
    def function() -> Any:
        first = tf.constant(1.0)
        with tf.control_dependencies([first]):
            second = tf.constant(2.0)
        return first, second, tf.constant(2.0), second + tf.constant(1.0)

    with shared_constants():
        assert [float(one) for one in tf.function(function, autograph=False)()] == [1.0, 2.0, 2.0, 3.0]


def test_tensorflow_is_itself_again_afterwards() -> None:
    usual = FuncGraph._create_op_internal
    with pytest.raises(RuntimeError), shared_constants():
        assert FuncGraph._create_op_internal is not usual
        raise RuntimeError
    assert FuncGraph._create_op_internal is usual


def test_operations_that_nobody_wrote_remember_one_stack() -> None:
    def function() -> Any:
        return tf.constant(1.0) + tf.constant(2.0)

    with one_stack():
        graph = tf.function(function, autograph=False).get_concrete_function().graph
    usual = tf.function(function, autograph=False).get_concrete_function().graph
    found = [{str(operation.traceback) for operation in one.get_operations()} for one in (graph, usual)]
    assert len(found[0]) == 1 < len(found[1])


class Own(keras.Model):
    """A user's model, which may do anything with its constants."""


@pytest.mark.parametrize("gpus", [[], ["a GPU"]], ids=["no gpu", "gpu"])
def test_only_programs_of_keras_own_models_without_a_gpu_share(
    gpus: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: gpus if kind == "GPU" else [])
    monkeypatch.setattr("trainers.training.loop.fused", nullcontext)
    found = {}
    for kind in (keras.Model, Own):
        keras.utils.set_random_seed(5)
        data = few_tumours()
        inputs = keras.Input(data.input_shape)
        x = keras.layers.Dropout(0.2, seed=1)(keras.layers.Dense(8, activation="gelu")(inputs))
        model = kind(inputs, keras.layers.Dense(1)(x))
        aim = compiling.goal(model, data, read(OPTIONS, {}))
        model.compile(keras.optimizers.Adam(), loss=aim.loss, metrics=aim.metrics)
        compiling.make_state(model, data, aim)
        model.optimizer.build(model.trainable_variables)
        epochs = CompiledEpochs(model, data, [], aim.encode)
        epochs.begin(30, seed=1)
        metrics = [epochs.train(epoch, np.full(4, 0.01)) for epoch in (1, 2)]
        found[kind] = epochs.operations.total(), [*metrics, epochs.validate()]
    (ours, shared), (theirs, usual) = found.values()
    assert shared == usual  # to the last bit
    assert ours < 0.9 * theirs if not gpus else ours == theirs

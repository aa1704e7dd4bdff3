"""What makes a program cheap to trace and to keep: its operations remember less, and there are fewer of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

import tensorflow as tf

SMALL = 1000  # bytes of a constant; larger ones take longer to compare than to make


@contextmanager
def short_stacks() -> Iterator[None]:
    """Let operations made inside remember of their Python stacks only the frames of a user's own files.

    TensorFlow keeps a stack for each operation; those of its own, of Keras and of ours are half of what a program takes
    in memory. An error still names the layer that it happened in, and the lines of the user's that made it.
    """
    from tensorflow.python.util import tf_stack  # no public name

    class OwnFrames(tf_stack.StackTraceFilter):  # type: ignore[misc]
        def get_filtered_filenames(self) -> frozenset[str]:
            return _libraries()

    with OwnFrames():
        yield


@contextmanager
def one_stack() -> Iterator[None]:
    """Let all operations made inside remember one and the same stack, as where none of them is of a user's own code.

    Looking for it takes a twelfth of the time of a trace.
    """
    from tensorflow.python.util import tf_stack  # no public name

    stack = tf_stack.extract_stack()
    with patch.object(tf_stack, "extract_stack", lambda stacklevel=1: stack):
        yield


@cache
def _libraries() -> frozenset[str]:
    """Return the files of all modules of Python, TensorFlow, Keras and ours that are loaded."""
    known = {"tensorflow", "keras", "search", "spaces", "trainers", *sys.stdlib_module_names}
    loaded = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] in known]
    files = {getattr(module, "__file__", None) or "" for module in loaded}
    # TensorFlow takes the innermost three frames off what is left: its own, in these two.
    return frozenset(file for file in files if not file.endswith(("framework/ops.py", "util/tf_stack.py")))


def operations() -> int:
    """Return how many operations the graph has that is being traced."""
    return len(tf.compat.v1.get_default_graph().get_operations())


@contextmanager
def shared_constants() -> Iterator[None]:
    """Let equal constants of a graph that is traced inside be one operation: a sixth of a small model's are such.

    TensorFlow's own way to it (Grappler) takes longer than what it saves, so that it is off without a GPU
    (`runtime.prepare`). Not for a user's own code: a tape that watches a constant would watch all that are equal.
    """
    from tensorflow.python.framework.func_graph import FuncGraph  # where all its operations are made; no public name

    usual = FuncGraph._create_op_internal
    made: dict[tuple[FuncGraph, bytes], tf.Operation] = {}

    def create(graph: FuncGraph, op_type: str, *given: Any, **named: Any) -> tf.Operation:
        if op_type != "Const" or named["attrs"]["value"].ByteSize() > SMALL:
            return usual(graph, op_type, *given, **named)
        key = graph, named["attrs"]["value"].SerializeToString()
        # A small tensor from outside is a constant too, and an input of the graph: no input may be there twice.
        if key not in made or any(made[key].outputs[0] is tensor for tensor in graph.inputs):
            made[key] = usual(graph, op_type, *given, **named)
        return made[key]

    with patch.object(FuncGraph, "_create_op_internal", create):
        yield

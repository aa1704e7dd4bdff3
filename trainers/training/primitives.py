"""What oneDNN makes ready for each shape of a convolution: TensorFlow keeps the last thousand, a hundred megabytes.

Trials of other widths have other shapes, and few of them come again. TensorFlow has no setting for how many it keeps,
but lets go of those that were used least lately: now and then, operations that need little take most of the places.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

TAKEN = 900  # of TensorFlow's 1,024 places; what is left is for the shapes that were used last


def forget() -> None:
    """Let go of what most shapes of convolutions took on a CPU; for one that comes again it is made again, in 1 ms.

    Each thread has places of its own: where several train, nothing is done.
    """
    if tf.config.threading.get_inter_op_parallelism_threads() == 1 and not tf.config.list_logical_devices("GPU"):
        _transpose(tf.constant(TAKEN))


@tf.function(input_signature=(tf.TensorSpec((), tf.int32),), autograph=False)  # type: ignore[untyped-decorator]
def _transpose(shapes: Any) -> Any:
    """Transpose matrices of as many shapes, in the thread that trains."""

    def step(number: Any) -> Any:
        # Of fewer than three numbers a side nothing is kept.
        with tf.control_dependencies([tf.transpose(tf.zeros((1, 3, number + 3)), (0, 2, 1))]):
            return number + 1

    return tf.while_loop(lambda number: number < shapes, step, [tf.constant(0)], parallel_iterations=1)

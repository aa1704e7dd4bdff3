"""What oneDNN keeps for convolutions of many shapes is let go of between trials."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from trainers.training import primitives
from trainers.training.programs import SHAPES_KEPT, Programs

GROWTH = """
import ctypes
from trainers import runtime
runtime.prepare(threads=1)
import tensorflow as tf
from trainers.training import primitives

names = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")

class Allocated(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in names]

c = ctypes.CDLL(None)
c.mallinfo2.restype = Allocated

def in_use():
    now = c.mallinfo2()
    return now.uordblks + now.hblkhd

@tf.function(autograph=False)
def convolve(first, last):
    def step(width):
        with tf.control_dependencies([tf.nn.conv2d(tf.zeros((1, 4, 4, width)), tf.zeros((3, 3, width, 8)), 1, "SAME")]):
            return width + 1
    return tf.while_loop(lambda width: width < last, step, [first], parallel_iterations=1)

primitives.forget()
convolve(tf.constant(1), tf.constant(2))
before = in_use()
convolve(tf.constant(2), tf.constant(602))
grown = in_use()
primitives.forget()
print(grown - before, in_use() - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="asks glibc how much memory is in use")
def test_most_of_what_convolutions_of_many_shapes_took_is_given_back() -> None:
    told = subprocess.run([sys.executable, "-c", GROWTH], check=True, capture_output=True, text=True, timeout=120)
    grown, left = map(int, told.stdout.split())
    if grown < 600 * 10_000:
        pytest.skip("TensorFlow keeps nothing for a shape of a convolution here: no oneDNN")
    assert left < 0.4 * grown


def test_shapes_are_forgotten_only_if_there_were_many(monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[int] = []
    monkeypatch.setattr(primitives, "forget", lambda: times.append(len(noted)))
    known, noted = Programs(), list[int]()
    for batch_size in (*range(SHAPES_KEPT), *range(SHAPES_KEPT), *range(100, 100 + SHAPES_KEPT + 1)):
        known.note_shapes(batch_size, (3, 4))
        noted.append(batch_size)
    assert times == [2 * SHAPES_KEPT, 3 * SHAPES_KEPT]

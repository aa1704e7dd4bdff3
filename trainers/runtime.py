"""How this process runs TensorFlow: threads and memory before Keras is imported, seeds, and kinds of failure."""

from __future__ import annotations

import gc
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

from trainers.contract import Diverged
from trainers.full_disk import is_full

Failure = Literal["oom", "nan", "user"]

log = logging.getLogger(__name__)

XLA_KEPT_FOR = "GPU"
"""The devices whose XLA programs are kept on disk. A CPU's aren't: loading one only warns of other processors."""


@cache
def prepare(threads: int | None = None, log_level: int = logging.WARNING, xla_programs: Path | None = None) -> None:
    """Import TensorFlow and Keras so that they are quiet, use `threads` threads, and take GPU memory only as needed.

    What XLA compiles for a GPU (the word `jit_compile`) is kept in the folder `xla_programs` for later processes. Call
    it before anything imports Keras; environment variables that are already set are left alone.
    """
    if xla_programs is not None:
        flags = f"--tf_xla_persistent_cache_directory='{xla_programs}'"
        os.environ.setdefault("TF_XLA_FLAGS", f"{flags} --tf_xla_persistent_cache_device_types={XLA_KEPT_FOR}")
    # TensorFlow leaves oneDNN's kernels off where a processor lacks AVX-512; convolutions take half the time with them.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # By default oneDNN's gradient of a convolution's kernel is set up anew in every step: a tenth of a small epoch.
    os.environ.setdefault("TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE", "0")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if log_level <= logging.DEBUG else "2")
    # The imports make no garbage; looking for it all the while takes a sixth of their time.
    gc.disable()
    with _quiet():
        import tensorflow as tf

        devices = tf.config.list_physical_devices("GPU")
        import keras  # noqa: F401
    # Its Python warnings are about its own use, such as "retracing" at every new model.
    tf.get_logger().setLevel(logging.DEBUG if log_level <= logging.DEBUG else logging.ERROR)
    if threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        # Small models gain nothing from running two operations at once, and lose to threads that wait for each other.
        tf.config.threading.set_inter_op_parallelism_threads(1)
    for device in devices:
        tf.config.experimental.set_memory_growth(device, True)
    if not devices:
        # It takes longer than what it saves of a small model's trial, and most of what it does is for GPUs.
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    # What was imported stays; no later collection needs to look at it, which would take a fifth of a second.
    gc.freeze()
    gc.enable()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what libraries write to the standard error stream for the debug log.

    TensorFlow reports drivers that a machine without a GPU lacks before its log level counts.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        terminal = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            kept.seek(0)
            log.debug(kept.read().decode(errors="replace"))


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy, TensorFlow and Keras; 0 <= seed < 2**31."""
    import keras

    keras.utils.set_random_seed(seed)


@contextmanager
def kernels_kept() -> Iterator[None]:
    """Keep what TensorFlow made of its functions for their next call, where seeding and Keras' clear_session forget it.

    They do so that operations which draw random numbers begin anew: only where none has drawn any (`draws_told`).
    """
    from tensorflow.python import pywrap_tfe  # no public name

    with patch.object(pywrap_tfe, "TFE_ContextClearCaches", lambda handle: None):
        yield


@contextmanager
def draws_told(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` whenever an operation is made inside that draws random numbers and holds their state itself.

    Those of `tf.random` do. Keras' own don't: their state is a variable.
    """
    from tensorflow.python.framework import random_seed  # what all of them ask for their seeds; no public name

    seeds = random_seed.get_seed

    def told(seed: int | None) -> Any:
        tell()
        return seeds(seed)

    with patch.object(random_seed, "get_seed", told):
        yield


@contextmanager
def graphs_released() -> Iterator[None]:
    """Let go of the graphs that are traced inside, once nobody else needs them.

    TensorFlow registers the gradient of every custom operation for good, and each holds its graph: megabytes a model.
    """
    from tensorflow.python.framework import ops  # no public name

    registry: dict[str, Any] = getattr(ops.gradient_registry, "_registry", {})
    before = set(registry)
    try:
        yield
    finally:
        for name in set(registry) - before:
            if name.startswith("CustomGradient-"):
                del registry[name]


def failure(error: BaseException) -> Failure:
    """Return the reason that a trial which ended with `error` failed for; its causes count too."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, Diverged):
            return "nan"
        if isinstance(seen, MemoryError) or _out_of_device_memory(seen):
            return "oom"
        seen = seen.__cause__
    return "user"


def _out_of_device_memory(error: BaseException) -> bool:
    tf = sys.modules.get("tensorflow")
    if tf is None or not isinstance(error, tf.errors.OpError):
        return False
    text = str(error)
    if is_full(error):
        return False
    return isinstance(error, tf.errors.ResourceExhaustedError) or any(
        sign in text for sign in ("RESOURCE_EXHAUSTED", "CUDA_ERROR_OUT_OF_MEMORY", "out of memory")
    )


def device_note() -> str:
    """Say in a few words what this process trains on."""
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        threads = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count()
        return f"CPU, {threads} thread{'' if threads == 1 else 's'}"
    details: dict[str, Any] = tf.config.experimental.get_device_details(devices[0])
    return f"GPU {details.get('device_name', devices[0].name)}"


def device_memory() -> int | None:
    """Return the bytes of memory of the GPU that this process trains on; None: it has no GPU, or it can't be told."""
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        return None
    import pynvml

    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    try:
        pynvml.nvmlInit()
        by_name = visible.startswith(("GPU-", "MIG-"))
        handle = (
            pynvml.nvmlDeviceGetHandleByUUID(visible) if by_name else pynvml.nvmlDeviceGetHandleByIndex(int(visible))
        )
        return int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
    except (pynvml.NVMLError, ValueError):
        return None

"""What does this machine give to us: cores, memory and GPUs?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Gpu:
    """A GPU or a MIG slice as the driver shows it; memory in bytes, None where the driver doesn't tell."""

    uuid: str
    name: str
    memory: int | None = None
    free: int | None = None
    slices: tuple[Gpu, ...] = ()
    split: bool = False
    """MIG is on: CUDA can use the slices alone, of which there may be none."""


@dataclass(frozen=True)
class Driver:
    """What the NVIDIA driver answered: its GPUs in its own order (a lost one is None), and what went wrong."""

    gpus: tuple[Gpu | None, ...] = ()
    problems: tuple[str, ...] = ()
    answered: bool = True


def cores(cgroups: Path = CGROUPS, own: Path = Path("/proc/self/cgroup")) -> int:
    """Return how many cores this process may keep busy, at least 1: its affinity, within the `cpu.max` of its cgroups.

    Half a core of quota is no core to plan with, so 2.5 counts as 2. Only cgroup v2 is read
    (https://docs.kernel.org/admin-guide/cgroup-v2.html).
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for text in _limits("cpu.max", cgroups, own):
        quota, _, period = text.partition(" ")
        if quota.isdecimal() and period.isdecimal() and int(period) > 0:
            count = min(count, int(quota) // int(period))
    return max(1, count)


def memory(cgroups: Path = CGROUPS, own: Path = Path("/proc/self/cgroup")) -> int:
    """Return how many bytes of main memory are free to take, within the `memory.max` of our cgroups."""
    limits = [int(text) for text in _limits("memory.max", cgroups, own) if text.isdecimal()]
    return min([psutil.virtual_memory().available, *limits])


def gpus() -> Driver:
    """Ask the NVIDIA driver (NVML) for its GPUs and MIG slices. Never raises: a machine without a driver has none.

    Source: https://docs.nvidia.com/deploy/nvml-api. NVML knows nothing of CUDA_VISIBLE_DEVICES.
    """
    import pynvml

    problems: list[str] = []
    try:
        with _session(pynvml):
            count = pynvml.nvmlDeviceGetCount()
            return Driver(tuple(_gpu(pynvml, index, problems) for index in range(count)), tuple(problems))
    except pynvml.NVMLError as error:
        return Driver((), (_reason(pynvml, error),), answered=False)


@contextmanager
def _session(nvml: Any) -> Iterator[None]:
    nvml.nvmlInit()
    try:
        yield
    finally:
        nvml.nvmlShutdown()


def _reason(nvml: Any, error: Exception) -> str:
    if isinstance(error, nvml.NVMLError_LibraryNotFound):
        return "no NVIDIA driver is installed (libnvidia-ml.so.1 was not found)"
    if isinstance(error, nvml.NVMLError_DriverNotLoaded):
        return "the NVIDIA driver is installed but not loaded (nvidia-smi should say the same)"
    return f"the NVIDIA driver could not be asked: {error}"


def _gpu(nvml: Any, index: int, problems: list[str]) -> Gpu | None:
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        whole = _described(nvml, handle)
        if not _is_split(nvml, handle):
            return whole
        slices = tuple(_slices(nvml, handle))
    except nvml.NVMLError as error:
        problems.append(f"GPU {index} is left out: {error}")
        return None
    if not slices:
        problems.append(f"GPU {index} ({whole.name}) is left out: MIG is on, but has no slices (see nvidia-smi mig)")
    return Gpu(whole.uuid, whole.name, whole.memory, whole.free, slices, split=True)


def _described(nvml: Any, handle: Any) -> Gpu:
    uuid, name = nvml.nvmlDeviceGetUUID(handle), nvml.nvmlDeviceGetName(handle)
    try:
        info = nvml.nvmlDeviceGetMemoryInfo(handle)
    except nvml.NVMLError:  # GPUs that share the main memory have no figure of their own
        return Gpu(uuid, name)
    return Gpu(uuid, name, int(info.total), int(info.free))


def _is_split(nvml: Any, handle: Any) -> bool:
    try:
        current, _ = nvml.nvmlDeviceGetMigMode(handle)
    except (nvml.NVMLError_NotSupported, nvml.NVMLError_FunctionNotFound):  # a GeForce, a driver from before MIG
        return False
    return bool(current == nvml.NVML_DEVICE_MIG_ENABLE)


def _slices(nvml: Any, handle: Any) -> Iterator[Gpu]:
    for index in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            part = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
        except nvml.NVMLError_NotFound:  # slices keep their index when one before them is taken away
            continue
        yield _described(nvml, part)


def _limits(name: str, cgroups: Path, own: Path) -> Iterator[str]:
    """Yield the text of the file `name` in our cgroup and in each one above it, as far as they can be seen."""
    try:
        path = next(line[3:].strip() for line in own.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for depth in range(len(parts), -1, -1):
        try:
            yield cgroups.joinpath(*parts[:depth], name).read_text().strip()
        except OSError:
            continue

"""Which worker gets which device?"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from search import machine
from search.errors import InputError
from search.machine import Driver, Gpu

CUDA_TOKEN = re.compile(r"\d+|(GPU|MIG)-[0-9A-Za-z/_-]+")
CPU_WORKER_MEMORY = 3 * 2**29  # bytes: TensorFlow with a small model takes 0.7 GB, and the data comes on top
MOST_CPU_WORKERS = 4  # by default; each further one makes the sampler ask with less known
USABLE_MEMORY = 0.9  # of a shared GPU: each process' CUDA context lies outside of TensorFlow's limit


@dataclass(frozen=True)
class Device:
    """A GPU or a MIG slice: how CUDA_VISIBLE_DEVICES calls it, its name ("" if unknown), and its memory in bytes."""

    token: str
    name: str = ""
    memory: int | None = None
    free: int | None = None

    def __str__(self) -> str:
        """Say it for people: `NVIDIA H100 GPU-8932f937 80 GB`, or `GPU 2` where only the index is known."""
        label = f"GPU {self.token}" if self.token.isdecimal() else _short(self.token)
        size = "" if self.memory is None else f"{self.memory / 2**30:.0f} GB"
        return " ".join(word for word in (self.name, label, size) if word)


@dataclass(frozen=True)
class Devices:
    """The devices to share out, in order; what `plan` should say about them; and how CUDA counts indices.

    With `order` None the tokens are indices of CUDA's default order, and CUDA_DEVICE_ORDER has to stay unset.
    """

    devices: tuple[Device, ...] = ()
    notes: tuple[str, ...] = ()
    order: str | None = "PCI_BUS_ID"


@dataclass(frozen=True)
class Place:
    """Where one worker runs: its rank from 0, its device (None: CPU), its threads, and what its environment adds.

    `memory_limit_mb` is in MiB, None for a worker that has its device to itself.
    """

    rank: int
    device: Device | None
    threads: int
    memory_limit_mb: int | None
    environment: Mapping[str, str]


def visible(
    environment: Mapping[str, str], requested: str | None = None, ask: Callable[[], Driver] = machine.gpus
) -> Devices:
    """Find the devices that may be used: those of CUDA_VISIBLE_DEVICES if it is set, else all that the driver shows.

    `requested` (`--devices`) chooses among them: `all`, `none` or `cpu`, or a comma list of numbers, UUIDs or unique
    beginnings of UUIDs. A number is the one that CUDA_VISIBLE_DEVICES gives where it gives numbers, else the position.
    Raises InputError for a choice that isn't there. `ask` asks the driver.
    """
    choice = "all" if requested is None else requested.strip()
    if choice.lower() in ("none", "cpu"):
        return Devices(notes=(f"no GPU is used: --devices is {choice}",))
    listed = environment.get("CUDA_VISIBLE_DEVICES")
    if listed is None:
        found = _of_driver(ask())
    elif listed.strip() in ("", "-1"):
        found = Devices(notes=(f"no GPU is used: CUDA_VISIBLE_DEVICES is {listed.strip()!r}",))
    else:
        found = _of_list(listed, ask(), environment.get("CUDA_DEVICE_ORDER"))
    if choice.lower() == "all":
        return found
    return replace(found, devices=_chosen(choice, found))


def share(
    devices: Devices, per_gpu: int, workers: int | None, cores: int, memory: int | None = None
) -> tuple[Place, ...]:
    """Give each worker its device, its threads and its memory: `per_gpu` workers on every GPU, or CPU workers.

    `workers` caps their number (the first ones go to different GPUs) and sets it where there is no GPU; `cores` are
    shared out between the workers, each getting at least one thread. Without `workers` and without a GPU there is
    one worker per core, at most 4, as far as `memory` (bytes of main memory, None: enough) goes: on 2 cores two
    workers of one thread made 2.1 times the steps of one worker of two threads with a small network, 1.15 times with
    a big one. Raises InputError for more workers than the GPUs have places.
    """
    if per_gpu < 1 or (workers is not None and workers < 1):
        raise InputError(f"--workers and --per-gpu: received {workers} and {per_gpu}", "expected at least 1 of each")
    gpus = devices.devices
    if not gpus:
        count = workers or _cpu_workers(cores, memory)
        return tuple(_on_cpu(rank, _threads(rank, count, cores)) for rank in range(count))
    count = len(gpus) * per_gpu if workers is None else workers
    if count > len(gpus) * per_gpu:
        raise _too_many(count, len(gpus), per_gpu)
    return tuple(
        _on_gpu(rank, gpus[rank % len(gpus)], _threads(rank, count, cores), per_gpu, devices.order)
        for rank in range(count)
    )


def describe(places: Sequence[Place], notes: Sequence[str] = ()) -> list[str]:
    """Return a line per worker, then the notes (`Devices.notes`), then a warning for each GPU that is nearly full."""
    lines = [f"worker {place.rank}: {_whereabouts(place)}" for place in places]
    crowded = {place.device.token: place.device for place in places if place.device and _is_crowded(place.device)}
    return [*lines, *notes, *(_crowded_warning(device) for device in crowded.values())]


def _of_driver(driver: Driver) -> Devices:
    found = tuple(_device(part) for gpu in driver.gpus if gpu for part in (gpu.slices if gpu.split else (gpu,)))
    if found or driver.problems:
        return Devices(found, driver.problems if found else tuple(f"no GPU is used: {why}" for why in driver.problems))
    return Devices(notes=("no GPU is used: the NVIDIA driver shows none",))


def _of_list(listed: str, driver: Driver, order: str | None) -> Devices:
    """Share out the tokens as they are: only their details come from the driver, if it answers."""
    tokens = [token.strip() for token in listed.split(",")]
    good: list[Device] = []
    notes: list[str] = []
    for position, token in enumerate(tokens):
        device = _listed(token, driver, order)
        if device is None or token in tokens[:position]:
            hidden = ", ".join(repr(word) for word in tokens[position:])
            notes.append(f"CUDA_VISIBLE_DEVICES={listed}: {token!r} is no usable device, so CUDA hides {hidden}")
            break
        good.append(device)
    if not driver.answered:
        notes += [f"CUDA_VISIBLE_DEVICES={listed} is taken as it stands: {why}" for why in driver.problems]
    if not good:
        notes.append("no GPU is used")
    by_index = any(device.token.isdecimal() for device in good)
    return Devices(tuple(good), tuple(notes), order if by_index else "PCI_BUS_ID")


def _listed(token: str, driver: Driver, order: str | None) -> Device | None:
    """Return the device that CUDA would take for a token, or None for a token that CUDA would refuse."""
    if not CUDA_TOKEN.fullmatch(token):
        return None
    if not driver.answered:
        return Device(token)
    if token.isdecimal():
        return _by_index(int(token), driver, order)
    known = [part for gpu in driver.gpus if gpu for part in (gpu, *gpu.slices)]
    found = [gpu for gpu in known if gpu.uuid.lower().startswith(token.lower())]
    if len(found) == 1:
        return replace(_device(found[0]), token=token)
    # MIG-GPU-<uuid>/<instance>/<instance>, the older name of a slice, is CUDA's to resolve.
    return Device(token) if token.startswith("MIG-GPU-") else None


def _by_index(index: int, driver: Driver, order: str | None) -> Device | None:
    if index >= len(driver.gpus):
        return None
    gpu = driver.gpus[index]
    if gpu is None:
        return Device(str(index))
    if order == "PCI_BUS_ID" or len(driver.gpus) == 1:
        return replace(_device(gpu), token=str(index))
    # By default CUDA counts from the fastest GPU, so the index says which one it is only if they are all the same.
    if all(other and (other.name, other.memory) == (gpu.name, gpu.memory) for other in driver.gpus):
        return Device(str(index), gpu.name, gpu.memory)
    return Device(str(index))


def _device(gpu: Gpu) -> Device:
    # Of a split GPU CUDA takes one slice, and its memory is not the whole.
    return Device(gpu.uuid, gpu.name) if gpu.split else Device(gpu.uuid, gpu.name, gpu.memory, gpu.free)


def _chosen(choice: str, found: Devices) -> tuple[Device, ...]:
    chosen: list[Device] = []
    for word in (part.strip() for part in choice.split(",")):
        device = _named(word, found.devices)
        if device is None:
            raise _unknown(word, choice, found)
        if device in chosen:
            raise InputError(f"--devices {choice}: {device} is named twice", "for two workers on a GPU use --per-gpu 2")
        chosen.append(device)
    return tuple(chosen)


def _named(word: str, devices: Sequence[Device]) -> Device | None:
    tokens = [device.token for device in devices]
    if word in tokens:
        return devices[tokens.index(word)]
    if word.isdecimal():
        by_position = not any(token.isdecimal() for token in tokens) and int(word) < len(devices)
        return devices[int(word)] if by_position else None
    found = _begun(word, devices)
    return found[0] if len(found) == 1 else None


def _begun(word: str, devices: Sequence[Device]) -> list[Device]:
    """Return the devices whose UUID begins with `word`, or whose token is itself the beginning of the UUID `word`."""
    if len(word) <= len("GPU-"):
        return []
    low = word.lower()
    tokens = [(device, device.token.lower()) for device in devices if not device.token.isdecimal()]
    return [device for device, token in tokens if token.startswith(low) or low.startswith(token)]


def _unknown(word: str, choice: str, found: Devices) -> InputError:
    if not found.devices:
        why = "; ".join(found.notes)
        return InputError(f"--devices {choice}: there is no GPU to choose from ({why})", "use --devices none")
    several = len(_begun(word, found.devices))
    what = f"{word!r} is the beginning of {several} devices" if several > 1 else f"there is no device {word!r}"
    by_number = any(device.token.isdecimal() for device in found.devices)
    names = [
        f"{device.token} {device.name}" if by_number else f"{position}: {device.token} {device.name}"
        for position, device in enumerate(found.devices)
    ]
    return InputError(f"--devices {choice}: {what}", "\n  ".join(["use all, none, or some of these:", *names]))


def _cpu_workers(cores: int, memory: int | None) -> int:
    fitting = MOST_CPU_WORKERS if memory is None else memory // CPU_WORKER_MEMORY
    return max(1, min(MOST_CPU_WORKERS, cores, fitting))


def _threads(rank: int, workers: int, cores: int) -> int:
    return max(1, cores // workers + (rank < cores % workers))


def _too_many(count: int, gpus: int, per_gpu: int) -> InputError:
    needed = -(-count // gpus)
    each = "one worker each" if per_gpu == 1 else f"{per_gpu} workers each"
    return InputError(
        f"--workers {count}: there is room for {gpus * per_gpu} ({gpus} {'GPU' if gpus == 1 else 'GPUs'}, {each})",
        f"use --workers {gpus * per_gpu} or less, or --per-gpu {needed} to let {needed} workers share a GPU",
    )


def _on_cpu(rank: int, threads: int) -> Place:
    return Place(rank, None, threads, None, {"CUDA_VISIBLE_DEVICES": "-1", **_thread_variables(threads)})


def _on_gpu(rank: int, device: Device, threads: int, per_gpu: int, order: str | None) -> Place:
    limit = None
    if per_gpu > 1 and device.memory is not None:
        limit = int(device.memory * USABLE_MEMORY / per_gpu) // 2**20
    variables = {"CUDA_VISIBLE_DEVICES": device.token, "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    if order is not None:
        variables["CUDA_DEVICE_ORDER"] = order
    if limit is not None:
        variables["TF_PER_DEVICE_MEMORY_LIMIT_MB"] = str(limit)
    return Place(rank, device, threads, limit, {**variables, **_thread_variables(threads)})


def _thread_variables(threads: int) -> dict[str, str]:
    return dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), str(threads))


def _whereabouts(place: Place) -> str:
    threads = "1 core" if place.threads == 1 else f"{place.threads} cores"
    if place.device is None:
        return f"CPU, {threads}"
    limit = "" if place.memory_limit_mb is None else f", at most {place.memory_limit_mb / 1024:.1f} GB of it"
    return f"{place.device}{limit}"


def _is_crowded(device: Device) -> bool:
    return device.memory is not None and device.free is not None and device.free < 0.1 * device.memory


def _crowded_warning(device: Device) -> str:
    free = (device.free or 0) / 2**30
    return f"warning: {device} has only {free:.1f} GB free: somebody else is using it; choose others with --devices"


def _short(uuid: str) -> str:
    """Cut a UUID after its first group, as CUDA's guide does: GPU-8932f937."""
    return "-".join(uuid.split("-")[:2])

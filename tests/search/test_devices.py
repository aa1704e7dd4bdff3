from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import fake_nvml
import pytest

from search import machine
from search.devices import Device, Devices, describe, share, visible
from search.errors import InputError
from search.machine import Driver, Gpu

ROOT = Path(__file__).parents[2]
GIB = 2**30

H100 = Gpu("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "NVIDIA H100 80GB HBM3", 80 * GIB, 79 * GIB)
OTHER_H100 = Gpu("GPU-89aa0000-0000-0000-0000-000000000001", "NVIDIA H100 80GB HBM3", 80 * GIB, 2 * GIB)
GEFORCE = Gpu("GPU-11112222-0000-0000-0000-000000000002", "NVIDIA GeForce RTX 4090", 24 * GIB, 24 * GIB)
SLICES = tuple(Gpu(f"MIG-aaaa000{n}-0000", "NVIDIA H100 MIG 1g.10gb", 10 * GIB, 10 * GIB) for n in range(2))
SPLIT = Gpu("GPU-55556666-0000-0000-0000-000000000003", "NVIDIA H100", 80 * GIB, 60 * GIB, SLICES, split=True)

TWO = Driver((H100, OTHER_H100))
MIXED = Driver((H100, GEFORCE))
NONE = Driver(problems=("no NVIDIA driver is installed",), answered=False)


def tokens(devices: Devices) -> list[str]:
    return [device.token for device in devices.devices]


def found(driver: Driver, listed: str | None = None, requested: str | None = None, order: str | None = None) -> Devices:
    given = {"CUDA_VISIBLE_DEVICES": listed, "CUDA_DEVICE_ORDER": order}
    return visible({name: value for name, value in given.items() if value is not None}, requested, lambda: driver)


# --- what may be used


def test_without_a_list_every_gpu_of_the_driver_is_visible_by_uuid() -> None:
    assert tokens(found(MIXED)) == [H100.uuid, GEFORCE.uuid]
    assert found(MIXED).devices[0] == Device(H100.uuid, H100.name, H100.memory, H100.free)


def test_the_slices_stand_for_a_gpu_whose_mig_is_on() -> None:
    assert tokens(found(Driver((SPLIT, GEFORCE)))) == [SLICES[0].uuid, SLICES[1].uuid, GEFORCE.uuid]


def test_without_a_driver_there_is_no_gpu_and_the_reason_is_kept() -> None:
    devices = found(NONE)
    assert devices.devices == ()
    assert devices.notes == ("no GPU is used: no NVIDIA driver is installed",)


def test_a_driver_that_shows_no_gpu_is_told() -> None:
    assert found(Driver()).notes == ("no GPU is used: the NVIDIA driver shows none",)


def test_a_lost_gpu_is_left_out_and_told() -> None:
    devices = found(Driver((None, GEFORCE), ("GPU 0 is left out: GPU is lost",)))
    assert tokens(devices) == [GEFORCE.uuid]
    assert devices.notes == ("GPU 0 is left out: GPU is lost",)


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ("0,1", ["0", "1"]),
        ("1, 0", ["1", "0"]),
        ("3", ["3"]),
        ("GPU-8932f937", ["GPU-8932f937"]),
        (f"{GEFORCE.uuid},0", [GEFORCE.uuid, "0"]),
        ("MIG-aaaa0000-0000", ["MIG-aaaa0000-0000"]),
        ("MIG-GPU-5555/1/0", ["MIG-GPU-5555/1/0"]),
        ("", []),
        ("-1", []),
        (" ", []),
        ("NoDevFiles", []),
        ("0,2,-1,1", ["0", "2"]),
        ("0,,1", ["0"]),
        ("0,0,1", ["0"]),
        ("x,0", []),
    ],
)
def test_a_list_in_the_environment_is_shared_out_as_it_stands(listed: str, expected: list[str]) -> None:
    devices = found(NONE, listed)
    assert tokens(devices) == expected
    assert expected or any(note.startswith("no GPU is used") for note in devices.notes)


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ("0,1", ["0", "1"]),
        ("0,2,1", ["0"]),
        ("GPU-8932,GPU-89aa", ["GPU-8932", "GPU-89aa"]),
        ("GPU-89,0", []),
        ("GPU-ffff,0", []),
        (H100.uuid, [H100.uuid]),
    ],
)
def test_a_driver_that_answers_tells_which_entries_cuda_would_refuse(listed: str, expected: list[str]) -> None:
    assert tokens(found(TWO, listed)) == expected


def test_what_cuda_hides_is_told_with_the_entry_that_hides_it() -> None:
    assert found(TWO, "0,7,1").notes == ("CUDA_VISIBLE_DEVICES=0,7,1: '7' is no usable device, so CUDA hides '7', '1'",)


def test_the_driver_adds_name_and_memory_to_a_list_of_the_environment() -> None:
    (device,) = found(MIXED, "GPU-1111").devices
    assert device == Device("GPU-1111", GEFORCE.name, GEFORCE.memory, GEFORCE.free)
    (piece,) = found(Driver((SPLIT,)), "MIG-aaaa0001").devices
    assert piece.memory == 10 * GIB


@pytest.mark.parametrize(
    ("driver", "order", "expected"),
    [
        (MIXED, "PCI_BUS_ID", Device("1", GEFORCE.name, GEFORCE.memory, GEFORCE.free)),
        (MIXED, None, Device("1")),
        (MIXED, "FASTEST_FIRST", Device("1")),
        (TWO, None, Device("1", H100.name, H100.memory)),
    ],
)
def test_an_index_is_only_looked_up_where_cuda_and_the_driver_count_alike(
    driver: Driver, order: str | None, expected: Device
) -> None:
    assert found(driver, "1", order=order).devices == (expected,)


def test_the_memory_of_a_split_gpu_is_not_that_of_its_slice() -> None:
    assert found(Driver((SPLIT,)), "0").devices == (Device("0", SPLIT.name),)


# --- --devices


@pytest.mark.parametrize(
    ("requested", "expected"),
    [
        (None, [H100.uuid, OTHER_H100.uuid]),
        ("all", [H100.uuid, OTHER_H100.uuid]),
        ("1", [OTHER_H100.uuid]),
        ("1, 0", [OTHER_H100.uuid, H100.uuid]),
        ("GPU-8932", [H100.uuid]),
        ("gpu-89AA", [OTHER_H100.uuid]),
        (H100.uuid, [H100.uuid]),
        ("none", []),
        ("cpu", []),
    ],
)
def test_devices_are_chosen_by_number_uuid_or_beginning(requested: str | None, expected: list[str]) -> None:
    assert tokens(found(TWO, requested=requested)) == expected


def test_devices_are_chosen_among_those_of_the_environment_by_their_own_numbers() -> None:
    assert tokens(found(NONE, "2,5", "5")) == ["5"]
    assert tokens(found(TWO, "GPU-89aa,GPU-8932", "0")) == ["GPU-89aa"]
    assert tokens(found(TWO, "GPU-89aa", OTHER_H100.uuid)) == ["GPU-89aa"]
    with pytest.raises(InputError, match="there is no device '0'"):
        found(NONE, "2,5", "0")


@pytest.mark.parametrize(
    ("requested", "message"),
    [
        ("2", "there is no device '2'"),
        ("0,GPU-77", "there is no device 'GPU-77'"),
        ("GPU-89", "'GPU-89' is the beginning of 2 devices"),
        ("GPU-", "there is no device 'GPU-'"),
        ("0,0", "named twice"),
        ("0,", "there is no device ''"),
        ("-1", "there is no device '-1'"),
    ],
)
def test_an_unknown_device_is_refused_and_the_known_ones_are_named(requested: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        found(TWO, requested=requested)
    assert "GPU-8932f937" in str(error.value)


def test_choosing_a_device_where_there_is_none_says_why_there_is_none() -> None:
    with pytest.raises(InputError, match=r"(?s)no NVIDIA driver is installed.*--devices none"):
        found(NONE, requested="0")


def test_the_driver_is_not_asked_when_nothing_can_be_used() -> None:
    def ask() -> Driver:
        raise AssertionError("asked")

    assert visible({}, "none", ask).devices == ()
    assert visible({"CUDA_VISIBLE_DEVICES": ""}, None, ask).devices == ()


# --- who gets what


def test_each_gpu_gets_one_worker_that_sees_it_alone() -> None:
    places = share(found(MIXED), 1, None, cores=9)
    assert [place.environment["CUDA_VISIBLE_DEVICES"] for place in places] == [H100.uuid, GEFORCE.uuid]
    assert [(place.rank, place.threads, place.memory_limit_mb) for place in places] == [(0, 5, None), (1, 4, None)]
    assert dict(places[1].environment) == {
        "CUDA_VISIBLE_DEVICES": GEFORCE.uuid,
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "OMP_NUM_THREADS": "4",
        "TF_NUM_INTRAOP_THREADS": "4",
        "TF_NUM_INTEROP_THREADS": "4",
    }


def test_workers_that_share_a_gpu_get_a_limit_that_leaves_room_for_their_contexts() -> None:
    places = share(found(MIXED), 2, None, cores=8)
    assert [place.device.token for place in places if place.device] == [H100.uuid, GEFORCE.uuid] * 2
    assert [place.memory_limit_mb for place in places] == [36864, 11059, 36864, 11059]
    assert places[1].environment["TF_PER_DEVICE_MEMORY_LIMIT_MB"] == "11059"


def test_workers_share_a_gpu_of_unknown_size_without_a_limit() -> None:
    places = share(found(NONE, "0"), 2, None, cores=2)
    assert [place.memory_limit_mb for place in places] == [None, None]
    assert "TF_PER_DEVICE_MEMORY_LIMIT_MB" not in places[0].environment


def test_fewer_workers_than_places_are_spread_over_the_gpus() -> None:
    places = share(found(MIXED), 2, 2, cores=4)
    assert [place.device.token for place in places if place.device] == [H100.uuid, GEFORCE.uuid]


def test_more_workers_than_gpus_are_refused_with_the_way_out() -> None:
    with pytest.raises(
        InputError, match=r"(?s)--workers 5: there is room for 2 .2 GPUs.*--workers 2 or less, or --per-gpu 3"
    ):
        share(found(TWO), 1, 5, cores=8)


@pytest.mark.parametrize(("order", "expected"), [(None, None), ("FASTEST_FIRST", "FASTEST_FIRST")])
def test_indices_of_the_environment_keep_the_order_that_they_were_meant_in(
    order: str | None, expected: str | None
) -> None:
    (place,) = share(found(NONE, "1", order=order), 1, None, cores=1)
    assert place.environment.get("CUDA_DEVICE_ORDER") == expected
    (place,) = share(found(NONE, "GPU-8932f937"), 1, None, cores=1)
    assert place.environment["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


@pytest.mark.parametrize("cores", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_cores_are_shared_out_evenly_and_nobody_gets_none(cores: int, workers: int) -> None:
    threads = [place.threads for place in share(Devices(), 1, workers, cores)]
    assert len(threads) == workers
    assert min(threads) >= 1
    assert max(threads) - min(threads) <= 1
    assert sum(threads) == max(cores, workers)


@pytest.mark.parametrize(
    ("cores", "memory", "expected"),
    [(1, None, 1), (2, None, 2), (4, None, 4), (64, None, 4), (4, 4 * GIB, 2), (4, GIB, 1), (2, 23 * GIB, 2)],
)
def test_without_a_gpu_the_cores_and_the_memory_say_how_many_workers(
    cores: int, memory: int | None, expected: int
) -> None:
    assert len(share(Devices(), 1, None, cores, memory)) == expected


def test_a_cpu_worker_sees_no_gpu() -> None:
    (place,) = share(found(TWO, requested="none"), 1, 1, cores=2)
    assert place.device is None
    assert place.environment["CUDA_VISIBLE_DEVICES"] == "-1"
    assert "TF_FORCE_GPU_ALLOW_GROWTH" not in place.environment


@pytest.mark.parametrize(("per_gpu", "workers"), [(0, None), (1, 0), (-1, 2)])
def test_counts_below_one_are_refused(per_gpu: int, workers: int | None) -> None:
    with pytest.raises(InputError, match="at least 1"):
        share(found(TWO), per_gpu, workers, cores=2)


# --- what people read


def test_each_worker_is_described_in_a_line() -> None:
    assert describe(share(found(MIXED), 1, None, cores=2)) == [
        "worker 0: NVIDIA H100 80GB HBM3 GPU-8932f937 80 GB",
        "worker 1: NVIDIA GeForce RTX 4090 GPU-11112222 24 GB",
    ]
    assert describe(share(found(NONE, "2"), 1, None, cores=2)) == ["worker 0: GPU 2"]
    assert describe(share(found(MIXED, requested="1"), 2, None, 2))[0].endswith("24 GB, at most 10.8 GB of it")


def test_the_reason_for_having_no_gpu_follows_the_workers() -> None:
    devices = found(NONE)
    assert describe(share(devices, 1, 2, cores=3), devices.notes) == [
        "worker 0: CPU, 2 cores",
        "worker 1: CPU, 1 core",
        "no GPU is used: no NVIDIA driver is installed",
    ]


def test_a_gpu_that_somebody_else_fills_is_told_once() -> None:
    lines = describe(share(found(TWO), 2, None, cores=4))
    assert [line for line in lines if line.startswith("warning")] == [
        "warning: NVIDIA H100 80GB HBM3 GPU-89aa0000 80 GB has only 2.0 GB free: "
        "somebody else is using it; choose others with --devices"
    ]


# --- the machine


def cgroup(folder: Path, name: str, own: str, **texts: str) -> dict[str, Path]:
    for path, text in texts.items():
        group = folder.joinpath(*path.split("_")[1:])
        group.mkdir(parents=True, exist_ok=True)
        (group / name).write_text(text + "\n")
    (folder / "own").write_text(f"1:cpu:/\n0::{own}\n")
    return {"cgroups": folder, "own": folder / "own"}


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({}, 64),
        ({"at_pods_mine": "max 100000"}, 64),
        ({"at_pods_mine": "250000 100000"}, 2),
        ({"at_pods_mine": "400000 100000", "at_pods": "300000 100000"}, 3),
        ({"at_pods_mine": "50000 100000"}, 1),
        ({"at_": "200000 100000"}, 2),
        ({"at_other": "100000 100000"}, 64),
    ],
)
def test_cores_are_those_of_the_affinity_within_the_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: dict[str, str], expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    assert machine.cores(**cgroup(tmp_path, "cpu.max", "/pods/mine", **texts)) == expected


def test_there_is_at_least_one_core_and_some_memory_here() -> None:
    assert machine.cores() >= 1
    assert machine.memory() > 0


def test_memory_is_within_the_limit_of_the_cgroup(tmp_path: Path) -> None:
    assert machine.memory(**cgroup(tmp_path, "memory.max", "/mine", at_mine="1000000")) == 1_000_000
    assert machine.memory(**cgroup(tmp_path, "memory.max", "/mine", at_mine="max")) > 1_000_000


# --- a fake NVIDIA driver, and real processes

PROGRAM = """
import dataclasses, json, os, subprocess, sys
from search import devices
asked = json.loads(sys.argv[1])
found = devices.visible(os.environ, asked.get("requested"))
places = devices.share(found, asked.get("per_gpu", 1), asked.get("workers"), cores=4)
worker = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
environments = [{**os.environ, **place.environment} for place in places]
started = [subprocess.Popen(worker, env=environment, stdout=subprocess.PIPE) for environment in environments]
print(json.dumps({
    "workers": [json.loads(child.communicate()[0]) for child in started],
    "devices": [dataclasses.asdict(device) for device in found.devices],
    "lines": devices.describe(places, found.notes),
}))
"""

SPLIT_GPU = """
split GPU-0000aaaa-1 81559 0 NVIDIA H100 80GB HBM3
mig 0 MIG-0000bbbb-1 9984 0 NVIDIA H100 80GB HBM3 MIG 1g.10gb
mig 3 MIG-0000cccc-1 20096 0 NVIDIA H100 80GB HBM3 MIG 2g.20gb
"""
GEFORCE_GPU = "geforce GPU-0000dddd-1 24564 24000 NVIDIA GeForce RTX 4090\n"


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if fake_nvml.compiler() is None:
        pytest.skip("no C compiler (gcc) to build the fake NVML with")
    return fake_nvml.build(tmp_path_factory.mktemp("fake-nvml"))


def run(environment: dict[str, str], **asked: object) -> dict[str, Any]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CUDA_", "TF_", "OMP_"))}
    command = [sys.executable, "-c", PROGRAM, json.dumps(asked)]
    done = subprocess.run(
        command, cwd=ROOT, env={**kept, **environment}, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def seen(answer: dict[str, Any], name: str = "CUDA_VISIBLE_DEVICES") -> list[str | None]:
    return [worker.get(name) for worker in answer["workers"]]


def test_the_worker_of_a_plain_gpu_sees_its_uuid(nvml_library: Path) -> None:
    answer = run(fake_nvml.environment(nvml_library, "gpu GPU-8932f937-1 81559 1000 NVIDIA H100 80GB HBM3"))
    assert seen(answer) == ["GPU-8932f937-1"]
    assert seen(answer, "CUDA_DEVICE_ORDER") == ["PCI_BUS_ID"]
    assert seen(answer, "TF_FORCE_GPU_ALLOW_GROWTH") == ["true"]
    assert seen(answer, "OMP_NUM_THREADS") == ["4"]
    assert answer["lines"] == ["worker 0: NVIDIA H100 80GB HBM3 GPU-8932f937 80 GB"]
    assert (answer["devices"][0]["memory"], answer["devices"][0]["free"]) == (81559 * 2**20, 80559 * 2**20)


def test_each_mig_slice_gets_a_worker_though_the_indices_have_holes(nvml_library: Path) -> None:
    answer = run(fake_nvml.environment(nvml_library, SPLIT_GPU))
    assert seen(answer) == ["MIG-0000bbbb-1", "MIG-0000cccc-1"]
    assert answer["lines"][1] == "worker 1: NVIDIA H100 80GB HBM3 MIG 2g.20gb MIG-0000cccc 20 GB"


def test_a_geforce_that_knows_no_mig_works_beside_a_split_gpu(nvml_library: Path) -> None:
    answer = run(fake_nvml.environment(nvml_library, SPLIT_GPU + GEFORCE_GPU), requested="0,GPU-0000dddd")
    assert seen(answer) == ["MIG-0000bbbb-1", "GPU-0000dddd-1"]
    assert "RTX 4090 GPU-0000dddd 24 GB has only 0.6 GB free" in answer["lines"][-1]


def test_two_workers_a_gpu_see_the_same_gpu_and_half_of_its_memory(nvml_library: Path) -> None:
    answer = run(fake_nvml.environment(nvml_library, GEFORCE_GPU), per_gpu=2)
    assert seen(answer) == ["GPU-0000dddd-1"] * 2
    assert seen(answer, "TF_PER_DEVICE_MEMORY_LIMIT_MB") == ["11053"] * 2
    assert seen(answer, "TF_NUM_INTRAOP_THREADS") == ["2"] * 2


def test_a_list_of_the_environment_is_shared_out_though_the_driver_shows_more(nvml_library: Path) -> None:
    driver = fake_nvml.environment(nvml_library, SPLIT_GPU + GEFORCE_GPU)
    answer = run({**driver, "CUDA_VISIBLE_DEVICES": "GPU-0000d,MIG-0000bbbb-1,7"})
    assert seen(answer) == ["GPU-0000d", "MIG-0000bbbb-1"]
    assert "CUDA hides '7'" in answer["lines"][2]


def test_a_split_gpu_without_slices_gives_no_worker_and_says_so(nvml_library: Path) -> None:
    driver = "split GPU-0000aaaa-1 81559 0 NVIDIA H100\n" + GEFORCE_GPU
    answer = run(fake_nvml.environment(nvml_library, driver))
    assert seen(answer) == ["GPU-0000dddd-1"]
    assert "GPU 0 (NVIDIA H100) is left out: MIG is on, but has no slices" in answer["lines"][1]


def test_a_lost_gpu_costs_only_itself(nvml_library: Path) -> None:
    driver = GEFORCE_GPU + "gpu GPU-0000eeee-1 81559 0 NVIDIA H100\nfail nvmlDeviceGetHandleByIndex 15 0\n"
    answer = run(fake_nvml.environment(nvml_library, driver))
    assert seen(answer) == ["GPU-0000eeee-1"]
    assert answer["lines"][1] == "GPU 0 is left out: GPU is lost"


def test_a_gpu_that_has_no_memory_of_its_own_is_used_without_a_size(nvml_library: Path) -> None:
    driver = "gpu GPU-0000eeee-1 0 0 NVIDIA GB10\nfail nvmlDeviceGetMemoryInfo 3\n"
    answer = run(fake_nvml.environment(nvml_library, driver), per_gpu=2)
    assert answer["lines"] == ["worker 0: NVIDIA GB10 GPU-0000eeee", "worker 1: NVIDIA GB10 GPU-0000eeee"]


def test_a_driver_that_is_not_loaded_means_cpu_workers(nvml_library: Path) -> None:
    answer = run(fake_nvml.environment(nvml_library, "fail nvmlInit 9"), workers=2)
    assert seen(answer) == ["-1", "-1"]
    assert answer["lines"][:2] == ["worker 0: CPU, 2 cores", "worker 1: CPU, 2 cores"]
    assert answer["lines"][2].startswith("no GPU is used: the NVIDIA driver is installed but not loaded")


def test_a_missing_driver_library_means_cpu_workers(tmp_path: Path) -> None:
    # An empty file can't be loaded, and hides the library of a machine that has one.
    (tmp_path / fake_nvml.NAME).touch()
    answer = run({"LD_LIBRARY_PATH": str(tmp_path)}, workers=1)
    assert seen(answer) == ["-1"]
    assert answer["lines"][1].startswith("no GPU is used: no NVIDIA driver is installed")


def test_nothing_heavy_is_imported_to_share_out_devices() -> None:
    code = "import sys, search.devices; print(*{'pynvml', 'optuna', 'keras', 'tensorflow'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() == ""

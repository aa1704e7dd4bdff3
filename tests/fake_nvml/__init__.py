"""A fake NVIDIA driver library: what a machine with GPUs looks like to NVML, on a machine without.

    library = fake_nvml.build(folder)                                   # once a session; needs gcc
    environment = fake_nvml.environment(library, "gpu GPU-1 81559 0 NVIDIA H100")
    subprocess.run([sys.executable, ...], env={**os.environ, **environment})

The lines that describe devices are explained in nvml.c. The loader reads LD_LIBRARY_PATH when a process starts, so
only child processes see the fake.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("nvml.c")
NAME = "libnvidia-ml.so.1"


def compiler() -> str | None:
    """Return the C compiler, or None: then a test that needs the fake skips and says so."""
    return shutil.which("gcc") or shutil.which("cc")


def build(folder: Path) -> Path:
    """Compile the fake library into `folder`, make it if need be, and return it. Raises RuntimeError without gcc."""
    program = compiler()
    if program is None:
        raise RuntimeError("no C compiler (gcc) to build the fake NVML with")
    folder.mkdir(parents=True, exist_ok=True)
    options = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", f"-Wl,-soname,{NAME}"]
    built = subprocess.run(
        [program, *options, "-o", str(folder / NAME), str(SOURCE)], capture_output=True, text=True, check=False
    )
    if built.returncode != 0:
        raise RuntimeError(f"{program} could not build {SOURCE.name}:\n{built.stderr}")
    return folder


def environment(library: Path, devices: str) -> dict[str, str]:
    """Return what a child's environment must hold to see `devices`; `library` is what `build` returned."""
    with tempfile.NamedTemporaryFile("w", dir=library, prefix="devices-", suffix=".txt", delete=False) as file:
        file.write(devices)
    before = os.environ.get("LD_LIBRARY_PATH")
    return {"FAKE_NVML": file.name, "LD_LIBRARY_PATH": f"{library}:{before}" if before else str(library)}

"""The memory of a worker over 200 trials: a table of its resident size.

    python tests/benchmarks/memory.py [--kind structure] [--trials 200]

One worker of the real command, looked at from outside whenever a trial ends. Growth counts from the 20th trial on.
`structure` varies what makes another model (optimizer, blocks, filters, units), in 18 structures of any widths;
`numbers` varies learning rate, batch size, dropout and augmentation alone, in one.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil
import search_speed

ROOT = Path(__file__).resolve().parents[2]
SPACES = {
    "structure": """
  optimizer: {choice: {adam: {}, sgd: {momentum: {float: [0.1, 0.9]}}, rmsprop: {}}}
  layers: {repeat: [1, 3], each: {filters: {int: [8, 32]}, dropout: {float: [0.05, 0.3]}}}
  dense: {repeat: [1, 2], each: {units: {int: [16, 64]}}}
""",
    "numbers": search_speed.SPACES["numbers"],
}
SETTLED = 20  # trials after which a worker has loaded whatever it needs


def sizes(kind: str, trials: int, folder: Path) -> list[float]:
    """Search; return the worker's resident size in MB after each trial."""
    head = search_speed.HEAD.format(name=f"memory-{kind}", trials=trials, epochs=2)
    (folder / "memory.yaml").write_text(head.rstrip() + SPACES[kind])
    command = [sys.executable, "-m", "search", "run", "memory.yaml", "--workers", "1"]
    found: list[float] = []
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1"}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if re.match(r"trial \d+ ", line):
                with suppress(psutil.NoSuchProcess):  # it may leave between two looks
                    found.append(_worker(run.pid))
    assert run.returncode == 0
    return found


def _worker(run: int) -> float:
    children = psutil.Process(run).children(recursive=True)
    mine = [child.memory_info().rss for child in children if "worker" in child.cmdline()]
    return max(mine, default=0) / 2**20


def main() -> None:
    """Print a table of both kinds, and by how much each worker grew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=list(SPACES), help="only this one")
    parser.add_argument("--trials", type=int, default=200)
    arguments = parser.parse_args()
    for kind in [arguments.kind] if arguments.kind else SPACES:
        with tempfile.TemporaryDirectory(prefix="search-benchmark-") as name:
            folder = Path(name)
            folder.chmod(0o755)
            found = [size for size in sizes(kind, arguments.trials, folder) if size]
        for ended in range(SETTLED, len(found) + 1, SETTLED):
            print(f"{kind:10s} after {ended:4d} trials  {found[ended - 1]:7.1f} MB")
        before, after = found[SETTLED - 1], found[-1]
        print(
            f"{kind:10s} growth from trial {SETTLED} to {len(found)}: {100 * (after / before - 1):+.1f} %", flush=True
        )


if __name__ == "__main__":
    main()

"""Fuzz the space file, guided by coverage: any bytes give a study that can be drawn from, or a SpaceError.

python tests/fuzz/fuzz_space_file.py [CORPUS] [-max_total_time=SECONDS] [-seed=N] … (libFuzzer's options)

It needs atheris (Linux). What it finds is left in the current folder as crash-*: give it that file to see it again.
"""

from __future__ import annotations

import random
import resource
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["spaces", "yaml", "trainers.words", "search.study.words"]):
    from search.plan import problems
    from spaces.errors import SpaceError
    from spaces.parameters import draw, names, size
    from spaces.reader import parse
    from spaces.writer import dump

SEEDS = sorted((ROOT / "spaces").glob("*.yaml"))
FOLDER = Path("/nowhere")


class Drawn:
    """Draws a value of each parameter."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def suggest_float(self, name: str, low: float, high: float, **options: Any) -> float:
        return self.chance.choice([low, high])

    def suggest_int(self, name: str, low: int, high: int, **options: Any) -> int:
        return self.chance.choice([low, high])

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return self.chance.choice(list(choices))


def one(data: bytes) -> None:
    """Read one file as the command line does, and use it."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    spec, told = None, None
    try:
        spec = parse(text, "space.yaml", FOLDER)
    except SpaceError as error:
        told = error
    if told is not None:
        assert told.problems
        assert "space.yaml:" in str(told)
        spec = told.spec
    if spec is None or problems(spec) or told is not None:
        return
    if size(spec.space) < 10_000:
        draw(spec.space, Drawn(random.Random(0)))
        assert len(names(spec.space)) <= size(spec.space)
    assert parse(dump(spec), "again.yaml", FOLDER).space == spec.space


def main() -> None:
    """Fuzz until the options of libFuzzer say stop."""
    # What libFuzzer takes for this process' size is the peak of whoever started it, if that is larger (getrusage).
    inherited = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    arguments = [*sys.argv, "-timeout=10", f"-rss_limit_mb={inherited + 2048}"]
    with tempfile.TemporaryDirectory() as corpus:
        if all(word.startswith("-") for word in sys.argv[1:]):
            for seed in SEEDS:
                shutil.copy(seed, corpus)
            arguments.insert(1, corpus)  # libFuzzer adds to it
        atheris.Setup(arguments, one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()

"""The fuzzer of the space file, for a few seconds and always from the same seed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import commands
import pytest

SECONDS = 10
COMMAND = commands.ROOT / "tests" / "fuzz" / "fuzz_space_file.py"


@pytest.mark.slow
def test_ten_seconds_of_fuzzing_find_nothing(tmp_path: Path, record_property: Any) -> None:
    pytest.importorskip("atheris", reason="atheris is not installed: there are wheels for Linux alone")
    command = [sys.executable, str(COMMAND), f"-max_total_time={SECONDS}", "-seed=1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    found = re.search(r"Done (\d+) runs", done.stderr)
    assert (done.returncode, bool(found)) == (0, True), done.stderr[-3000:]
    assert list(tmp_path.iterdir()) == []
    record_property("fault", ("space files of the fuzzer", int(found[1]) if found else 0, "a study, or a told problem"))

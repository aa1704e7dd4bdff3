"""Has the user's own code changed? The hash of each file that a space file names, and of what it imports beside it."""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from spaces.spec import StudySpec
from trainers.named import named


def code_files(spec: StudySpec) -> dict[str, str]:
    """Return the SHA-256 of each file of the user's own code, by its path relative to the space file's folder.

    What is installed (found in neither that folder nor the importing file's) isn't the user's own; nor does a file
    count that isn't there, or that is imported by a name made at run time.
    """
    waiting = [path for name in named(spec) if name.kind == "code" for path in _named(name.reference, spec.folder)]
    found: dict[str, str] = {}
    while waiting:
        path = waiting.pop().resolve()
        key = Path(os.path.relpath(path, spec.folder.resolve())).as_posix()
        if key in found or not path.is_file():
            continue
        content = path.read_bytes()
        found[key] = hashlib.sha256(content).hexdigest()
        waiting += _imported(content, (path.parent, spec.folder))
    return dict(sorted(found.items()))


def _named(reference: str, folder: Path) -> Iterator[Path]:
    where = reference.rpartition(":")[0]
    if where.endswith(".py"):
        yield folder / where
    else:
        yield from _module(where, folder)


def _imported(content: bytes, folders: tuple[Path, ...]) -> Iterator[Path]:
    """Give the files that the imports of a file lead to, wherever they stand in it."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # told by whoever imports it
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                for folder in folders:
                    yield from _module(alias.name, folder)
        elif isinstance(node, ast.ImportFrom):
            starts = folders if node.level == 0 else (_up(folders[0], node.level - 1),)
            for folder in starts:
                for name in ("", *(alias.name for alias in node.names)):
                    yield from _module(".".join(filter(None, (node.module, name))), folder)


def _up(folder: Path, levels: int) -> Path:
    return folder if levels == 0 else _up(folder.parent, levels - 1)


def _module(name: str, folder: Path) -> Iterator[Path]:
    """Give the files of a dotted name below a folder: `a.b` is a/__init__.py and a/b.py, or a/b/__init__.py."""
    place = folder
    for part in filter(None, name.split(".")):
        place = place / part
        yield from (path for path in (place.with_name(f"{part}.py"), place / "__init__.py") if path.is_file())

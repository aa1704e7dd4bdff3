"""Where a function named in the space file is found: `file.py:function` or `module:function`."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from spaces.errors import did_you_mean


class FindError(Exception):
    """A function that the space file names can't be had; the message says why and the way out."""


def function(reference: str, folder: Path, parameters: tuple[str, ...] | None) -> Callable[..., Any]:
    """Return the function that `reference` names; paths are relative to `folder`.

    The function must be callable with as many positional arguments as `parameters` has names (None: with any). Raises
    FindError.
    """
    where, _, name = reference.rpartition(":")
    if not where or not name.isidentifier():
        raise FindError(f"received '{reference}'; expected file.py:function or module:function")
    module = _load_file(folder / where, reference) if where.endswith(".py") else _import(where, folder, reference)
    found = getattr(module, name, None)
    if found is None:
        functions = [key for key, value in vars(module).items() if inspect.isfunction(value)]
        known = did_you_mean(name, functions) or f"; it has {', '.join(functions) or 'none'}"
        raise FindError(f"{reference}: {where} has no function '{name}'{known}")
    if not callable(found):
        raise FindError(f"{reference}: '{name}' is a {type(found).__name__}; expected a function")
    if parameters is not None:
        _check_signature(found, reference, parameters)
    return found  # type: ignore[no-any-return]


def _check_signature(found: Callable[..., Any], reference: str, parameters: tuple[str, ...]) -> None:
    name = reference.rpartition(":")[2]
    try:
        signature = inspect.signature(found)
    except ValueError:  # builtins in C don't tell
        return
    try:
        signature.bind(*parameters)
    except TypeError as error:
        raise FindError(
            f"{reference}: received {name}{signature}; expected {name}({', '.join(parameters)}) ({error})"
        ) from None


def _import(name: str, folder: Path, reference: str) -> ModuleType:
    _make_importable(folder)
    try:
        return importlib.import_module(name)
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}.")
        if missing:
            raise FindError(
                f"{reference}: no module '{name}' in {folder} or the Python path; "
                f"write a path to a file (net.py:build), or install the package"
            ) from error
        raise FindError(f"{reference}: failed while being imported, {told(error)}") from error


def _load_file(path: Path, reference: str) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        siblings = [file.name for file in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise FindError(f"{reference}: no file {path}{did_you_mean(path.name, siblings)}")
    _make_importable(path.parent)
    # One name per path, so that two files called train.py never meet in sys.modules.
    unique = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if unique in sys.modules:
        return sys.modules[unique]
    spec = importlib.util.spec_from_file_location(unique, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[unique]
        if not isinstance(error, Exception):
            raise
        raise FindError(f"{reference}: failed while being imported, {told(error)}") from error
    return module


def _make_importable(folder: Path) -> None:
    """Put the folder on the path for good: a user's function may import its neighbours when it is called."""
    if str(folder.resolve()) not in sys.path:
        sys.path.insert(0, str(folder.resolve()))


def told(error: BaseException) -> str:
    """Say what went wrong in the user's code: the innermost line of their own, if there is one, and the error."""
    place = f"{error.filename}:{error.lineno}" if isinstance(error, SyntaxError) else _own_line(error)
    return f"at {place}\n  {type(error).__name__}: {error}" if place else f"with {type(error).__name__}: {error}"


def _own_line(error: BaseException) -> str | None:
    others = (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), "<frozen", str(Path(__file__).parent))
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(others)]
    return f"{frames[-1].filename}:{frames[-1].lineno}: {frames[-1].line}" if frames else None

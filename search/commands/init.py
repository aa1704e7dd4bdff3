"""Write a commented space file to start from."""

from __future__ import annotations

import argparse
from pathlib import Path

from search.errors import InputError
from search.settings import Settings
from spaces.template import template


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the file to write."""
    parser.add_argument("file", type=Path, nargs="?", default=Path("space.yaml"), help="where to write it (space.yaml)")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write the file unless there is one."""
    file: Path = arguments.file
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(template(file.stem))
    except FileExistsError:
        raise InputError(f"{file} exists already", "name another file, or remove it first") from None
    except OSError as error:
        raise InputError(f"{file} can't be written: {error.strerror}", "name another file") from error
    print(f"wrote {file}; next: python -m search check {file}, then python -m search run {file}")
    return 0

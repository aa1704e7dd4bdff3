"""Print the JSON Schema of space files, so that an editor completes and checks them, or the reference of all words.

In VS Code (YAML extension) and other editors with the YAML language server, write as the file's first line:
  # yaml-language-server: $schema=./space.schema.json
after: python -m search schema > space.schema.json
"""

from __future__ import annotations

import argparse
import json

from search.settings import Settings
from search.study.words import PRUNERS, SAMPLERS
from spaces.reference import Section, file_sections, page
from spaces.schema import file_schema
from spaces.vocabulary import schema
from trainers import words
from trainers.words.reference import sections

OPENING = (
    "Every word that a space file may have. Options stand below their word, behind a dot: `sgd.momentum` is written "
    "`{sgd: {momentum: 0.9}}`. Wherever a value stands, a parameter may stand that searches it.\n\n"
    "This page is written by `python -m search schema --reference`."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is printed."""
    parser.add_argument("--reference", action="store_true", help="print the page of all words (Markdown)")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the schema, or the reference."""
    if arguments.reference:
        print(reference(), end="")
    else:
        print(json.dumps(file_schema(words.space_schema(), schema(SAMPLERS), schema(PRUNERS)), separators=(",", ":")))
    return 0


def reference() -> str:
    """Return the page that is shipped as spaces/REFERENCE.md."""
    algorithm = [
        Section("Samplers", "`algorithm: {sampler: …}`", SAMPLERS.words, SAMPLERS),
        Section("Pruners", "`algorithm: {pruner: …}`", PRUNERS.words, PRUNERS),
    ]
    return page("All words of a space file", OPENING, [*file_sections(), *algorithm, *sections()])

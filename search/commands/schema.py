"""Print the JSON Schema of space files, so that an editor completes and checks them.

In VS Code (YAML extension) and other editors with the YAML language server, write as the file's first line:
  # yaml-language-server: $schema=./space.schema.json
after: python -m search schema > space.schema.json
"""

from __future__ import annotations

import argparse
import json

from search.settings import Settings
from search.study.words import PRUNERS, SAMPLERS
from spaces.schema import file_schema
from spaces.vocabulary import schema
from trainers import words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command takes no argument."""


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the schema."""
    print(json.dumps(file_schema(words.space_schema(), schema(SAMPLERS), schema(PRUNERS)), indent=2))
    return 0

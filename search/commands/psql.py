"""Open psql on the results; what stands behind `--` goes to psql.

For example: python -m search psql -- -c 'SELECT number, state FROM trials ORDER BY number'
"""

from __future__ import annotations

import argparse
import shlex
import signal
import subprocess

from search.commands import arguments as common
from search.errors import InputError
from search.reach import reach
from search.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the storage, and psql's own arguments."""
    common.storage(parser)
    parser.add_argument("rest", nargs="*", metavar="-- ARGUMENT", help="arguments of psql")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run psql while the embedded server is held; the password goes through the environment."""
    reached = reach(settings, create=False)
    environment = {**settings.environment, **({"PGPASSWORD": reached.password} if reached.password else {})}
    try:
        signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is psql's: it cancels a query
        command = [*shlex.split(reached.psql), *arguments.rest]
        return subprocess.run(command, env=environment, check=False).returncode
    except FileNotFoundError as error:
        raise InputError("psql is not installed", "install PostgreSQL's client, or use the dashboard") from error
    finally:
        reached.release()

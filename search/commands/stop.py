"""Stop what runs here: runs and workers checkpoint and leave, the dashboard and the embedded server end.

Nothing is lost: `python -m search run` continues.
"""

from __future__ import annotations

import argparse
import math

from search import processes
from search.commands import arguments as common
from search.errors import InputError
from search.postgres import server
from search.settings import Settings

PATIENCE = 120.0  # seconds for an epoch to end


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the state folder, and how long to wait."""
    common.storage(parser)
    parser.add_argument(
        "--wait", type=float, default=PATIENCE, metavar="SECONDS", help=f"before it is killed ({PATIENCE:.0f})"
    )


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Stop everything below the state folder."""
    if not 0.0 <= arguments.wait < math.inf:
        raise InputError(f"--wait: received {arguments.wait}; expected seconds, 0 or more")
    state = settings.state.value
    left, killed = processes.stop(state, arguments.wait)
    stopped = server.stop(state, user=settings.service_user.value)
    told = [f"{left} {'process' if left == 1 else 'processes'} left"] if left else []
    told += [f"{killed} did not leave within {arguments.wait:.0f} s and were killed"] if killed else []
    told += ["the embedded server stopped"] if stopped else []
    print("; ".join(told) if told else f"nothing runs in {state}")
    return 0

"""Search a space file: create its study or continue it, with one worker per GPU, until the budget is spent.

Without a storage URL the results go to a PostgreSQL of our own below the state folder. Ctrl-C checkpoints and leaves,
and the same command continues; a second Ctrl-C kills.
"""

from __future__ import annotations

import argparse

from search import processes
from search.commands import arguments as common
from search.devices import describe, share, visible
from search.machine import cores, memory
from search.plan import checked
from search.reach import reach
from search.settings import Settings
from search.shutdown import Shutdown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the file, the storage and the devices."""
    common.space_file(parser)
    parser.add_argument(
        "--branch",
        action="store_true",
        help="if the study exists with another space: start a new one with the compatible trials copied",
    )
    parser.add_argument(
        "--accept-code",
        action="store_true",
        help="if your own code has changed since the study began: go on, its results compare nevertheless",
    )
    common.storage(parser)
    common.devices(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Search until the budget is spent."""
    spec = checked(arguments.file)
    devices = visible(settings.environment, settings.devices.value)
    workers = share(devices, settings.per_gpu.value, settings.workers.value, cores(), memory())
    shutdown = Shutdown()
    with shutdown.listening(), processes.registered(settings.state.value, "run"):
        reached = reach(settings)
        try:
            from search.search import Search

            search = Search.open(spec, reached, settings, arguments.branch, arguments.accept_code)
            search.run(workers, describe(workers, devices.notes), shutdown)
        finally:
            reached.release()
    return 0

"""Browse the studies in optuna-dashboard, while they run or afterwards."""

from __future__ import annotations

import argparse

from search import places, processes
from search.commands import arguments as common
from search.reach import reach
from search.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the address and the storage."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1: this machine alone)")
    parser.add_argument("--port", type=int, default=8080, help="port (8080; 0: any that is free)")
    common.storage(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Serve until Ctrl-C."""
    from search import dashboard
    from search.study.storage import make_schema, shared_storage

    state = settings.state.value
    with processes.registered(state, "dashboard"):
        reached = reach(settings)
        try:
            make_schema(reached.url)
            storage = shared_storage(reached.url, "search-dashboard")
            dashboard.serve(storage, places.artifacts(state), arguments.host, arguments.port)
        finally:
            reached.release()
    return 0

"""Browse the studies in optuna-dashboard, while they run or afterwards.

It is read-only, and only this machine can open it. On any other address (--host) it asks for a password: the one in
SEARCH_DASHBOARD_PASSWORD, or one that is made up and printed.
"""

from __future__ import annotations

import argparse
import contextlib

from search import places, processes
from search.commands import arguments as common
from search.reach import reach
from search.settings import Settings
from search.shutdown import Shutdown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the address, the rights and the storage."""
    parser.add_argument("--host", help="address to listen on (SEARCH_DASHBOARD_HOST; 127.0.0.1: this machine alone)")
    parser.add_argument("--port", help="port (SEARCH_DASHBOARD_PORT; 8080; 0: any that is free)")
    parser.add_argument(
        "--names",
        metavar="LIST",
        help="further host names that browsers know it by, behind a proxy (SEARCH_DASHBOARD_NAMES; none)",
    )
    parser.add_argument(
        "--allow-edit",
        action="store_true",
        default=None,
        help="let people edit notes, upload artifacts and delete studies (SEARCH_DASHBOARD_ALLOW_EDIT; read-only)",
    )
    common.storage(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Serve until Ctrl-C."""
    from search import dashboard
    from search.study.storage import make_schema, shared_storage

    state = settings.state.value
    with Shutdown().listening() as shutdown, contextlib.ExitStack() as stack:
        server = stack.enter_context(dashboard.listen(settings.dashboard))  # before a server is started for nothing
        stack.enter_context(processes.registered(state, "dashboard"))
        reached = reach(settings)
        stack.callback(reached.release)
        make_schema(reached.url)
        storage = shared_storage(reached.url, "search-dashboard", restart=reached.restart)
        dashboard.serve(server, dashboard.application(storage, places.artifacts(state)), settings.dashboard, shutdown)
    return 0

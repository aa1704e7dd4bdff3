"""Join a study: claim a trial, train it, record it, until the budget is spent.

`run` starts workers by itself. Start one by hand to add a GPU or a machine: with the study's name and SEARCH_STORAGE
it joins from anywhere, and may come, go or die at any time.
"""

from __future__ import annotations

import argparse
import logging
import socket

from search import processes
from search.commands import arguments as common
from search.reach import reach
from search.settings import Settings
from search.shutdown import Shutdown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the study and the storage."""
    parser.add_argument("study", help="the study's name")
    parser.add_argument("--parent", type=int, help="leave when this process, which started the worker, is gone")
    common.storage(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Work until nothing is left. Everything that ends a worker otherwise is raised as SearchError."""
    shutdown = Shutdown(arguments.parent)
    state = settings.state.value
    with shutdown.listening(), processes.registered(state, "worker"):
        reached = reach(settings)
        try:
            from trainers import runtime

            threads = settings.environment.get("TF_NUM_INTRAOP_THREADS")
            runtime.prepare(int(threads) if threads else None, logging.getLogger().level)
            from search.study.storage import open_storage
            from search.study.study import load
            from search.worker import Worker

            storage = open_storage(reached.url, "search-worker", reached.restart)
            try:
                study = load(storage, arguments.study)
                study.join()
                facts = {"host": socket.gethostname(), "device": runtime.device_note()}
                Worker(study, state, shutdown, facts).work()
            finally:
                storage.close()
        finally:
            reached.release()
    return 0

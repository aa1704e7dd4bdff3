"""Join a study: claim a trial, train it, record it, until the budget is spent.

`run` starts workers by itself. Start one by hand to add a GPU or a machine: with the study's name and SEARCH_STORAGE
it joins from anywhere, and may come, go or die at any time.
"""

from __future__ import annotations

import argparse
import logging
import socket
from typing import TYPE_CHECKING

from search import processes
from search.commands import arguments as common
from search.reach import reach
from search.settings import Settings
from search.shutdown import Shutdown

if TYPE_CHECKING:
    from search.study.study import Study
    from search.worker import Worker


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
            from search.study.storage import open_storage
            from search.study.study import load

            storage = open_storage(reached.url, "search-worker", reached.restart)
            try:
                study = load(storage, arguments.study)
                study.join()
                _worker(study, settings, shutdown).work()
            finally:
                storage.close()
        finally:
            reached.release()
    return 0


def _worker(study: Study, settings: Settings, shutdown: Shutdown) -> Worker:
    from search.worker import Worker
    from trainers import runtime

    facts = {"host": socket.gethostname()}
    if study.spec.trainer.kind != "loop":  # a loop may do without Keras, and starts in a tenth of the time
        threads = settings.environment.get("TF_NUM_INTRAOP_THREADS")
        runtime.prepare(int(threads) if threads else None, logging.getLogger().level)
        facts["device"] = runtime.device_note()
    return Worker(study, settings.state.value, shutdown, facts)

"""Join a study: claim a trial, train it, record it, until the budget is spent.

`run` starts workers by itself. Start one by hand to add a GPU or a machine: with the study's name and SEARCH_STORAGE
it joins from anywhere, and may come, go or die at any time. A study that names code or files of its own needs your copy
of its space file in place of the name, or --allow: what stands in a database is never executed on its word alone.
"""

from __future__ import annotations

import argparse
import logging
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from search import places, processes
from search.commands import arguments as common
from search.errors import Interrupted
from search.launcher import DONE
from search.plan import checked
from search.reach import reach
from search.settings import Settings
from search.shutdown import Shutdown
from search.watchdog import restart

if TYPE_CHECKING:
    from search.study.storage import Storage
    from search.study.study import Study
    from search.worker import Worker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the study and the storage."""
    parser.add_argument("study", help="the study's name, or your own copy of its space file")
    parser.add_argument("--parent", type=int, help="leave when this process, which started the worker, is gone")
    parser.add_argument("--warm", choices=("keras", "loop"), help=argparse.SUPPRESS)  # see `_warm_up`
    parser.add_argument(
        "--allow",
        action="append",
        metavar="NAME",
        help="a module, file or folder that the study may use here; may be repeated (SEARCH_ALLOW, a list; none)",
    )
    common.storage(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Work until nothing is left. Everything that ends a worker otherwise is raised as SearchError."""
    shutdown = Shutdown(arguments.parent)
    state = settings.state.value
    with shutdown.listening(), processes.registered(state, "worker"):
        if arguments.warm is not None and not _warm_up(arguments.warm, settings):
            raise Interrupted("there was no study to join")
        reached = reach(settings)
        try:
            from search.deletion import ending_with
            from search.study.storage import open_storage

            storage = open_storage(reached.url, "search-worker", reached.restart, lambda: shutdown.asked)
            try:
                study = _admitted(storage, arguments.study, settings)
                with ending_with(study, state):
                    study.join()
                    again = _worker(study, settings, shutdown).work()
            finally:
                storage.close()
        finally:
            reached.release()
        if again and shutdown.asked:
            raise Interrupted("interrupted; the same command continues")
        if again:
            restart()
    return 0 if arguments.parent is None else DONE


def _warm_up(kind: str, settings: Settings) -> bool:
    """Import what takes seconds while `run` opens the study; return whether it has said that there is one to join."""
    if kind == "keras":
        _prepare(settings)
    from search import worker  # noqa: F401
    from search.study import storage  # noqa: F401

    if not sys.stdin.readline():
        return False
    # A new beginning in place has nothing to wait for.
    sys.orig_argv[:] = [word for word in sys.orig_argv if word != f"--warm={kind}"]
    return True


def _admitted(storage: Storage, name: str, settings: Settings) -> Study:
    """Open the study, as far as this machine's operator lets it."""
    from search import trust
    from search.study import study as studies
    from trainers.code_files import code_files

    if name.endswith((".yaml", ".yml")):
        spec = checked(Path(name))
        study = studies.load_as(storage, spec, code_files(spec))
    else:
        stored = studies.load(storage, name)
        study = stored.with_spec(trust.admitted(stored.spec, settings.allow.value, Path.cwd()))
    study.same_code(code_files(study.spec))
    return study


def _worker(study: Study, settings: Settings, shutdown: Shutdown) -> Worker:
    from search.worker import Worker
    from trainers import runtime

    facts = {"host": socket.gethostname()}
    if study.spec.trainer.kind != "loop":  # a loop may do without Keras, and starts in a tenth of the time
        _prepare(settings)
        facts["device"] = runtime.device_note()
    return Worker(study, settings.state.value, shutdown, facts)


def _prepare(settings: Settings) -> None:
    from trainers import runtime

    threads = settings.environment.get("TF_NUM_INTRAOP_THREADS")
    programs = places.xla_programs(settings.state.value)
    runtime.prepare(int(threads) if threads else None, logging.getLogger().level, programs)

"""Search a space file: create its study or continue it, with one worker per GPU, until the budget is spent.

Without a storage URL the results go to a PostgreSQL of our own below the state folder. Ctrl-C checkpoints and leaves,
and the same command continues; a second Ctrl-C kills.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from search import places, processes, trust
from search.commands import arguments as common
from search.devices import Place, describe, share, visible
from search.launcher import Launcher
from search.machine import cores, memory
from search.plan import checked
from search.settings import Settings
from search.shutdown import Shutdown
from spaces.spec import StudySpec


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
        launcher = _launcher(spec, spec.study, settings, workers)
        try:
            if not arguments.branch:  # whose study may get another name
                launcher.warm()
            _search(spec, arguments, settings, launcher, describe(workers, devices.notes), shutdown)
        finally:
            launcher.kill()
    return 0


def _search(
    spec: StudySpec,
    arguments: argparse.Namespace,
    settings: Settings,
    launcher: Launcher,
    description: Sequence[str],
    shutdown: Shutdown,
) -> None:
    """Open the study and let the workers search it."""
    from search.postgres.connection import expect_room  # SQLAlchemy and Optuna, while the workers import Keras
    from search.reach import reach
    from search.search import Search

    reached = reach(settings)
    try:
        search = Search.open(spec, reached, settings, arguments.branch, arguments.accept_code, shutdown)
        expect_room(search.storage.engine, len(launcher.places))
        if search.study.name != launcher.study:  # a branch
            launcher.kill()
            launcher = _launcher(spec, search.study.name, settings, launcher.places)
        search.run(launcher, description, shutdown)
    finally:
        reached.release()


def _launcher(spec: StudySpec, study: str, settings: Settings, workers: Sequence[Place]) -> Launcher:
    """Return what starts the workers of the study of that name; none is started yet."""
    environment = {**settings.environment, "SEARCH_STATE": str(settings.state.value)}
    if settings.storage.value is not None:
        environment["SEARCH_STORAGE"] = settings.storage.value
    environment["SEARCH_LOG_LEVEL"] = "info"
    # The file that this process has read, not what somebody writes into the database meanwhile.
    environment["SEARCH_ALLOW"] = trust.fingerprint(spec)
    logs = places.logs(settings.state.value, study)
    # A loop of one's own may do without Keras, and starts in a tenth of the time.
    return Launcher(study, workers, logs, environment, keras=spec.trainer.kind != "loop")

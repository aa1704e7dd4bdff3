"""Opening the study that a command is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from search.errors import InputError
from search.reach import Reach, reach
from search.settings import Settings
from search.study import study as studies
from search.study.storage import open_storage
from search.study.study import Study
from spaces.reader import read
from trainers.code_files import code_files


@contextmanager
def existing(name: str | None, settings: Settings, application: str) -> Iterator[tuple[Study, Reach]]:
    """Open an existing study by its name, by its space file, or (None) the newest one; for looking at it."""
    spec = read(Path(name)) if name is not None and name.endswith((".yaml", ".yml")) else None
    reached = reach(settings, create=False)
    try:
        storage = open_storage(reached.url, application, reached.restart)
        try:
            if spec is not None:
                yield studies.load_of(storage, spec, code_files(spec)), reached
                return
            wanted = name if name is not None else studies.newest(storage)
            if wanted is None:
                raise InputError("there is no study here yet", "start one with: python -m search run space.yaml")
            yield studies.load(storage, wanted), reached
        finally:
            storage.close()
    finally:
        reached.release()

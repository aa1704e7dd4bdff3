"""What if a study is deleted while somebody works on it? Everybody leaves and says so; nothing is made anew."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from search import places
from search.errors import Aborted
from search.postgres.connection import is_outage
from search.study.study import Study


@contextmanager
def ending_with(study: Study, state: Path) -> Iterator[None]:
    """Raise Aborted, whatever else goes wrong inside the block, if the study isn't there any more.

    Its checkpoints, which nobody can use, are removed; models and logs stay.
    """
    try:
        yield
    except Exception as error:
        if is_outage(error) or not _is_deleted(study):
            raise
        _forget(study, state)
        raise Aborted(
            f"study {study.name!r} was deleted while it ran, so there is nothing left to go on with",
            f"saved models stay in {places.models(state, study.name)}; the same command starts the study afresh, and "
            "moves them aside",
        ) from error


def _is_deleted(study: Study) -> bool:
    try:
        study.attributes()
    except KeyError:
        return True
    except Exception:
        return False  # what went wrong before says more
    return False


def _forget(study: Study, state: Path) -> None:
    names = [other.study_name for other in study.storage.backend.get_all_studies()]
    if study.name not in names:  # else somebody has started it afresh already
        shutil.rmtree(places.study_checkpoints(state, study.name), ignore_errors=True)

"""A study that is deleted while a worker writes is gone, and the worker is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from claimers import claimed, spec_of, toy
from servers import embedded_server
from sqlalchemy import text
from toys import soon

from search.postgres import records
from search.study.claim import Claims
from search.study.storage import open_storage, shared_storage
from search.study.study import open_study

WRITES = "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (:trial, 'mine', '1')"
WAITING = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'dashboard' AND wait_event_type = 'Lock'"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded_server(tmp_path_factory.mktemp("deletion")) as held:
        yield held.url


def test_what_a_worker_writes_in_the_same_moment_does_not_save_a_study(url: str) -> None:
    worker = open_storage(url, "worker")
    study = open_study(worker, spec_of(toy("deleted")))
    trial = claimed(Claims(study))
    dashboard = shared_storage(url, "dashboard")
    deletion = threading.Thread(target=dashboard.delete_study, args=(study.id,))
    watching = open_storage(url, "test")
    try:
        with worker.engine.begin() as writing, watching.engine.connect() as looking:
            writing.execute(text(WRITES), {"trial": trial.id})
            deletion.start()
            soon(lambda: looking.execute(text(WAITING)).scalar())
        deletion.join(20)
        with pytest.raises(KeyError):
            dashboard.get_study_user_attrs(study.id)
        with pytest.raises(KeyError, match="no trial id"):
            records.record_epoch(worker.engine, trial.id, 1, {"loss": 1.0}, "loss")
    finally:
        deletion.join(20)
        for storage in (worker, watching):
            storage.close()


def test_a_study_that_is_not_there_can_not_be_deleted_and_the_storage_goes_on(url: str) -> None:
    storage = shared_storage(url, "dashboard")
    for _ in range(2):
        with pytest.raises(KeyError):
            storage.delete_study(10**6)
    assert isinstance(storage.get_all_studies(), list)

"""A worker of one's own executes nothing on the word of a database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import commands
import psycopg2
import pytest
from toys import Toy, soon, toy

from search.postgres import server


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Toy]:
    with commands.project(tmp_path / "toy") as folder, toy(folder, "toy") as made:
        yield made
        assert soon(lambda: made.processes() == []), "a process is left"


def test_a_worker_runs_only_what_its_operator_allows_and_a_change_of_code_is_noticed(project: Toy) -> None:
    project.write(trials=2)
    assert project.run("--workers", "1").returncode == 0
    project.write(trials=3)
    held = server.ensure(project.folder / ".search")
    try:
        worker = commands.run(["worker", "toy"], project.folder)
        assert (worker.returncode, "trainer: 'train.py:train'" in worker.stderr) == (2, True), worker.stderr
        assert "--allow train.py" in worker.stderr
        _grow(held.url, 3)
        assert commands.run(["worker", "space.yaml"], project.folder).returncode == 0
        _grow(held.url, 4)
        assert commands.run(["worker", "toy", "--allow", "train.py"], project.folder).returncode == 0
        assert [entry["number"] for entry in project.journal() if entry["epoch"] == 1] == [0, 1, 2, 3]
        _point_at(held.url, "evil.py:train")
        (project.folder / "evil.py").write_text("open('owned', 'w')\ndef train(params, run): pass\n")
        _grow(held.url, 5)
        worker = commands.run(["worker", "toy", "--allow", "train.py"], project.folder)
        assert (worker.returncode, "--allow evil.py" in worker.stderr) == (2, True), worker.stderr
        assert not (project.folder / "owned").exists()
    finally:
        held.release()


def test_changed_code_stops_a_run_until_it_is_accepted(project: Toy) -> None:
    project.write(trials=1)
    assert project.run("--workers", "1").returncode == 0
    project.write(trials=2, body="time.sleep(0.01)")
    refused = project.run("--workers", "1")
    assert (refused.returncode, "train.py has changed" in refused.stderr) == (2, True), refused.stderr
    accepted = project.run("--workers", "1", "--accept-code")
    assert (accepted.returncode, "train.py has changed since it began" in accepted.stdout) == (0, True), accepted.stderr
    assert len(project.trained(epoch=3)) == 2


def _change(url: str, key: str, old: str, new: str) -> None:
    connection = psycopg2.connect(url.replace("postgresql+psycopg2://", "postgresql://", 1))
    with connection, connection.cursor() as cursor:
        query = "UPDATE study_user_attributes SET value_json = replace(value_json, %s, %s) WHERE key = %s"
        cursor.execute(query, (old, new, key))
        assert cursor.rowcount == 1
    connection.close()


def _grow(url: str, trials: int) -> None:
    _change(url, "search:budget", json.dumps({"trials": trials - 1})[1:-1], json.dumps({"trials": trials})[1:-1])


def _point_at(url: str, trainer: str) -> None:
    _change(url, "search:spec", "train.py:train", trainer)

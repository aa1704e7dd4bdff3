"""A study is deleted while it runs: everybody leaves and says so, nothing is made anew, a new one begins afresh."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import commands
import pytest
from dashboards import dashboard
from stage import Injected
from toys import Toy, ended, rows, soon, toy

from search import places
from search.postgres import server

LEFT = """
SELECT (SELECT count(*) FROM studies) + (SELECT count(*) FROM trials) + (SELECT count(*) FROM search_epochs)
     + (SELECT count(*) FROM search_clock) + (SELECT count(*) FROM study_user_attributes)
"""
OPTUNA = [sys.executable, "-c", "from optuna.cli import main; main()", "delete-study", "--study-name", "toy"]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Toy]:
    with commands.project(tmp_path), toy(tmp_path, "toy") as made:
        yield made


def by_the_dashboard(project: Toy, url: str) -> None:
    with dashboard(project.folder, "--allow-edit") as page:
        path = f"/api/studies/{page.identity('toy')}"
        assert page.change(path, "DELETE").status == 204
        assert page.ask(path).status == 404, "at once"


def by_optuna(project: Toy, url: str) -> None:
    def gone() -> bool:
        # Optuna drops a deletion without a word when a worker writes in the same moment, so one looks, and repeats.
        subprocess.run([*OPTUNA, "--storage", url], capture_output=True, check=False, timeout=60)
        return rows(url, "SELECT 1 FROM studies") == []

    soon(gone)


@pytest.mark.slow
@pytest.mark.parametrize("delete", [by_the_dashboard, by_optuna])
def test_everybody_leaves_a_deleted_study_and_says_so(
    delete: Callable[[Toy, str], None], project: Toy, injected: Injected
) -> None:
    pause = 0.7 if delete is by_optuna else 0.01  # alone, Optuna would never find a moment
    project.write(f"time.sleep({pause})", trials=4, epochs=5000)
    started = [project.start("run", "space.yaml", "--workers", "1")]
    soon(lambda: project.trained(number=0, epoch=1))
    started.append(project.start("worker", "space.yaml"))
    soon(lambda: project.trained(number=1, epoch=1))
    held = server.ensure(project.folder / ".search")
    try:
        delete(project, held.url)
        for process in started:
            code, out, err = ended(process)
            assert code == 1, err + out
            assert "study 'toy' was deleted while it ran" in err
            assert "Traceback" not in err + out
        assert "this is a bug" not in project.logs()
        assert rows(held.url, LEFT) == [(0,)], "something was made anew"
        assert not places.study_checkpoints(project.folder / ".search", "toy").exists()
        before = len(project.journal())
        project.write("pass", trials=1, epochs=2)
        again = project.run("--workers", "1")
        assert (again.returncode, "new study 'toy'" in again.stdout) == (0, True), again.stderr
        assert [(entry["number"], entry["epoch"]) for entry in project.journal()[before:]] == [(0, 1), (0, 2)]
    finally:
        held.release()
    how = delete.__name__.replace("_", " ")
    injected(f"a study deleted {how} while it runs", 1, "its workers leave with code 1 and say so")


def test_a_new_study_does_not_go_on_from_what_a_deleted_one_left(project: Toy, injected: Injected) -> None:
    left = places.checkpoints(project.folder / ".search", "toy", 0)
    left.mkdir(parents=True)
    (left / "epoch").write_text("1")
    project.write("pass", trials=1, epochs=3)
    done = project.run("--workers", "1")
    assert done.returncode == 0, done.stderr
    assert [entry["epoch"] for entry in project.journal()] == [1, 2, 3]
    injected("checkpoints left by a deleted study", 1, "a new study of that name begins at its first epoch")


def test_models_that_a_deleted_study_left_are_kept_aside_and_not_shown_as_the_new_ones(
    project: Toy, injected: Injected
) -> None:
    left = places.models(project.folder / ".search", "toy")
    left.mkdir(parents=True)
    (left / "0.keras").write_bytes(b"of a deleted study")
    project.write("pass", trials=1, epochs=1)  # keeps no model
    done = project.run("--workers", "1")
    assert done.returncode == 0, done.stderr
    [aside] = left.parent.glob("toy.old-*")
    assert (aside / "0.keras").read_bytes() == b"of a deleted study"
    assert f"models of an earlier study 'toy' were moved to {aside}" in done.stdout.replace("\n", "")
    assert not left.exists()
    assert "0.keras" not in done.stdout
    left.mkdir()
    (left / "0.keras").write_bytes(b"of this study")
    again = project.run("--workers", "1")
    assert "study 'toy' continues" in again.stdout
    assert (left / "0.keras").exists(), "a study that goes on keeps its own"
    assert "were moved" not in again.stdout
    injected("models left by a deleted study", 1, "kept aside and told of; the new study has only its own")

"""Several `run`s at once from several terminals: of one study they share it, of two studies neither disturbs the other.

Each project begins without anything: they race to start the server, to make the tables and to create the study.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import commands
import psutil
import pytest
from invariants import exact
from stage import Injected
from toys import Toy, ended, soon, toy

from search.postgres import server

RUNS = 3
OTHERS = "others train this study too; its budget is shared"

# Nobody ends before all are there.
MEET = f"""
run.keep(lambda path: path.write_bytes(b"a model"))
(HERE / f"here-{{os.getpid()}}").touch()
while len(list(HERE.glob("here-*"))) < {RUNS}:
    time.sleep(0.02)
time.sleep(1.0 if epoch == 1 else 0.0)  # long enough for each to be seen by the others for a while
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Toy]:
    with commands.project(tmp_path), toy(tmp_path, "toy") as made:
        yield made


def postmaster(project: Toy) -> psutil.Process | None:
    path = commands.server_folder(project.folder) / "data" / "postmaster.pid"
    return psutil.Process(int(path.read_text().split()[0])) if path.exists() else None


def nothing_is_left(project: Toy) -> None:
    assert soon(lambda: project.processes() == []), "a process is left"
    assert postmaster(project) is None, "the last one stops the server"
    assert list((project.folder / ".search" / "processes").iterdir()) == []


def whole(project: Toy, studies: list[str], count: int, trained: int) -> None:
    held = server.ensure(project.folder / ".search")
    try:
        exact(held.url, studies, count, trained)
    finally:
        held.release()


def test_runs_of_a_new_study_started_at_the_same_moment_share_it(project: Toy, injected: Injected) -> None:
    project.write(MEET, trials=9)
    runs = [ended(process) for process in [project.start("run", "space.yaml", "--workers", "1") for _ in range(RUNS)]]
    for code, out, err in runs:
        assert (code, err) == (0, ""), err
        assert OTHERS in out
        assert "9/9 trials · 9 complete" in out
    assert sorted("new study 'toy'" in out for _, out, _ in runs) == [False] * (RUNS - 1) + [True]
    assert sum("study 'toy' continues" in out for _, out, _ in runs) == RUNS - 1
    assert len({entry["pid"] for entry in project.journal()}) == RUNS
    nothing_is_left(project)
    whole(project, ["toy"], count=9, trained=3)
    assert len(list((project.folder / ".search" / "artifacts").iterdir())) == 1, "the best model is offered once"
    injected("runs of one new study at the same moment", RUNS, "share it: budget exact, numbers 0 to 8, each told")


def test_a_study_that_ends_first_leaves_the_other_one_its_server(project: Toy, injected: Injected) -> None:
    (project.folder / "other").mkdir()
    other = Toy(project.folder, "other")
    other.write("while not (HERE / 'go').exists(): time.sleep(0.02)", trials=2)
    for name in ("space.yaml", "train.py"):
        (project.folder / name).rename(project.folder / "other" / name)
    project.write(trials=2)
    longer = project.start("run", "other/space.yaml", "--workers", "1")
    shorter = project.start("run", "space.yaml", "--workers", "1")
    code, out, err = ended(shorter)
    assert (code, err, "2/2 trials" in out) == (0, "", True)
    assert OTHERS not in out
    before = postmaster(project)
    assert before is not None
    assert before.is_running()
    (project.folder / "other" / "go").touch()
    code, out, err = ended(longer)
    assert (code, err, "2/2 trials" in out) == (0, "", True)
    assert "the storage doesn't answer" not in out
    nothing_is_left(project)
    whole(project, ["toy"], count=2, trained=3)
    whole(project, ["other"], count=2, trained=3)
    injected("two studies at once, one ends first", 1, "the other goes on undisturbed, the last stops the server")

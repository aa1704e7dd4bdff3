"""Study names that look like paths, flags or markup: they lead nowhere else, or the reader says where it stops."""

from __future__ import annotations

import json
from pathlib import Path

import commands
import pytest

from search import places
from spaces.errors import SpaceError
from spaces.reader import parse

SPACE = """\
trainer: train.py:train
study: {name}
objective: {{minimize: loss}}
budget: {{trials: 1, epochs: 1}}
algorithm: {{sampler: random, pruner: none, seed: 7}}
space: {{x: {{float: [0.0, 1.0]}}}}
"""
TRAINER = """
def train(params, run):
    run.keep(lambda path: path.write_bytes(b"a model"))
    run.report(1, loss=params["x"])
    return {"loss": params["x"]}
"""
ALLOWED = ['it\'s "q"', "../x", "/tmp/x", "..", ".", "%", "%2F", "größe 日本", "-rf", "日" * 60, "x" * 200]


def write(name: str) -> str:
    return SPACE.format(name=json.dumps(name, ensure_ascii=False))


@pytest.mark.parametrize("name", ALLOWED)
def test_a_name_is_kept_as_it_is_and_its_folders_lie_where_all_do(name: str, tmp_path: Path) -> None:
    assert parse(write(name), "space.yaml", tmp_path).study == name
    found = places.models(tmp_path, name)
    found.mkdir(parents=True)  # a file system bears it
    assert found.resolve().parent == tmp_path.resolve() / "models"


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "a\0b", "\u202e", " ", "", "x" * 300])
def test_a_name_that_can_not_be_shown_is_refused_with_its_line_and_column(name: str) -> None:
    text = SPACE.format(name=json.dumps(name))
    with pytest.raises(SpaceError, match=r"space\.yaml:2:8: "):
        parse(text, "space.yaml", Path())


def test_long_names_that_begin_alike_have_folders_of_their_own() -> None:
    long = ["x" * 200, "x" * 200 + "-branch-2", "日" * 60, "日" * 60 + "-branch-2", "日" * 59 + "月"]
    assert len({places.logs(Path(), name) for name in long}) == len(long)


def test_a_study_with_a_hostile_name_is_checked_searched_and_shown(tmp_path: Path) -> None:
    name = '../../../it\'s "50%" größe'
    with commands.project(tmp_path / "project") as folder:
        (folder / "train.py").write_text(TRAINER)
        (folder / "space.yaml").write_text(write(name))
        for command in (["check", "space.yaml"], ["run", "space.yaml", "--workers", "1"], ["status"]):
            done = commands.run(command, folder)
            assert done.returncode == 0, done.stderr + done.stdout
        assert name in done.stdout
        state = folder / ".search"
        assert places.model(state, name, 0).read_bytes() == b"a model"
        assert [path.name for path in tmp_path.iterdir()] == ["project"]
        assert [path.parent for path in state.rglob("*.keras")] == [places.models(state, name)]

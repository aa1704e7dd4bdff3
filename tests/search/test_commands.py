"""Every command as a person or a script meets it: output, exit code, help; in this process where that is the same."""

from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import commands
import jsonschema
import pytest
import yaml
from claimers import claimed, spec_of, toy, trained
from servers import embedded_server

from search import cli, places, processes
from search.postgres import server
from search.study.claim import Claims
from search.study.storage import open_storage
from search.study.study import open_study


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def search(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command in a folder of its own, as `python -m search` would."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, **environment: str) -> Said:
        try:
            code = cli.main([str(argument) for argument in arguments], environment)
        except SystemExit as left:  # argparse
            code = int(left.code or 0)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder with two studies: `front` with two objectives, and `single`, which is newer and half done."""
    with embedded_server(tmp_path_factory.mktemp("commands")) as held:
        storage = open_storage(held.url, "test")
        two = toy("front").replace("{minimize: loss}", "[{minimize: loss}, {maximize: speed}]")
        claims = Claims(open_study(storage, spec_of(two)))
        for loss, speed in ((0.1, 1.0), (0.2, 2.0), (0.3, 1.5)):
            trial = claimed(claims)
            trial.record(1, {"loss": loss, "speed": speed})
            trial.complete([loss, speed])
        single = Claims(open_study(storage, spec_of(toy("single", x="float: [0.0, 1.0], prior: 0.5"))))
        trained(claimed(single))
        claimed(single).fail("user", "Traceback …\nKeyError: 'units'")
        resting = claimed(single)
        resting.record(2, {"loss": 0.5})
        resting.leave()
        places.model(held.state, "single", 0).parent.mkdir(parents=True)
        places.model(held.state, "single", 0).touch()
        yield held.state
        storage.close()


SPACE = toy("toy", trials=6, epochs=5, x="float: [0.0, 1.0], prior: 0.5")
TRAIN = "def train(params, run):\n    return {'loss': params['x']}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(TRAIN)
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    return path


# --- status, best


def test_status_tells_how_far_the_newest_study_is(search: Command, state: Path) -> None:
    said = search("status", "--state", state)
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[:2] == ["study single", "2/4 trials · 1 complete, 1 failed · best loss 0.5000 (trial 0)"]
    assert "  trial 2 waits at epoch 2 for a worker" in lines
    assert any(line.startswith("  trial 1 failed (user)") and line.endswith("KeyError: 'units'") for line in lines)


def test_status_in_json_has_the_promised_keys(search: Command, state: Path) -> None:
    found = json.loads(search("status", "single", "--json", "--state", state).out)
    assert 0.0 <= found["budget"].pop("spent") < 60.0
    assert found == {
        "study": "single",
        "budget": {"trials": 4, "epochs": 4, "time": None},
        "trials": {"complete": 1, "pruned": 0, "failed": 1, "running": 0, "waiting": 1},
        "infeasible": 0,
        "workers": 0,
        "data": [],
        "best": {"number": 0, "value": 0.5},
    }
    front = json.loads(search("status", "front", "--json", SEARCH_STATE=str(state)).out)
    assert front["best"] == [
        {"number": 0, "values": {"loss": 0.1, "speed": 1.0}},
        {"number": 1, "values": {"loss": 0.2, "speed": 2.0}},
    ]


def test_best_gives_a_fragment_that_can_be_pasted(search: Command, state: Path) -> None:
    said = search("best", "single", "--state", state)
    assert said.code == 0
    head, model, fragment = said.out.split("\n", 2)
    assert head == "best: trial 0 · loss 0.5000 · 4 epochs"
    assert model == f"model: {places.model(state, 'single', 0)}"
    assert yaml.safe_load(fragment)["space"]["x"] == 0.5


def test_best_in_json_has_the_promised_keys(search: Command, state: Path) -> None:
    found = json.loads(search("best", "single", "--json", "--state", state).out)
    assert found.pop("parameters")["x"] == 0.5
    assert found == {
        "study": "single", "number": 0, "value": 0.5, "epochs": 4, "model": str(places.model(state, "single", 0))
    }  # fmt: skip
    front = json.loads(search("best", "front", "--json", "--state", state).out)
    assert [entry["number"] for entry in front] == [0, 1]
    assert search("best", "front", "--state", state).out.count("best: trial") == 2


def test_a_study_may_be_named_by_its_space_file(search: Command, state: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(toy("single"))
    assert json.loads(search("status", "mine.yaml", "--json", "--state", state).out)["study"] == "single"


@pytest.mark.parametrize("verb", ["status", "best", "worker"])
def test_an_unknown_study_is_told_with_the_nearest_name(search: Command, state: Path, verb: str) -> None:
    said = search(verb, "singel", "--state", state)
    assert said.code == 2
    told = "search: error: there is no study 'singel'; did you mean 'single'?\n  studies here: front, single"
    assert said.err.startswith(told)


@pytest.mark.parametrize("verb", ["status", "best", "psql"])
def test_looking_where_nothing_is_starts_no_server(search: Command, tmp_path: Path, verb: str) -> None:
    said = search(verb, "--state", tmp_path / "empty")
    assert said.code == 2
    assert "there is no study in" in said.err
    assert "python -m search run space.yaml" in said.err
    assert not (tmp_path / "empty").exists()


def test_psql_answers_a_query(state: Path) -> None:
    done = commands.run(["psql", "--", "-Atc", "SELECT count(*) FROM trials"], state.parent)
    assert (done.returncode, done.stdout) == (0, "6\n"), done.stderr
    assert commands.run(["psql", "--", "-c", "SELEC"], state.parent).returncode != 0


# --- init, check, plan, schema


def test_init_writes_a_file_that_check_and_plan_accept_and_no_second_time(search: Command) -> None:
    said = search("init", "first.yaml")
    assert said.code == 0
    assert "python -m search check first.yaml" in said.out
    assert search("check", "first.yaml").code == 0
    assert "1437 + 360 examples, 467 kB, on the device" in search("plan", "first.yaml").out
    again = search("init", "first.yaml")
    assert (again.code, "first.yaml exists already" in again.err) == (2, True)
    assert search("init", "no/such/folder.yaml").code == 2


def test_check_sums_up_what_is_searched(search: Command, file: Path) -> None:
    said = search("check", file)
    assert said.code == 0
    assert said.out.startswith(f"{file}: fine\n  study      toy\n")
    assert "budget     6 trials x 5 epochs = at most 30 epochs" in said.out
    found = json.loads(search("check", file, "--json").out)
    assert found == {"study": "toy", "parameters": ["x", "kind", "kind.a.y"], "models": []}


@pytest.mark.parametrize("verb", ["check", "plan", "run"])
def test_every_error_of_a_file_is_told_at_its_place_before_anything_starts(
    search: Command, file: Path, tmp_path: Path, verb: str
) -> None:
    def told(text: str) -> list[tuple[str, str]]:
        file.write_text(text)
        said = search(verb, file)
        assert said.code == 2
        found = rf"^(?:search: error: )?{re.escape(str(file))}:(\d+:\d+): [^\n]*did you mean '(\w+)'"
        return re.findall(found, said.err, re.MULTILINE)

    wrong = SPACE.replace("prior:", "pior:").replace("{trials:", "{trails:")
    assert told(wrong) == [("5:10", "trials"), ("8:26", "prior")]
    assert told(SPACE.replace("sampler: random", "sampler: randm")) == [("6:22", "random")]
    assert not (tmp_path / ".search").exists()


def test_a_file_that_is_not_there_is_told_with_the_nearest(search: Command, file: Path) -> None:
    said = search("check", "spaec.yaml")
    assert said.code == 2
    assert "did you mean 'space.yaml'" in said.err


def test_check_answers_within_a_second_without_tensorflow_or_optuna(file: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "search", "check", str(file)]
    begun = time.monotonic()
    done = subprocess.run(command, env=commands.environment(), capture_output=True, text=True, check=True)
    elapsed = time.monotonic() - begun
    imported = set(re.findall(r"\|\s+([\w.]+)$", done.stderr, re.MULTILINE))
    assert "spaces.reader" in imported
    heavy = {"tensorflow", "keras", "optuna", "sqlalchemy", "sklearn", "pandas", "numpy", "psycopg2"}
    assert imported & heavy == set()
    assert elapsed < 2.0, "half of it is the measuring"


def test_check_builds_models_only_where_we_build_them(search: Command, file: Path) -> None:
    said = search("check", file, "--build")
    assert (said.code, "this trainer is a loop of your own" in said.err) == (2, True)


def test_plan_tells_what_would_run_and_starts_nothing(search: Command, file: Path, tmp_path: Path) -> None:
    said = search("plan", file, "--workers", "3", "--devices", "none")
    assert said.code == 0
    for line in ("worker 2: CPU", "the embedded PostgreSQL in", "trial 0", "x: 0.5", "trial 2"):
        assert line in said.out
    assert not (tmp_path / ".search").exists()
    storage = "postgresql://me:secret@db/results"
    found = json.loads(search("plan", file, "--json", "--workers", "2", SEARCH_STORAGE=storage).out)
    assert found["budget"] == {"trials": 6, "epochs": 5, "time": None}
    assert len(found["workers"]) == 2
    assert found["first"][0]["x"] == 0.5
    assert len(found["first"]) == 3
    assert "secret" not in json.dumps(found)


def test_plan_shows_the_configurations_that_the_run_will_draw(search: Command, file: Path, state: Path) -> None:
    planned = json.loads(search("plan", file, "--json").out)["first"]
    held = server.ensure(state)
    storage = open_storage(held.url, "test")
    claims = Claims(open_study(storage, spec_of(SPACE.replace("study: toy", "study: planned"))))
    drawn = [trained(claimed(claims), epochs=5).parameters for _ in range(3)]
    storage.close()
    held.release()
    assert planned == drawn


def test_schema_prints_a_json_schema_that_knows_the_files(search: Command) -> None:
    said = search("schema")
    assert said.code == 0
    schema = json.loads(said.out)
    jsonschema.validators.validator_for(schema).check_schema(schema)
    jsonschema.validate(yaml.safe_load(SPACE), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(SPACE.replace("budget", "bugdet")), schema)


def test_stop_says_when_nothing_runs(search: Command, tmp_path: Path) -> None:
    said = search("stop", "--state", tmp_path / "empty")
    assert (said.code, said.out) == (0, f"nothing runs in {tmp_path / 'empty'}\n")


# --- the command line itself


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_command_explains_itself(search: Command, verb: str) -> None:
    said = search(verb, "--help")
    assert said.code == 0
    assert said.out.startswith(f"usage: python -m search {verb}")
    assert "--log-level" in said.out
    assert len(said.out) > 200


def test_the_help_lists_every_command_and_exit_code(search: Command) -> None:
    said = search("--help")
    assert said.code == 0
    for word in (*cli.VERBS, "0 done", "130 interrupted", "python -m search init"):
        assert word in said.out


@pytest.mark.parametrize("arguments", [[], ["rum", "x"], ["run"], ["run", "a", "b"], ["status", "--jsno"]])
def test_wrong_arguments_are_an_error_of_input(search: Command, arguments: list[str]) -> None:
    said = search(*arguments)
    assert said.code == 2
    assert "usage: python -m search" in said.err


def test_a_wrong_setting_is_told_with_its_source(search: Command, file: Path) -> None:
    said = search("run", file, SEARCH_WORKERS="many")
    assert (said.code, "SEARCH_WORKERS: received 'many'" in said.err) == (2, True)


def test_a_bug_is_one_line_and_its_traceback_a_file(
    search: Command, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("search.commands.check.checked", broken)
    said = search("check", file, SEARCH_STATE=str(tmp_path / "state"))
    assert said.code == 3
    assert said.err.count("\n") == 1
    assert "this is a bug of ours (ZeroDivisionError): oops; the traceback is in" in said.err
    [log] = (tmp_path / "state" / "logs").glob("bug-*.log")
    assert "in broken" in log.read_text()


def test_an_outage_in_the_middle_of_a_command_is_no_bug(
    search: Command, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg2

    def cut(path: Path) -> None:
        raise psycopg2.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr("search.commands.check.checked", cut)
    said = search("check", file)
    assert (said.code, "the storage is away" in said.err) == (75, True)


def test_an_interrupt_has_its_exit_code(search: Command, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("search.commands.check.checked", interrupted)
    assert search("check", file).code == 130


def test_a_worker_whose_state_folder_has_no_room_asks_to_be_started_again(
    search: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(state: Path, verb: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(state / verb))

    monkeypatch.setattr(processes, "registered", full)
    said = search("worker", "toy")
    assert said.code == 75
    assert said.err == f"search: error: {tmp_path / '.search' / 'worker'} can't be written: No space left on device\n"

"""`search run` and `search worker` as real processes: what they do, what is left of them, how they end."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import fake_nvml
import pytest
from servers import Stay, embedded_server
from toys import SPACE, Toy, ended, epochs, interrupt, soon, toy, trials


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stay]:
    with embedded_server(tmp_path_factory.mktemp("shared")) as held:
        yield held


@pytest.fixture
def project(shared: Stay, tmp_path: Path) -> Iterator[Toy]:
    with toy(tmp_path, f"toy-{uuid4().hex[:8]}", {"SEARCH_STATE": str(shared.state)}) as made:
        yield made
        assert soon(lambda: made.processes() == []), "a process is left"


LIMITED = SPACE.replace("epochs: EPOCHS", "epochs: EPOCHS, trial_time: 1s")


def test_a_run_ends_with_the_best_trial_adds_nothing_when_repeated_and_continues_with_a_larger_budget(
    project: Toy, shared: Stay
) -> None:
    body = "if run.number == 3: {}['missing']"
    project.write(body, trials=5)
    first = project.run("--workers", "2")
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith(f"new study '{project.study}'\n")
    for line in ("trial 0 complete · loss 0.0400 · 3 epochs", "\nspace:\n  x: 0.", "\nlook further:\n"):
        assert line in first.stdout
    assert "trial 3 failed (user)" in first.stdout
    assert "KeyError: 'missing'" in first.stdout
    assert "5/5 trials · 4 complete, 1 failed · best loss" in first.stdout
    again = project.run("--workers", "2")
    assert again.returncode == 0
    assert "nothing to add: 5 of 5 trials are done; a larger budget.trials continues" in again.stdout
    assert "worker 0" not in again.stdout
    states = ["COMPLETE", "COMPLETE", "COMPLETE", "FAIL", "COMPLETE"]
    assert trials(shared.url, project.study) == list(enumerate(states))
    project.write(body, trials=7)
    larger = project.run("--workers", "1")
    assert larger.returncode == 0
    assert f"study '{project.study}' continues" in larger.stdout
    assert trials(shared.url, project.study) == list(enumerate([*states, "COMPLETE", "COMPLETE"]))
    assert [entry for entry in epochs(shared.url, project.study) if entry[0] == 6] == [(6, 1), (6, 2), (6, 3)]


def test_a_killed_workers_trial_is_continued_from_its_next_epoch_and_four_workers_make_exactly_fifty(
    project: Toy, shared: Stay
) -> None:
    body = """
if run.number in (5, 9) and epoch == 2 and not (mark := HERE / f"mark-{run.number}").exists():
    mark.touch()
    time.sleep(300)
"""
    project.write(body, trials=50)
    process = project.start("run", "space.yaml", "--workers", "4")
    for number in (5, 9):
        soon((project.folder / f"mark-{number}").exists)
        [victim] = project.trained(number=number)
        os.kill(victim["pid"], signal.SIGKILL)
        other = soon(lambda number=number: project.trained(number=number, epoch=2), patience=15)[0]
        assert other["pid"] != victim["pid"]
    code, out, err = ended(process)
    assert code == 0, err
    assert "SIGKILL" in out
    assert trials(shared.url, project.study) == [(number, "COMPLETE") for number in range(50)]
    every = [(number, epoch) for number in range(50) for epoch in (1, 2, 3)]
    assert epochs(shared.url, project.study) == every
    assert sorted((entry["number"], entry["epoch"]) for entry in project.journal()) == every, "an epoch was repeated"


def test_an_interrupt_checkpoints_and_the_same_command_continues_from_that_epoch(project: Toy, shared: Stay) -> None:
    project.write("time.sleep(0.1)", trials=4, epochs=8)
    process = project.start()
    soon(lambda: project.trained(epoch=3))
    interrupt(process)
    code, out, err = ended(process)
    assert code == 130
    assert "running trials keep their last checkpoint" in out
    assert "the same command continues" in err
    assert "Traceback" not in err + project.logs()
    begun = len(project.journal())
    assert 3 <= begun < 32
    again = project.run("--workers", "2")
    assert again.returncode == 0, again.stderr
    every = [(number, epoch) for number in range(4) for epoch in range(1, 9)]
    assert sorted((entry["number"], entry["epoch"]) for entry in project.journal()) == every
    assert epochs(shared.url, project.study) == every
    assert "resumed after epoch" in project.logs()


def test_a_second_interrupt_kills_at_once(project: Toy) -> None:
    project.write("tell(run, 0); time.sleep(300)")
    process = project.start()
    soon(lambda: project.trained(epoch=0))
    interrupt(process)
    assert process.stdout is not None
    assert any("Ctrl-C again kills" in line for line in process.stdout)
    interrupt(process)
    assert ended(process, 10)[0] == 130


def test_two_runs_and_a_worker_by_hand_share_one_budget(project: Toy, shared: Stay) -> None:
    body = """
(HERE / f"here-{os.getpid()}").touch()
while len(list(HERE.glob("here-*"))) < 3:
    time.sleep(0.02)
"""
    project.write(body, trials=12)
    runs = [project.start("run", "space.yaml", "--workers", "1") for _ in range(2)]
    soon(lambda: list(project.folder.glob("here-*")))
    by_hand = project.start("worker", "space.yaml")
    assert [ended(process)[0] for process in (*runs, by_hand)] == [0, 0, 0]
    assert trials(shared.url, project.study) == [(number, "COMPLETE") for number in range(12)]
    assert len({entry["pid"] for entry in project.journal()}) == 3
    assert len(project.journal()) == 36


@pytest.mark.slow
def test_a_trial_that_crashes_its_worker_is_tried_thrice_and_the_study_goes_on(project: Toy, shared: Stay) -> None:
    body = """
if epoch == 2 and run.number == 1 and not (HERE / "crashed").exists():
    (HERE / "crashed").touch()
    ctypes.string_at(0)
if epoch == 2 and run.number == 2:
    os._exit(7)
"""
    project.write(body, trials=4)
    done = project.run("--workers", "2")
    assert done.returncode == 0, done.stderr
    assert "SIGSEGV" in done.stdout
    assert "exit code 7" in done.stdout
    assert "trial 2 failed (crashed)" in done.stdout
    assert "3 workers died at epoch 2" in done.stdout
    assert "train.py" in project.logs(), "where it crashed"
    assert [state for _, state in trials(shared.url, project.study)] == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE"]
    assert len(project.trained(number=1, epoch=2)) == 1


@pytest.mark.slow
def test_a_trainer_that_never_comes_back_is_ended_and_its_worker_goes_on(project: Toy, shared: Stay) -> None:
    project.write("if epoch == 2 and run.number == 1:\n    time.sleep(3600)", trials=4, space=LIMITED)
    done = project.run("--workers", "1")
    assert done.returncode == 0, done.stderr
    assert "trial 1 failed (timeout)" in done.stdout
    assert "it starts again" not in done.stdout, "no crash"
    assert [state for _, state in trials(shared.url, project.study)] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert len({entry["pid"] for entry in project.journal()}) == 1, "the same process id"


def test_one_error_in_all_first_trials_gives_the_study_up_with_the_traceback(project: Toy) -> None:
    project.write("raise ValueError(f'no such layer: {params}')", trials=40)
    done = project.run("--workers", "2")
    assert done.returncode == 1
    assert "failed with the same error, none succeeded" in done.stderr
    assert "train.py" in done.stderr
    assert "ValueError: no such layer: {'x': 0." in done.stderr
    assert done.stdout.count("failed (user)") <= 6


def test_a_study_whose_trials_all_failed_is_no_success(project: Toy) -> None:
    project.write("run.report(epoch, loss=float('nan'))", trials=3)
    for _ in range(2):
        done = project.run("--workers", "1")
        assert done.returncode == 1
        assert done.stderr.strip() == f"search: error: study '{project.study}': none of its 3 trials came to a value"
        assert "3/3 trials · 3 failed" in done.stdout


def test_a_time_that_is_spent_before_the_first_trial_is_no_failure(project: Toy) -> None:
    timed = SPACE.replace("epochs: EPOCHS", "epochs: EPOCHS, time: 0.001s")
    assert "prior" in timed  # a trial that waits
    project.write("", trials=3, space=timed)
    done = project.run("--workers", "1")
    assert (done.returncode, done.stderr) == (0, "")


def test_threads_that_a_trainer_leaves_running_do_not_keep_the_search(project: Toy) -> None:
    project.write("threading.Thread(target=time.sleep, args=(600,)).start()", trials=2)
    started = time.monotonic()
    done = project.run("--workers", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "2/2 trials · 2 complete" in done.stdout
    assert time.monotonic() - started < 60


def test_an_unknown_metric_is_told_with_the_nearest_and_costs_no_trial(project: Toy, shared: Stay) -> None:
    project.write(space=SPACE.replace("loss", "los"))
    done = project.run("--workers", "2")
    assert done.returncode == 2
    assert "'los' is not a metric that the trainer reports; did you mean 'loss'?" in done.stderr
    assert "Traceback" not in done.stderr
    (project.folder / "train.py").write_text((project.folder / "train.py").read_text().replace("loss=", "los="))
    assert project.run("--workers", "1").returncode == 0, "the trainer was repaired"
    assert trials(shared.url, project.study) == [(number, "COMPLETE") for number in range(4)]


def test_a_storage_that_is_not_there_is_told_with_the_exit_code_to_try_again(project: Toy) -> None:
    project.write()
    done = project.run(env={"SEARCH_STORAGE": "postgresql://user:secret@127.0.0.1:1/nothing"})
    assert done.returncode == 75
    assert "127.0.0.1:1" in done.stderr
    assert "secret" not in done.stdout + done.stderr


# --- devices


@pytest.fixture(scope="module")
def nvml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if fake_nvml.compiler() is None:
        pytest.skip("no C compiler to build the fake NVML with")
    return fake_nvml.build(tmp_path_factory.mktemp("nvml"))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], ["GPU-aaaa", "GPU-bbbb"]),
        (["--per-gpu", "2"], ["GPU-aaaa", "GPU-aaaa", "GPU-bbbb", "GPU-bbbb"]),
        (["--devices", "1"], ["GPU-bbbb"]),
    ],
)
def test_every_gpu_gets_workers_that_see_it_alone(
    project: Toy, nvml: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], expected: list[str]
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    body = f"""
(HERE / f"env-{{os.getpid()}}.json").write_text(json.dumps(dict(os.environ)))
deadline = time.monotonic() + 30
while len(list(HERE.glob("env-*"))) < {len(expected)} and time.monotonic() < deadline:
    time.sleep(0.02)
"""
    project.write(body, trials=len(expected), epochs=1)
    devices = "gpu GPU-aaaa 81559 0 NVIDIA H100\ngpu GPU-bbbb 81559 0 NVIDIA H100"
    environment = fake_nvml.environment(nvml, devices)
    done = project.run(*flags, env=environment)
    assert done.returncode == 0, done.stderr
    seen = [json.loads(path.read_text()) for path in project.folder.glob("env-*.json")]
    assert sorted(environment["CUDA_VISIBLE_DEVICES"] for environment in seen) == expected
    assert all(int(environment["TF_NUM_INTRAOP_THREADS"]) >= 1 for environment in seen)
    assert all(line in done.stdout for line in ("worker 0: ", "NVIDIA H100"))


def test_a_worker_whose_memory_grows_begins_anew(project: Toy, shared: Stay) -> None:
    project.write("leaks = globals().setdefault('leaks', []); leaks.append(b'x' * 2**26 * (run.number == 21))", 24)
    done = project.run("--workers", "1")
    assert done.returncode == 0, done.stderr
    assert "24/24 trials · 24 complete" in done.stdout
    log = next(shared.state.glob(f"logs/{project.study}/*.log")).read_text()
    assert log.index("ended trial 21") < log.index("begins anew") < log.index("trial 22 begins")


def test_a_branch_is_searched_under_its_own_name_and_continued(project: Toy, shared: Stay) -> None:
    project.write(trials=3)
    assert project.run("--workers", "1").returncode == 0
    wider = SPACE.replace("[0.0, 1.0]", "[0.0, 2.0]")
    project.write(trials=5, space=wider)
    assert "--branch" in project.run("--workers", "1").stderr
    branched = project.run("--workers", "1", "--branch")
    assert branched.returncode == 0, branched.stderr + branched.stdout
    assert "5/5 trials · " in branched.stdout, branched.stdout
    project.write(trials=6, space=wider)
    continued = project.run("--workers", "1")
    assert continued.returncode == 0, continued.stderr + continued.stdout
    assert "6/6 trials · " in continued.stdout, continued.stdout
    [branch] = {folder.name for folder in (shared.state / "logs").glob(f"{project.study}*")} - {project.study}
    assert [state for _, state in trials(shared.url, branch)] == ["COMPLETE"] * (3 + 6)  # three are copies
    assert [state for _, state in trials(shared.url, project.study)] == ["COMPLETE"] * 3

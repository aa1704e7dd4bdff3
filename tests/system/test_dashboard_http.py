"""The dashboard as a real process over HTTP: what it shows, whom it answers, and what it outlives."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import commands
import pytest
from dashboards import Dashboard, basic, dashboard, search, states, write_study

PASSWORD = "pässword:with colon"
MODEL = "application/octet-stream"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with commands.project(tmp_path_factory.mktemp("dashboard")) as folder:
        search(folder, "toy", 6)
        yield folder


@pytest.fixture(scope="module")
def page(folder: Path) -> Iterator[Dashboard]:
    with dashboard(folder) as page:
        yield page


@pytest.fixture(scope="module")
def editable(folder: Path) -> Iterator[Dashboard]:
    with dashboard(folder, "--allow-edit") as page:
        yield page


def eventually(what: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.1)


def listens(page: Dashboard) -> bool:
    try:
        page.ask("/api/meta")
    except OSError:
        return False
    return True


def only_model(page: Dashboard, name: str) -> tuple[str, bytes]:
    """Return the file name and the bytes of the one model that the study offers."""
    (artifact,) = page.study(name)["artifacts"]
    answer = page.ask(f"/artifacts/{page.identity(name)}/{artifact['artifact_id']}")
    assert answer.status == 200
    return artifact["filename"], answer.body


def postmaster(folder: Path) -> Path:
    return commands.server_folder(folder) / "data" / "postmaster.pid"


@pytest.mark.slow
def test_it_starts_before_any_study_follows_one_outlives_the_server_and_leaves_nothing(tmp_path: Path) -> None:
    with commands.project(tmp_path) as folder, dashboard(folder) as page:
        assert page.ask("/api/studies").json == {"study_summaries": []}
        with commands.start(["run", write_study(folder, "toy", 12), "--workers", "1"], folder) as run:
            eventually(lambda: page.ask("/api/studies").json["study_summaries"])
            eventually(lambda: states(page.study("toy"))[11:] == ["Running"])
            (folder / "go").touch()
            said, complaints = run.communicate(timeout=60)
        assert run.returncode == 0, said + complaints
        eventually(lambda: "Running" not in states(page.study("toy")))
        assert set(states(page.study("toy"))) == {"Complete", "Pruned", "Fail"}

        os.kill(int(postmaster(folder).read_text().split()[0]), signal.SIGKILL)
        eventually(lambda: page.ask("/api/studies").status == 200)
        assert len(page.study("toy")["trials"]) == 12

        complaints = page.end(signal.SIGINT)
        assert "Traceback" not in complaints
        assert not postmaster(folder).exists()
        assert not list((folder / ".search" / "processes").iterdir())


def test_a_port_in_use_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = commands.run(["dashboard", "--port", port], tmp_path)
    assert done.returncode == 2
    assert f"can't listen on 127.0.0.1:{port}: Address already in use" in done.stderr
    assert "--port 0" in done.stderr
    assert not (tmp_path / ".search").exists()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/studies"),
        ("DELETE", "/api/studies/1"),
        ("PUT", "/api/studies/1/note"),
        ("POST", "/api/studies/1/rename"),
        ("POST", "/api/trials/1/tell"),
        ("POST", "/api/artifacts/1"),
        ("POST", "/incompatible-rdb-schema"),
        ("OPTIONS", "/api/studies"),
        ("BREW", "/dashboard"),
    ],
)
def test_it_is_read_only_even_for_its_own_pages(page: Dashboard, method: str, path: str) -> None:
    answer = page.change(path, method)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert b"--allow-edit" in answer.body
    assert page.study("toy")["trials"]


@pytest.mark.parametrize(
    "path", ["/", "/dashboard", "/dashboard/studies/1", "/api/meta", "/static/bundle.js", "/favicon.ico", "/csv/1"]
)
def test_every_page_answers_also_a_client_that_accepts_no_encoding(page: Dashboard, path: str) -> None:
    for method in ("GET", "HEAD"):
        answer = page.ask(path, method)
        assert answer.status in (200, 302)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"
        assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
        assert "access-control-allow-origin" not in answer.headers


def test_an_artifact_is_only_ever_saved_never_run(page: Dashboard) -> None:
    (artifact,) = page.study("toy")["artifacts"]
    answer = page.ask(f"/artifacts/{page.identity('toy')}/{artifact['artifact_id']}")
    assert answer.headers["content-type"] == MODEL
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["content-security-policy"].startswith("sandbox;default-src 'none'")
    assert "access-control-allow-origin" not in answer.headers


def test_a_page_that_somebody_uploads_comes_back_as_bytes(editable: Dashboard) -> None:
    study = editable.change("/api/studies", "POST", {"study_name": "evil", "directions": ["minimize"]})
    identity = study.json["study_summary"]["study_id"]
    page = {"file": "data:text/html;base64,PHNjcmlwdD4=", "filename": "page.html"}
    uploaded = editable.change(f"/api/artifacts/{identity}", "POST", page)
    assert uploaded.json["artifacts"][0]["mimetype"] == "text/html"
    answer = editable.ask(f"/artifacts/{identity}/{uploaded.json['artifact_id']}")
    assert (answer.headers["content-type"], answer.body) == (MODEL, b"<script>")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "localhost.evil.example", "10.1.2.3", "", "[::1"]
)
def test_a_foreign_host_name_is_dns_rebinding_and_gets_nothing(page: Dashboard, host: str) -> None:
    answer = page.ask("/api/studies", Host=host)
    assert answer.status == 421
    assert b"toy" not in answer.body


@pytest.mark.parametrize("host", ["localhost", "LocalHost:9000", "127.0.0.1:1", "[::1]:80"])
def test_the_names_of_this_machine_are_known_whatever_the_port(page: Dashboard, host: str) -> None:
    assert page.ask("/api/studies", Host=host).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Referer": "http://evil.example/127.0.0.1"},
    ],
)
def test_no_other_site_can_change_anything(editable: Dashboard, headers: dict[str, str]) -> None:
    answer = editable.ask(f"/api/studies/{editable.identity('toy')}", "DELETE", {}, **headers)
    assert answer.status == 403
    assert editable.identity("toy")


@pytest.mark.slow
def test_the_note_and_the_best_model_follow_the_study(folder: Path, editable: Dashboard) -> None:
    name, body = only_model(editable, "toy")
    number = editable.study("toy")["best_trials"][0]["number"]
    assert name == f"trial-{number}.keras"
    assert body == (folder / ".search" / "models" / "toy" / f"{number}.keras").read_bytes()
    note = editable.study("toy")["note"]
    assert "trials: 6" in note["body"]
    long = "Look at trial 1. " * 500  # the dashboard cuts it into pieces
    written = {"body": f"{long}\n\n{note['body']}", "version": note["version"] + 1}
    assert editable.change(f"/api/studies/{editable.identity('toy')}/note", "PUT", written).status == 204

    (folder / "go").touch()
    search(folder, "toy", 13)
    assert only_model(editable, "toy") == ("trial-12.keras", b"model of trial 12 " * 5000)
    body = editable.study("toy")["note"]["body"]
    assert body.startswith(f"{long.rstrip()}\n\n*Written by `search`")
    assert body.count("study: toy") == 1
    assert "trials: 13" in body

    artifact = editable.study("toy")["artifacts"][0]["artifact_id"]
    (folder / ".search" / "artifacts" / artifact).write_bytes(b"half of i")  # as a killed process leaves it
    search(folder, "toy", 13)
    assert only_model(editable, "toy") == ("trial-12.keras", b"model of trial 12 " * 5000)


def test_a_study_whose_artifact_is_gone_can_be_deleted(folder: Path, editable: Dashboard) -> None:
    study = editable.change("/api/studies", "POST", {"study_name": "doomed", "directions": ["minimize"]})
    identity = study.json["study_summary"]["study_id"]
    file = {"file": "data:text/plain;base64,aGVsbG8=", "filename": "hello.txt"}
    artifact = editable.change(f"/api/artifacts/{identity}", "POST", file).json["artifact_id"]
    assert editable.ask(f"/artifacts/{identity}/{artifact}").body == b"hello"
    (folder / ".search" / "artifacts" / artifact).unlink()
    assert editable.change(f"/api/studies/{identity}", "DELETE").status == 204
    assert editable.ask(f"/api/studies/{identity}").status == 404
    assert editable.ask(f"/artifacts/{identity}/{artifact}").status >= 400
    assert editable.identity("toy")


@pytest.mark.slow
def test_a_study_deleted_while_it_runs_leaves_the_dashboard_unharmed(folder: Path, editable: Dashboard) -> None:
    (folder / "go").unlink(missing_ok=True)
    with commands.start(["run", write_study(folder, "deleted", 12), "--workers", "1"], folder) as run:
        eventually(lambda: b'"deleted"' in editable.ask("/api/studies").body)
        path = f"/api/studies/{editable.identity('deleted')}"
        eventually(lambda: editable.study("deleted")["trials"])
        # Optuna drops a deletion without a word when a worker writes in the same moment: a person clicks again.
        eventually(lambda: editable.change(path, "DELETE").status and editable.ask(path).status == 404)
        assert editable.ask("/api/studies").status == 200
        assert editable.process.poll() is None
        run.terminate()
        run.communicate(timeout=60)
    assert editable.study("toy")["trials"]


def test_on_another_address_a_password_is_made_up_printed_once_and_asked_for(folder: Path) -> None:
    with dashboard(folder, "--host", "0.0.0.0") as page:
        password = re.fullmatch(r"password: (\S{20,}) \(any user name\)\n", page.process.stdout.readline())
        assert password
        warning = page.process.stdout.readline()
        assert warning.startswith("warning: others can reach it")
        answer = page.ask("/api/studies")
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert page.ask("/api/studies", Authorization=basic(password[1] + "x")).status == 401
        assert page.ask("/api/studies", Authorization=basic(password[1])).status == 200
        by_name = page.ask("/api/studies", Authorization=basic(password[1]), Host=f"{socket.gethostname()}:1")
        assert by_name.status == 200
        assert page.ask("/api/studies", Authorization=basic(password[1]), Host="evil.example").status == 421
        assert password[1] not in Path(f"/proc/{page.process.pid}/cmdline").read_text()


def test_a_password_of_ones_own_counts_on_every_address_and_is_never_shown(folder: Path) -> None:
    settings = {
        "SEARCH_DASHBOARD_PASSWORD": PASSWORD,
        "SEARCH_DASHBOARD_NAMES": "board.example, other.example",
        "SEARCH_LOG_LEVEL": "debug",
    }
    with dashboard(folder, env=settings) as page:
        assert page.ask("/dashboard").status == 401
        for wrong in ("Basic", "Basic !!!", "Bearer x", basic(""), basic(PASSWORD[:-1]), "Basic " + "A" * 9999):
            assert page.ask("/api/studies", Authorization=wrong).status == 401
        assert page.ask("/api/studies", Authorization=basic(PASSWORD), Host="board.example").status == 200
        assert page.ask("/csv/1", Authorization=basic(PASSWORD)).status == 200
        assert page.process.stdout.readline() == "password: the one of SEARCH_DASHBOARD_PASSWORD\n"
        assert PASSWORD not in page.end(signal.SIGTERM)
        assert not listens(page)

"""A password that user code can see: whatever it raises with, nobody finds it in what is kept."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import commands
import psutil
import pytest
from dashboards import dashboard
from servers import debian_server
from test_run_secrets import FORMS, dump, everything_written
from toys import SPACE, Toy, ended, soon, toy

# Raises with the URL, whole and in parts, and with the password alone; keeps a model.
BODY = """
import sys
url = os.environ["SEARCH_STORAGE"]
if not (HERE / "looked").exists():
    (HERE / f"here-{os.getpid()}").touch()
    while not (HERE / "looked").exists():
        time.sleep(0.02)
if run.number == 1:
    raise RuntimeError(f"can't reach {url}")
if run.number == 2:
    raise RuntimeError(f"can't reach {url.rpartition('@')[0]}") from ValueError(url)
if run.number == 3:
    sys.exit(f"no {url}")
run.keep(lambda path: path.write_bytes(b"a model"))
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with debian_server() as found:
        yield found


@pytest.fixture
def project(tmp_path: Path, url: str) -> Iterator[Toy]:
    with toy(tmp_path, "leaky", {"SEARCH_STORAGE": url}) as made:
        yield made


@pytest.mark.slow
def test_what_user_code_raises_is_kept_without_the_password(project: Toy, url: str, record_property: Any) -> None:
    project.write(BODY, trials=5, space=SPACE)
    process = project.start("run", "space.yaml", "--workers", "2", "--log-level", "debug")
    soon(lambda: list(project.folder.glob("here-*")))
    listening = [where for each in project.processes() for where in listeners(each)]
    (project.folder / "looked").touch()
    code, out, err = ended(process)
    assert code == 0, err
    assert listening == [], "a run listens to nobody"
    texts = {"output": out, "errors": err, "files": everything_written(project.folder), "stored": dump(url)}
    for command in (["status"], ["best", "--json"], ["plan", "space.yaml"]):
        done = commands.run(command, project.folder, env=project.env)
        assert done.returncode == 0, done.stderr
        texts[" ".join(command)] = done.stdout + done.stderr
    with dashboard(project.folder, env=project.env) as page:
        identity = page.identity("leaky")
        for path in ("/api/studies", f"/api/studies/{identity}", "/api/meta", f"/csv/{identity}", "/dashboard"):
            texts[path] = page.ask(path).body.decode(errors="replace")
        texts["another page"] = page.ask("/api/studies/999999").body.decode(errors="replace")
        assert all(where in ("127.0.0.1", "::1") for where in listeners(psutil.Process(page.process.pid)))
    assert [(where, form) for where, text in texts.items() for form in FORMS if form in text] == []
    assert "can't reach postgresql://search:***@127.0.0.1" in texts["stored"], "the rest of the message is kept"
    assert open_to_others(project.folder / ".search") == []
    record_property(
        "fault", ("user code that raises with the database's URL", 3, "its password is in nothing that is kept")
    )


def listeners(process: psutil.Process) -> list[str]:
    """The addresses that a process listens on."""
    return [each.laddr.ip for each in process.net_connections("inet") if each.status == psutil.CONN_LISTEN]


def open_to_others(state: Path) -> list[str]:
    """Which folders others may look into; below root's own they may pass through, as the account of its server must."""
    through = 0o711 if os.geteuid() == 0 else 0o700
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [state, *state.iterdir()] if path.is_dir()}
    return [
        str(path) for path, mode in modes.items() if mode != (through if path in (state, state / "postgres") else 0o700)
    ]

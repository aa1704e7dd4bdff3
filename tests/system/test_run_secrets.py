"""A server of the user's own, and a password that nobody may ever see."""

from __future__ import annotations

import glob
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import commands
import pytest
from servers import PASSWORD, debian_server
from sqlalchemy import make_url
from toys import Toy, ended, soon, toy, trials

FORMS = (PASSWORD, quote(PASSWORD, safe=""), "p@ss", "p%40ss")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with debian_server() as found:
        yield found


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Toy]:
    with toy(tmp_path, "toy") as made:
        yield made
        assert soon(lambda: made.processes() == []), "a process is left"


def command_lines() -> str:
    """What `ps` shows of everybody."""
    lines = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with suppress(OSError):
            lines.append(Path(path).read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return "\n".join(lines)


def everything_written(folder: Path) -> str:
    """What all files hold, and all files inside an archive, as a saved model is one."""
    texts = []
    for path in folder.rglob("*"):
        if path.is_file():
            texts.append(path.read_text(errors="replace"))
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    texts += [archive.read(name).decode(errors="replace") for name in archive.namelist()]
    return "\n".join(texts)


def dump(url: str) -> str:
    """Everything that the database holds."""
    program = shutil.which("pg_dump") or sorted(glob.glob("/usr/lib/postgresql/*/bin/pg_dump"))[-1]
    plain = make_url(url)
    command = [program, "-h", str(plain.host), "-p", str(plain.port), "-U", str(plain.username), str(plain.database)]
    environment = {**os.environ, "PGPASSWORD": str(plain.password)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("given", ["--storage URL", "--storage=URL", "SEARCH_STORAGE", "PGPASSFILE"])
def test_a_study_on_ones_own_server_never_shows_the_password(
    project: Toy, url: str, given: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project.study = f"toy-{abs(hash(given))}"
    project.write("while not (HERE / 'looked').exists(): time.sleep(0.02)", trials=2)
    flags = [word.replace("URL", url) for word in given.split()] if "storage" in given else []
    project.env = {} if flags else {"SEARCH_STORAGE": url}
    if given == "PGPASSFILE":
        file = tmp_path_factory.mktemp("secret") / "pgpass"
        file.write_text(f"*:*:*:*:{PASSWORD.replace(':', chr(92) + ':')}\n")
        file.chmod(0o600)
        bare = url.replace(f":{quote(PASSWORD, safe='')}@", "@")
        project.env = {"SEARCH_STORAGE": bare, "PGPASSFILE": str(file)}
    process = project.start("run", "space.yaml", "--workers", "2", "--log-level", "debug", *flags)
    soon(lambda: len(project.processes()) == 3)
    seen = command_lines()
    (project.folder / "looked").touch()
    code, out, err = ended(process)
    assert code == 0, err
    assert trials(url, project.study) == [(0, "COMPLETE"), (1, "COMPLETE")]
    assert project.study in seen, "the workers were seen"
    texts = {"ps": seen, "output": out, "errors": err, "files": everything_written(project.folder), "stored": dump(url)}
    assert [(where, form) for where, text in texts.items() for form in FORMS if form in text] == []
    assert f"results: postgresql://search{'' if given == 'PGPASSFILE' else ':***'}@127.0.0.1" in out


@pytest.mark.parametrize(
    "form", ["--stor={}", "--storage={}?application_name=x", "--storage=postgresql:///x?host=127.0.0.1&password={}"]
)
def test_no_way_of_writing_the_flag_shows_the_password(project: Toy, url: str, form: str) -> None:
    given = form.format(quote(PASSWORD, safe="") if "password=" in form else url)
    done = commands.run(["status", given, "--log-level", "debug"], project.folder)
    assert done.returncode in (0, 2, 75)
    assert [word for word in FORMS if word in done.stdout + done.stderr] == []


def test_the_commands_that_look_read_ones_own_server(project: Toy, url: str) -> None:
    project.study = "looked-at"
    project.write(trials=2)
    project.env = {"SEARCH_STORAGE": url}
    assert project.run("--workers", "1").returncode == 0
    status = commands.run(["status", "looked-at", "--json"], project.folder, env=project.env)
    assert json.loads(status.stdout)["trials"]["complete"] == 2
    psql = commands.run(["psql", "--", "-Atc", "SELECT count(*) FROM search_epochs"], project.folder, env=project.env)
    assert int(psql.stdout) >= 6, psql.stderr
    stop = commands.run(["stop"], project.folder, env=project.env)
    assert (stop.returncode, stop.stdout.startswith("nothing runs")) == (0, True)

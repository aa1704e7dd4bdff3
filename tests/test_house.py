from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("search", "spaces", "trainers")
TOP_LEVEL = {
    *PACKAGES, "deploy", "tests", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", ".ci", ".gitignore"
}  # fmt: skip

# Written so that this file doesn't match itself.
FORBIDDEN = {
    "a home folder": r"/(?:home|Users)/[a-z][\w.-]*/|/root/[\w.]|\b[A-Z]:\\Users",
    "a folder of a developer's machine": r"/wor[k]/(?:main|dev|shared)\b|\.\./share[d]\b",
    "a private key": r"-----BEGIN [A-Z ]*PRIVAT[E] KEY",
    "a token": r"\b(?:ghp_|github_pat_|hf_|xox[bp]-|sk-|glpat-)[A-Za-z0-9_-]{20,}|\bAKIA[0-9A-Z]{16}\b",
}

LINT_IMPORTS = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_logo=True))"


def tracked_files() -> list[str]:
    # The checkout of a container often belongs to another user, which git refuses without being told.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("git is not installed, so the tracked files can't be listed")
    if listed.returncode != 0:
        pytest.skip(f"the tracked files can't be listed: {listed.stderr.strip()}")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def modules() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize(
    "tool",
    [
        pytest.param(["-m", "ruff", "check", "--no-cache", "."], id="ruff_check"),
        pytest.param(["-m", "ruff", "format", "--check", "."], id="ruff_format"),
        pytest.param(["-m", "mypy", "--strict"], id="mypy", marks=pytest.mark.slow),
        pytest.param(["-c", LINT_IMPORTS], id="import_contracts"),
    ],
)
def test_the_tool_finds_nothing(tool: list[str]) -> None:
    done = subprocess.run([sys.executable, *tool], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(tool)} ended with {done.returncode}\n{done.stdout}{done.stderr}", pytrace=False)


def test_the_top_level_holds_only_what_the_design_names() -> None:
    assert {name.split("/")[0] for name in tracked_files()} - TOP_LEVEL == set()


def test_no_module_is_a_drawer_for_everything() -> None:
    assert [name for name in tracked_files() if Path(name).stem in ("utils", "util", "helpers", "common", "misc")] == []


def test_every_module_says_which_question_it_answers() -> None:
    assert modules()
    silent = [str(path.relative_to(ROOT)) for path in modules() if not ast.get_docstring(ast.parse(path.read_bytes()))]
    assert silent == []


# Where bytes from elsewhere would become code. `search.study.cmaes` unpickles a list of known classes alone.
EXECUTED = r"\b(?:pickle\.loads?|joblib|marshal|shelve|dill|read_pickle|torch\.load)\b|(?<![\w.])(?:eval|exec)\("
EXECUTED += r"|yaml\.(?:load|unsafe_load|full_load)\b|\bsafe_mode=False|allow_pickle=True|enable_unsafe_deserialization"
EXECUTED += r"|\bload_model\((?!.*safe_mode=True)|model_from_json|deserialize_keras_object"
EXECUTED += r"|\bshell=True|\bos\.(?:system|popen)\(|\bmktemp\("


def test_nothing_that_is_read_becomes_code() -> None:
    found = []
    for path in modules():
        text = path.read_text()
        loads = len(re.findall(r"\bnp\.load\(", text)) - len(re.findall(r"np\.load\(.*allow_pickle=False", text))
        if re.search(EXECUTED, text) or loads or ("import pickle" in text and path.name != "cmaes.py"):
            found.append(str(path.relative_to(ROOT)))
    assert found == []


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_tracked_file_holds_what_belongs_to_one_machine_or_person(what: str) -> None:
    found = []
    for name in tracked_files():
        for number, line in enumerate((ROOT / name).read_text(errors="replace").splitlines(), start=1):
            if re.search(FORBIDDEN[what], line):
                found.append(f"{name}:{number}: {line.strip()[:100]}")
    assert found == []


def test_the_readme_holds_the_command_that_the_checks_run() -> None:
    readme = (ROOT / "README.md").read_text()
    command = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[dev]' && .venv/bin/python -m pytest"
    options = r"( -[^\n]*)?"
    assert re.search(
        r"^#+ Run the tests *\n[^#]*?```\w*\n" + re.escape(command) + options + r"\n```", readme, re.MULTILINE
    )

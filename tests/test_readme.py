"""What the README says is true: its files run, its commands and settings exist, and none is left out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import commands
import pytest

from search.cli import VERBS, parser

README = (commands.ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
NAME = re.compile(r"# (\S+\.(?:py|yaml))\n")


def files() -> dict[str, str]:
    """Return the files that the README shows with their name on the first line."""
    return {match[1]: text for _, text in BLOCKS if (match := NAME.match(text))}


def test_the_example_of_the_format_has_nothing_wrong(tmp_path: Path) -> None:
    (example,) = [text for language, text in BLOCKS if language == "yaml" and text.startswith("study:")]
    (tmp_path / "space.yaml").write_text(example)
    checked = commands.run(["check", "space.yaml"], tmp_path)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["net", "train"])
def test_a_model_and_a_loop_of_ones_own_run_as_written(name: str, tmp_path: Path) -> None:
    with commands.project(tmp_path) as folder:
        for file, text in files().items():
            (folder / file).write_text(text.replace("{trials: 20, epochs: 5}", "{trials: 2, epochs: 5}"))
        space = folder / f"{name}.yaml"
        assert "trials: 2," in space.read_text()
        space.write_text(space.read_text() + "algorithm: {seed: 1}\n")
        ran = commands.run(["run", f"{name}.yaml", "--workers", "1"], folder, timeout=120)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "warning" not in ran.stdout
        best = json.loads(commands.run(["best", name, "--json"], folder).stdout)
        assert best["value"] > 0.5
        assert Path(best["model"]).exists()


def test_a_model_and_a_loop_of_ones_own_are_twenty_lines_at_most() -> None:
    for name, text in files().items():
        if name.endswith(".py"):
            lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
            assert len(lines) <= 20, name


def test_every_command_is_told_and_every_command_told_exists() -> None:
    told = set(re.findall(r"python -m search (\w+)", README))
    assert told <= set(VERBS)
    assert set(VERBS) - told == set()


def test_every_setting_is_told() -> None:
    source = (commands.ROOT / "search" / "settings.py").read_text(encoding="utf-8")
    names = {name.upper() for name in re.findall(r'setting\("(\w+)"', source)}
    assert names
    assert {f"SEARCH_{name}" for name in names} - set(re.findall(r"SEARCH_\w+", README)) == set()


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_says_what_it_is_for(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser(verb).parse_args([verb, "--help"])
    assert ended.value.code == 0
    assert len(capsys.readouterr().out) > 200


def test_the_shipped_spaces_have_nothing_wrong(tmp_path: Path) -> None:
    for file in sorted((commands.ROOT / "spaces").glob("*.yaml")):
        checked = commands.run(["check", str(file)], tmp_path)
        assert checked.returncode == 0, checked.stderr

"""Whether the user's own code has changed is told by the files that a space file names and those they import."""

from __future__ import annotations

from pathlib import Path

from claimers import spec_of

from trainers.code_files import code_files

TEXT = "study: s\n{head}\nobjective: {{maximize: val_accuracy}}\nbudget: {{trials: 2}}\nspace: {{a: {{int: [1, 2]}}}}\n"


def files(folder: Path, head: str = "trainer: train.py:train") -> dict[str, str]:
    return code_files(spec_of(TEXT.format(head=head), folder))


def test_a_file_and_all_that_it_imports_beside_it_count(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "train.py").write_text("import os\nimport net\ndef train(params, run):\n    from pkg import part\n")
    (tmp_path / "net.py").write_text("import train\nfrom pkg.other import x\n")
    (tmp_path / "pkg" / "__init__.py").touch()
    (tmp_path / "pkg" / "part.py").write_text("from . import sibling\nfrom .. import net")
    (tmp_path / "pkg" / "other.py").write_text("this is no Python")
    (tmp_path / "pkg" / "sibling.py").touch()
    (tmp_path / "unrelated.py").touch()
    expected = ["net.py", "pkg/__init__.py", "pkg/other.py", "pkg/part.py", "pkg/sibling.py", "train.py"]
    before = files(tmp_path)
    assert list(before) == expected
    (tmp_path / "pkg" / "sibling.py").write_text("# a comment")
    after = files(tmp_path)
    assert [path for path in after if after[path] != before[path]] == ["pkg/sibling.py"]


def test_modules_functions_of_data_and_callbacks_count_too(tmp_path: Path) -> None:
    for name in ("net.py", "data.py", "hooks.py"):
        (tmp_path / name).touch()
    head = "model: net:build\ndata: {source: 'data.py:load'}"
    text = TEXT.format(head=head).replace("{a:", "{callbacks: {own: {class: 'hooks.py:Mine'}}, a:")
    assert list(code_files(spec_of(text, tmp_path))) == ["data.py", "hooks.py", "net.py"]


def test_what_is_built_in_installed_or_not_there_has_no_files(tmp_path: Path) -> None:
    assert files(tmp_path, "trainer: image\ndata: {source: digits}") == {}
    assert files(tmp_path, "trainer: keras.losses:get") == {}
    assert files(tmp_path) == {}

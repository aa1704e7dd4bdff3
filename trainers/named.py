"""Which code and which files does a space file name? Everything that a worker would execute, open or write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from spaces.plain import plain
from spaces.spec import StudySpec

WORDS: dict[str, Literal["code", "file"]] = {"class": "code", "folder": "file", "weights": "file"}
"""The options under `space:` whose text is a function or a path."""

_NO_FILES = ("imagenet", "none")  # what may stand at `weights` instead of a path


@dataclass(frozen=True)
class Named:
    """A name in a file. `code`: `file.py:function` or `module:function`; `file`: a path that is read or written."""

    kind: Literal["code", "file"]
    word: str
    reference: str


def named(spec: StudySpec) -> list[Named]:
    """Return what the file names, each once, whichever branch it stands in."""
    return list(dict.fromkeys([*_of_trainer(spec), *_of_data(spec), *_of_space(spec)]))


def _of_trainer(spec: StudySpec) -> Iterator[Named]:
    if spec.trainer.kind != "builtin":
        yield Named("code", "model" if spec.trainer.kind == "model" else "trainer", spec.trainer.name)


def _of_data(spec: StudySpec) -> Iterator[Named]:
    data = spec.data
    if data is None:
        return
    if data.kind in ("function", "dataset"):
        yield Named("code", "data.source" if data.kind == "function" else "data.dataset", data.location)
    elif data.kind not in ("set", "keras"):
        yield Named("file", f"data.{data.kind}", data.location)
    if isinstance(data.options.get("cache"), str):
        yield Named("file", "data.cache", data.options["cache"])


def _of_space(spec: StudySpec) -> Iterator[Named]:
    """Look below `space:`, whose words are ours for a built-in trainer; beside a model of the user's some are."""
    if spec.trainer.kind == "loop":
        return
    space = plain(spec.space)
    yield from _below(space if spec.trainer.kind == "builtin" else {"callbacks": space.get("callbacks")}, "")


def _below(value: Any, path: str) -> Iterator[Named]:
    if isinstance(value, list):
        for item in value:
            yield from _below(item, path)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in WORDS:
                texts = (text for text in _texts(item) if key != "weights" or text not in _NO_FILES)
                yield from (Named(WORDS[key], f"{path}{key}", text) for text in texts)
            yield from _below(item, f"{path}{key}.")


def _texts(value: Any) -> Iterator[str]:
    """Give every text that may be drawn from a node in its plain form; other words of the form do no harm."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)

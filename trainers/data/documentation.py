"""A set of texts that is always there: what SciPy's functions do, in their authors' words, and where they belong."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from trainers.data.data import DataError, Raw

TOPICS = ("interpolate", "linalg", "ndimage", "optimize", "signal", "sparse", "spatial", "stats")
LEAST_WORDS = 8

_END = re.compile(r"\n\s*(?:Parameters|Returns|Attributes|Examples|References)\s*\n\s*-{3}")
_MARKS = re.compile(r"`[^`]*`|\.\. \w+::.*|[^a-zA-Z]+")


def read_documentation(names: Sequence[str] = TOPICS) -> Raw:
    """Return the first part of each docstring below `scipy/TOPIC` as text, and its topic as label.

    The files are parsed, not imported. Names in code quotes are left out: they would tell the topic. Another version of
    SciPy gives other texts. Raises DataError.
    """
    spec = find_spec("scipy")
    if spec is None or not spec.submodule_search_locations:
        raise DataError("SciPy isn't installed: pip install scipy")
    root = Path(spec.submodule_search_locations[0])
    topics: dict[str, int] = {}
    for number, topic in enumerate(names):
        for path in sorted((root / topic).glob("*.py")):
            # A text that two parts share says nothing about either: the first keeps it.
            for text in _texts(path):
                topics.setdefault(text, number)
    if len(topics) < 100:
        raise DataError(f"{root} holds {len(topics)} docstrings only; was SciPy installed without them?")
    return Raw(np.asarray(list(topics), str), np.asarray(list(topics.values())), class_names=tuple(names))


def _texts(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            text = _END.split(ast.get_docstring(node) or "")[0]
            words = _MARKS.sub(" ", text).split()
            if len(words) >= LEAST_WORDS:
                yield " ".join(words)

"""Which queries do we send? Reads `queries.sql`, where each stands under its name and one sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import Literal, get_args

import sqlalchemy

Name = Literal[
    "has_tables",
    "make_epochs",
    "make_clock",
    "lock",
    "lock_awake",
    "unlock_awake",
    "lock_shared",
    "try_lock",
    "unlock",
    "unlock_shared",
    "wait_at_most",
    "session",
    "room",
    "who_am_i",
    "evict",
    "holders",
    "record_epoch",
    "epochs",
    "last_epochs",
    "state",
    "tick",
    "spent",
    "survey",
    "record_parameters",
    "record_attributes",
    "make_study",
    "hold_study",
    "hold_trials",
]

_HEAD = re.compile(r"^-- name: (?P<name>\w+)\n-- (?P<sentence>\S.*\.)\n", re.MULTILINE)


def load(text: str | None = None) -> Mapping[str, str]:
    """Return every query by its name; `text` stands in for the file.

    Raises ValueError when a query has no name and sentence, stands there twice, is missing or isn't known.
    """
    if text is None:
        text = resources.files(__package__).joinpath("queries.sql").read_text(encoding="utf-8")
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    found = [(head["name"], text[head.end() : end].strip()) for head, end in zip(heads, ends, strict=False)]
    names, known = [name for name, _ in found], set(get_args(Name))
    wrong = {
        "missing": known.difference(names),
        "unknown": set(names) - known,
        "twice": {name for name in names if names.count(name) > 1},
        "empty": {name for name, query in found if not query},
        "without a sentence": set(re.findall(r"^-- name: (.*)$", text, re.MULTILINE)).difference(names),
    }
    complaints = [f"{what}: {', '.join(sorted(which))}" for what, which in wrong.items() if which]
    if complaints:
        raise ValueError(f"queries.sql and queries.py differ. {'; '.join(complaints)}")
    return MappingProxyType(dict(found))


_QUERIES = load()


def query(name: Name) -> sqlalchemy.TextClause:
    """Return the query of that name, with its `:parameters` still to be given."""
    return sqlalchemy.text(_QUERIES[name])

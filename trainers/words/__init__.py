"""What a trainer understands: its vocabulary, the check of a file against it, and its JSON Schema. Imports no Keras."""

from __future__ import annotations

from typing import Any

from spaces import vocabulary as kinds
from spaces.spec import TrainerSpec
from trainers.words.builtin import BUILTIN, EVERY_WORD, vocabulary
from trainers.words.checking import check
from trainers.words.preprocessing import fills_missing

__all__ = ["BUILTIN", "check", "fills_missing", "schema", "space_schema", "vocabulary"]


def schema(trainer: TrainerSpec) -> dict[str, Any]:
    """Return the JSON Schema of `space` for this trainer."""
    return kinds.schema(vocabulary(trainer) or kinds.Options(open=True))


def space_schema() -> dict[str, Any]:
    """Return the JSON Schema of `space` whoever the trainer is: known words are described, others let through."""
    return kinds.schema(EVERY_WORD)

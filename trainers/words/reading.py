"""How drawn parameters are read with a table of words: defaults filled in, one word taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spaces.vocabulary import OneWord, Options, Word


def read(options: Options, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of each option of the table: what `params` says, or the default for what is missing or None."""
    given = {option.name: params.get(option.name) for option in options.options}
    defaults = {option.name: option.default for option in options.options}
    return defaults | {name: value for name, value in given.items() if value is not None}


def one_word(table: OneWord, value: Any) -> tuple[Word, dict[str, Any]]:
    """Return the word that `value` names and its options with defaults filled in.

    `value` is what was drawn: `"adam"` or `{"adam": {"beta_1": 0.8}}`. Raises ValueError for an unknown word.
    """
    name, given = next(iter(value.items())) if isinstance(value, Mapping) else (value, None)
    for word in table.words:
        if word.name == name:
            assert isinstance(word.kind, Options)
            return word, read(word.kind, given or {})
    raise ValueError(f"received {name!r}; expected one of {', '.join(word.name for word in table.words)}")

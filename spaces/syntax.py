"""How is a syntax error of YAML told to a person?"""

from __future__ import annotations

from collections.abc import Callable

import yaml

from spaces.errors import Place, Problem

# What PyYAML says (the beginning), whether the start of the construct is the better place, and what people can act on.
_SYNTAX = (
    ("found character '\\t'", False, "a tab stands where YAML needs spaces", "indent with spaces"),
    ("found character", False, "{found} can't start a value", "put the text in quotes"),
    ("mapping values are not allowed", False, "a second 'key:' on this line, or text with ': ' in it",
     "start a new line, or put the text in quotes"),
    ("could not find expected ':'", True, "no ':' after this", "write 'key: value'"),
    ("sequence entries are not allowed", False, "a list can't start here", "start the '- ' on a line of its own"),
    ("mapping keys are not allowed", False, "a key can't start here", "start it on a line of its own"),
    ("expected ',' or ']'", True, "the list that opens here is not closed, or lacks a comma", "close it with ']'"),
    ("expected ',' or '}'", True, "the map that opens here is not closed, or lacks a comma", "close it with '}'"),
    ("expected <block end>", False, "this line doesn't fit the indentation above it",
     "align it with the keys of the map that it belongs to"),
    ("expected '<document start>'", False, "something follows the end of the file's value", "expected one map"),
    ("found unexpected end of stream", True, "the quotes that open here are not closed", "close them"),
    ("found unexpected document separator", True, "the quotes that open here are not closed", "close them"),
    ("found unknown escape", False, "{found} is no escape of YAML", "in '…' a backslash is a backslash"),
    ("expected escape sequence", False, "this escape is not complete", "in '…' a backslash is a backslash"),
    ("expected alphabetic or numeric", True, "text that starts with '{first}' must be quoted", "put it in quotes"),
    ("found undefined tag handle", False, "tags are not used here", "put text that starts with '!' in quotes"),
    ("expected the node content", False, "a value is missing here", "write it, or take the comma out"),
)  # fmt: skip


def reworded(error: yaml.YAMLError, text: str, place_of: Callable[[int], Place]) -> Problem:
    """Say in words for people what PyYAML found in `text`; `place_of` gives the place of a character by its index."""
    if isinstance(error, yaml.reader.ReaderError):
        place = place_of(error.position)
        return Problem(place, f"a character that YAML doesn't allow: U+{error.character:04X}", hint="take it out")
    assert isinstance(error, yaml.MarkedYAMLError)
    said = error.problem or ""
    mark = error.problem_mark or error.context_mark
    if said.startswith("mapping values") and mark and (above := _word_above(text, mark.index, place_of)):
        return Problem(above, "no ':' after this", hint="write 'key: value'")
    for start, at_context, message, hint in _SYNTAX:
        if said.startswith(start):
            if at_context and error.context_mark is not None:
                mark = error.context_mark
            place = place_of(mark.index if mark else 0)
            found = said[said.find("'") :] if "'" in said else "this"
            found = found.removesuffix(" that cannot start any token")
            return Problem(
                place, message.format(found=found, first=place.text[place.column - 1 : place.column]), hint=hint
            )
    return Problem(place_of(mark.index if mark else 0), f"this is not YAML: {said}")


def _word_above(text: str, index: int, place_of: Callable[[int], Place]) -> Place | None:
    """Return where the line above starts, if it runs on into the first key of the line at `index`."""
    place = place_of(index)
    if ":" in place.text[: place.column - 1]:
        return None
    above = text[: index - place.column + 1].rstrip()
    start = place_of(max(0, len(above) - 1))
    indent = len(start.text) - len(start.text.lstrip())
    return place_of(len(above) - start.column + indent) if above else None

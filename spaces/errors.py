"""What is wrong with a space file, and where."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spaces.spec import StudySpec

SHOWN_WIDTH = 120
"""The widest part of a line that is shown above the caret, in characters."""


@dataclass(frozen=True)
class Place:
    """A spot in a file: 1-based line and column, and the text of that line for the caret."""

    file: str
    line: int
    column: int
    text: str = ""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, what was received, what was expected, and the way out."""

    place: Place
    message: str
    received: str | None = None
    expected: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        """Render the problem as `file:line:column: message`, with the line, a caret and the way out."""
        place = self.place
        lines = [f"{place.file}:{place.line}:{place.column}: {self.message}"]
        if place.text.strip():
            lines += _pointed(place.text, place.column)
        if self.received is not None and self.expected is not None:
            lines.append(f"  received {self.received}; expected {self.expected}")
        elif self.received is not None:
            lines.append(f"  received {self.received}")
        elif self.expected is not None:
            lines.append(f"  expected {self.expected}")
        if self.hint is not None:
            lines.append(f"  {self.hint}")
        return "\n".join(lines)


class SpaceError(Exception):
    """A space file that can't be used. Holds every problem that was found, in the order of the file.

    `spec` is what could be read all the same, so that whoever knows more words can tell what is wrong with those.
    """

    def __init__(self, problems: Iterable[Problem], spec: StudySpec | None = None) -> None:
        self.spec = spec
        self.problems = tuple(sorted(problems, key=lambda p: (p.place.file, p.place.line, p.place.column)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Problems(list[Problem]):
    """The problems found so far; reading goes on after each, so that all are told at once."""

    def add(
        self,
        place: Place,
        message: str,
        received: str | None = None,
        expected: str | None = None,
        hint: str | None = None,
    ) -> None:
        """Note one more problem."""
        self.append(Problem(place, message, received, expected, hint))


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Return the known word that `word` most likely stands for, or None."""
    known = {candidate.lower(): candidate for candidate in words}
    found = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return known[found[0]] if found else None


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return `; did you mean 'log'?` for the nearest known word, or nothing: the end of a message."""
    found = nearest(word, words)
    return "" if found is None else f"; did you mean '{found}'?"


def _pointed(text: str, column: int) -> list[str]:
    """Return the line and a caret below `column`: a window of a long line, and nothing a terminal would act on."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    start = max(0, column - 1 - SHOWN_WIDTH // 2) if len(shown) > SHOWN_WIDTH else 0
    return ["    " + shown[start : start + SHOWN_WIDTH].rstrip(), "    " + " " * (column - 1 - start) + "^"]

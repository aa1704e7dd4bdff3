"""What is wrong with a space file, and where."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


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
        if place.text:
            lines += [f"    {place.text}", "    " + " " * (place.column - 1) + "^"]
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
    """A space file that can't be used. Holds every problem that was found, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.place.file, p.place.line, p.place.column)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Return the known word that `word` most likely stands for, or None."""
    found = difflib.get_close_matches(word.lower(), list(words), n=1, cutoff=0.6)
    return found[0] if found else None

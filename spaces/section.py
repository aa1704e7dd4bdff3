"""How are values taken out of a map of the file whose keys are known, and what is told when they aren't right?"""

from __future__ import annotations

import re
from dataclasses import dataclass

from spaces import ranges
from spaces.document import Entries, Entry, Leaf, Tree, plain
from spaces.errors import Place, Problems, did_you_mean, nearest
from spaces.scalars import written

FUNCTION = re.compile(r"(.+\.py|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):[A-Za-z_]\w*")
WORD = re.compile(r"[A-Za-z_][\w-]*")


@dataclass(frozen=True)
class Section:
    """A map of the file with known keys, and how its values are taken out. Each method tells what is wrong itself."""

    tree: Entries
    name: str
    problems: Problems
    known: tuple[str, ...]

    @property
    def place(self) -> Place:
        """Where the map starts."""
        return self.tree.place

    def check_keys(self) -> None:
        """Tell about keys that this section doesn't have."""
        for key, entry in self.tree.entries.items():
            if key not in self.known:
                message = f"'{key}' is not a key of {self.name}{did_you_mean(key, self.known)}"
                self.problems.add(entry.place, message, expected="one of " + ", ".join(self.known))

    def _misspelt(self, *keys: str) -> bool:
        """Tell whether one of these keys is there under a wrong name, which is told already."""
        return any(nearest(key, self.known) in keys for key in self.tree.entries if key not in self.known)

    def get(self, key: str) -> Entry | None:
        """Return the entry at `key`, if there is one."""
        return self.tree.entries.get(key)

    def required(self, key: str, expected: str) -> Entry | None:
        """Return the entry at `key`; without one it tells what was expected."""
        entry = self.get(key)
        if entry is None and not self._misspelt(key):
            self.problems.add(self.place, f"'{key}' is missing in {self.name}", expected=expected)
        return entry

    def section(self, key: str, known: tuple[str, ...]) -> Section | None:
        """Return the map at `key`, if there is one; its keys are `known`."""
        entry = self.get(key)
        if entry is None:
            return None
        if not isinstance(entry.value, Entries):
            self.problems.add(
                entry.value.place, f"{key}: not a map", written(plain(entry.value)), "a map: {key: value}"
            )
            return None
        return Section(entry.value, key, self.problems, known)

    def text(self, key: str) -> str | None:
        """Return the text at `key`, if there is one."""
        entry = self.get(key)
        return None if entry is None else self.as_text(entry.value, key)

    def as_text(self, tree: Tree, key: str) -> str | None:
        """Return a text, or None after telling that it is none."""
        if isinstance(tree, Leaf) and isinstance(tree.value, str) and tree.value.strip():
            return tree.value
        hint = f'write "{tree.text}" if that is its name' if isinstance(tree, Leaf) and tree.text.strip() else None
        self.problems.add(tree.place, f"{key}: not a text", written(plain(tree)), "a text", hint)
        return None

    def whole(self, key: str, low: int, high: int) -> int | None:
        """Return the whole number at `key`, if there is one."""
        entry = self.get(key)
        if entry is None:
            return None
        name = f"{self.name}.{key}"
        value = ranges.whole(entry.value, name, self.problems)
        if value is not None and not low <= value <= high:
            self.problems.add(
                entry.value.place, f"{name}: {value} is outside of the range", expected=f"{low} to {high}"
            )
            return None
        return value

    def word(self, key: str, known: tuple[str, ...]) -> str | None:
        """Return the word at `key`, if there is one; it must be one of `known`."""
        word = self.text(key)
        if word is not None and word not in known:
            place = self.tree.entries[key].value.place
            self.problems.add(
                place, f"{key}: '{word}' is not known{did_you_mean(word, known)}", expected=_either(known)
            )
            return None
        return word

    def exactly_one(self, keys: tuple[str, ...]) -> str | None:
        """Return which of `keys` is there, and tell if that isn't exactly one."""
        found = [key for key in self.tree.entries if key in keys]
        if not found and not self._misspelt(*keys):
            self.problems.add(self.place, f"{self.name} lacks {_either(keys)}", expected="exactly one of them")
        for second in found[1:]:
            message = f"'{second}' can't stand beside '{found[0]}'"
            self.problems.add(self.tree.entries[second].place, message, expected=f"exactly one of {', '.join(keys)}")
        return found[0] if found else None


def _either(words: tuple[str, ...]) -> str:
    """Return `a, b or c`."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

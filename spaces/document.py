"""How does the text of a file become a tree of values in which everything knows its place? The only place with YAML."""

from __future__ import annotations

import bisect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol, cast

import yaml

from spaces.errors import Place, Problem, Problems, SpaceError
from spaces.parameters import Scalar
from spaces.scalars import resolve
from spaces.syntax import reworded

MOST_NODES = 10_000
MOST_LEVELS = 64


@dataclass(frozen=True)
class Leaf:
    """A scalar: its value, and the text as written (without quotes)."""

    value: Scalar
    place: Place
    text: str = ""
    quoted: bool = False


@dataclass(frozen=True)
class Items:
    """A list."""

    items: tuple[Tree, ...]
    place: Place


@dataclass(frozen=True)
class Entry:
    """What stands at a key, and the place of the key."""

    place: Place
    value: Tree


@dataclass(frozen=True)
class Entries:
    """A map, in the order of the file."""

    entries: Mapping[str, Entry]
    place: Place


Tree = Leaf | Items | Entries


def plain(tree: Tree) -> Any:
    """Return the tree as Python's own scalars, lists and dicts."""
    if isinstance(tree, Entries):
        return {key: plain(entry.value) for key, entry in tree.entries.items()}
    if isinstance(tree, Items):
        return [plain(item) for item in tree.items]
    return tree.value


def compose(text: str, file: str, problems: Problems) -> Tree | None:
    """Return the one document of `text`, or None for an empty one.

    Adds what is wrong to `problems`; raises SpaceError (with `problems` and the last one) where reading can't go on.
    """
    return _Composer(text, file, problems).document()


class _Events(Protocol):
    """What is used of PyYAML's loader, which has no types of its own."""

    def check_event(self, *kinds: type[Any]) -> bool: ...

    def peek_event(self) -> Any: ...

    def get_event(self) -> Any: ...

    def get_mark(self) -> Any: ...


@dataclass(frozen=True)
class _Anchored:
    """A value that an alias may repeat, with its number of nodes and levels. None while it is still open."""

    tree: Tree
    nodes: int
    levels: int


@dataclass
class _Composer:
    """Builds the tree from PyYAML's events: its own composer would resolve by YAML 1.1 and expand aliases unasked."""

    text: str
    file: str
    problems: Problems
    nodes: int = 0
    anchors: dict[str, _Anchored | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find where lines start (YAML 1.2: only \\n, \\r\\n and \\r end one)."""
        breaks = [found.end() for found in re.finditer(r"\r\n|\n|\r", self.text)]
        self._starts = [0, *breaks]
        self._ends = [*breaks, len(self.text)]

    def place(self, index: int) -> Place:
        """Return the place of the character at `index`."""
        line = bisect.bisect_right(self._starts, index) - 1
        text = self.text[self._starts[line] : self._ends[line]].rstrip("\r\n")
        return Place(self.file, line + 1, index - self._starts[line] + 1, text)

    def document(self) -> Tree | None:
        """Read the only document of the text."""
        try:
            self._events = cast(_Events, yaml.SafeLoader(self.text))
            self._next(yaml.StreamStartEvent)
            if self._events.check_event(yaml.StreamEndEvent):
                return None
            self._next(yaml.DocumentStartEvent)
            tree, _ = self._node(1)
            self._next(yaml.DocumentEndEvent)
            if not self._events.check_event(yaml.StreamEndEvent):
                second = self.place(self._events.peek_event().start_mark.index)
                self._stop(Problem(second, "a second document starts here", expected="one document in a file"))
        except yaml.YAMLError as error:
            self._stop(reworded(error, self.text, self.place))
        except (ValueError, OverflowError):
            # PyYAML lets chr() fail on "\U00110000".
            place = self.place(self._events.get_mark().index)
            self._stop(
                Problem(place, "an escape in this text is no character", hint='write \\\\ for a backslash in "…"')
            )
        return tree

    def _stop(self, problem: Problem) -> NoReturn:
        """Give up: nothing after this can be read."""
        raise SpaceError([*self.problems, problem])

    def _next(self, expected: type[Any]) -> Any:
        """Take the next event, which YAML's grammar says is `expected`."""
        event = self._events.get_event()
        assert isinstance(event, expected), event
        return event

    def _node(self, level: int) -> tuple[Tree, int]:
        """Read one value, and return it with the number of levels in it."""
        event = self._next(yaml.NodeEvent)
        place = self.place(event.start_mark.index)
        self._count(1, level, place)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor, level, place)
        if event.tag is not None:
            self.problems.add(
                place, f"'{_short_tag(event.tag)}' is a tag", hint="take it out: values say what they are"
            )
        if event.anchor:
            self.anchors[event.anchor] = None
        before = self.nodes
        tree: Tree
        if isinstance(event, yaml.ScalarEvent):
            tree, levels = self._leaf(event, place), 0
        elif isinstance(event, yaml.SequenceStartEvent):
            tree, levels = self._items(place, level)
        else:
            tree, levels = self._entries(place, level)
        if event.anchor:
            self.anchors[event.anchor] = _Anchored(tree, self.nodes - before + 1, levels)
        return tree, levels

    def _count(self, nodes: int, level: int, place: Place) -> None:
        """Keep the size of the tree within what a person could have meant."""
        self.nodes += nodes
        if self.nodes > MOST_NODES:
            self._stop(
                Problem(place, f"the file grows beyond {MOST_NODES} values here, aliases (*name) counted each time")
            )
        if level > MOST_LEVELS:
            self._stop(Problem(place, f"maps and lists are nested more than {MOST_LEVELS} deep here"))

    def _alias(self, name: str | None, level: int, place: Place) -> tuple[Tree, int]:
        """Repeat what was anchored; it keeps the place where it was written."""
        if name is None or name not in self.anchors:
            self.problems.add(place, f"'*{name}' repeats a value that has no anchor '&{name}' above it")
            return Leaf(None, place), 0
        anchored = self.anchors[name]
        if anchored is None:
            self._stop(Problem(place, f"'*{name}' stands inside the value '&{name}' that it repeats"))
        self._count(anchored.nodes, level + anchored.levels, place)
        return anchored.tree, anchored.levels

    def _leaf(self, event: Any, place: Place) -> Leaf:
        """Resolve a scalar; only an unquoted one can be anything but text."""
        quoted = event.style is not None
        value: Scalar = event.value
        if not quoted:
            try:
                value = resolve(event.value)
            except ValueError as error:
                self.problems.add(place, f"this is {error}")
                value = 0
        elif not _storable(event.value):
            self.problems.add(place, "this text has a character that can't be stored", expected="no NUL, no surrogate")
            value = ""
        return Leaf(value, place, event.value, quoted)

    def _items(self, place: Place, level: int) -> tuple[Items, int]:
        """Read a list up to its end."""
        items, deepest = [], 0
        while not self._events.check_event(yaml.SequenceEndEvent):
            item, levels = self._node(level + 1)
            items.append(item)
            deepest = max(deepest, levels)
        self._next(yaml.SequenceEndEvent)
        return Items(tuple(items), place), deepest + 1

    def _entries(self, place: Place, level: int) -> tuple[Entries, int]:
        """Read a map up to its end; of a key that stands twice, the first one holds."""
        entries: dict[str, Entry] = {}
        deepest = 0
        while not self._events.check_event(yaml.MappingEndEvent):
            key_place = self.place(self._events.peek_event().start_mark.index)
            key, _ = self._node(level + 1)
            value, levels = self._node(level + 1)
            deepest = max(deepest, levels)
            name = self._key(key, key_place)
            if name in entries:
                first = entries[name].place.line
                self.problems.add(key_place, f"'{name}' stands twice in this map; first on line {first}")
            elif name is not None:
                entries[name] = Entry(key_place, value)
        self._next(yaml.MappingEndEvent)
        return Entries(entries, place), deepest + 1

    def _key(self, key: Tree, place: Place) -> str | None:
        """Return the text of a key, or None after telling that it is none."""
        if not isinstance(key, Leaf):
            self.problems.add(place, "a list or map can't be a key", expected="a word")
        elif key.text == "<<" and not key.quoted:
            self.problems.add(place, "'<<' (merge) is not part of YAML 1.2", hint="write the keys out")
        elif not isinstance(key.value, str):
            hint = f'write "{key.text}" if it is a name' if key.text else "write a name before the colon"
            self.problems.add(place, "a key must be text", f"{key.text or 'nothing'} ({_type(key.value)})", hint=hint)
        else:
            return key.value
        return None


def _type(value: Scalar) -> str:
    """Return a person's word for what a value is."""
    return "null" if value is None else "true or false" if isinstance(value, bool) else "a number"


def _storable(text: str) -> bool:
    """Tell whether a database and JSON can hold `text`: escapes can spell what YAML itself refuses."""
    return not re.search("[\x00\ud800-\udfff]", text)


def _short_tag(tag: str) -> str:
    """Return a tag as people write it."""
    return tag.replace("tag:yaml.org,2002:", "!!")

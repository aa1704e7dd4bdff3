"""Which of a trial's parameters the trainer has looked at: one that nothing ever reads changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Watched(dict[str, Any]):
    """Nested parameters that remember which keys were read. Otherwise a plain dict."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__({key: watched(value) for key, value in values.items()})
        self._read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self._read.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, which counts as read."""
        self._read.add(key)
        return super().get(key, default)

    def pop(self, key: str, *default: Any) -> Any:
        """Remove a key, which counts as read."""
        self._read.add(key)
        return super().pop(key, *default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, set if need be; it counts as read."""
        self._read.add(key)
        return super().setdefault(key, default)

    def __contains__(self, key: object) -> bool:
        self._read.add(str(key))  # which branch was drawn may be all that there is to know
        return super().__contains__(key)

    def __eq__(self, other: object) -> bool:
        self._read_all()
        return super().__eq__(other)

    def __iter__(self) -> Iterator[str]:
        # Overridden also so that `f(**parameters)` comes through __getitem__.
        self._read_all()
        return super().__iter__()

    def keys(self) -> Any:
        """Return all keys, all of which count as read."""
        self._read_all()
        return super().keys()

    def items(self) -> Any:
        """Return all pairs, all of which count as read."""
        self._read_all()
        return super().items()

    def values(self) -> Any:
        """Return all values, all of which count as read."""
        self._read_all()
        return super().values()

    def _read_all(self) -> None:
        self._read.update(super().keys())

    def unread(self, prefix: str = "") -> list[str]:
        """Return the dotted paths that nobody read; of a map that was never entered, its own path alone."""
        paths: list[str] = []
        for key, value in super().items():
            path = f"{prefix}{key}"
            if key not in self._read:
                paths += [path] if value != {} else []  # an empty branch says all by its name
            else:
                paths += _unread_below(value, path)
        return paths


def watched(value: Any) -> Any:
    """Wrap the maps inside a value."""
    if isinstance(value, dict):
        return Watched(value)
    if isinstance(value, list):
        return [watched(item) for item in value]
    return value


def _unread_below(value: Any, path: str) -> list[str]:
    if isinstance(value, Watched):
        return value.unread(f"{path}.")
    if isinstance(value, list):
        return [line for index, item in enumerate(value) for line in _unread_below(item, f"{path}.{index}")]
    return []

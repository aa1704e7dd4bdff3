"""What can end a command that is not a bug: each error says what happened, the way out, and the exit code."""

from __future__ import annotations

from typing import ClassVar


class SearchError(Exception):
    """An end that was foreseen. Its text is what happened and the way out, ready for the terminal."""

    exit_code: ClassVar[int] = 3

    def __init__(self, happened: str, way_out: str = "") -> None:
        self.happened = happened
        self.way_out = way_out
        super().__init__(f"{happened}\n  {way_out}" if way_out else happened)


class InputError(SearchError):
    """What the user gave can't be used: a file, a flag, a URL, a folder, an account."""

    exit_code = 2


class Aborted(SearchError):  # noqa: N818
    """The study was given up, or has come to nothing."""

    exit_code = 1


class StorageUnavailable(SearchError):  # noqa: N818
    """PostgreSQL can't be reached or can't be started now; trying again later may help."""

    exit_code = 75


class DiskFull(StorageUnavailable):
    """There is no room for what a trial must write; it waits until somebody has made some."""


class Interrupted(SearchError):  # noqa: N818
    """A person or the system asked us to stop."""

    exit_code = 130

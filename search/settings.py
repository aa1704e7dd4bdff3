"""How this process runs: flag > `SEARCH_*` > default, read once at the door, each with its source."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from search.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class Setting(Generic[T]):
    """A value and where it came from (`--state`, `SEARCH_STATE` or `default`)."""

    value: T
    source: str


@dataclass(frozen=True)
class DashboardSettings:
    """Where the dashboard listens, what else it is called, and whom it lets do what."""

    host: Setting[str]
    port: Setting[int]
    names: Setting[tuple[str, ...]]
    allow_edit: Setting[bool]
    password: Setting[str | None] = field(repr=False)  # never a flag: `ps` shows those to everybody


@dataclass(frozen=True)
class Settings:
    """Everything about the process that isn't searched. Nobody else reads the environment."""

    state: Setting[Path]
    storage: Setting[str | None]
    devices: Setting[str | None]
    workers: Setting[int | None]
    per_gpu: Setting[int]
    log_level: Setting[str]
    binaries: Setting[Path | None]
    service_user: Setting[str | None]
    allow: Setting[tuple[str, ...]]
    dashboard: DashboardSettings
    json: bool
    environment: Mapping[str, str]


YES, NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
MOST = 1000  # workers on one machine
LOG_LEVELS = ("debug", "info", "warning", "error")


def read(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
    """Read the settings out of the parsed arguments and the environment.

    Raises InputError, naming the source, for a value that can't be used.
    """

    def setting(name: str, convert: Callable[[str], T], default: T, flag: str | None = None) -> Setting[T]:
        flag = flag or name
        given = getattr(arguments, flag, None)
        if given is not None:
            text = ",".join(given) if isinstance(given, list) else str(given)
            return _converted(convert, text, f"--{flag.replace('_', '-')}")
        variable = f"SEARCH_{name.upper()}"
        if environment.get(variable):
            return _converted(convert, environment[variable], variable)
        return Setting(default, "default")

    return Settings(
        state=setting("state", _path, _path(".search")),
        storage=setting("storage", _optional_text, None),
        devices=setting("devices", _optional_text, None),
        workers=setting("workers", _optional_count, None),
        per_gpu=setting("per_gpu", _count, 1),
        log_level=setting("log_level", _log_level, "warning"),
        binaries=setting("pg_bin", _optional_path, None),
        service_user=setting("pg_user", _optional_text, None),
        allow=setting("allow", _paths, ()),
        dashboard=DashboardSettings(
            host=setting("dashboard_host", str, "127.0.0.1", flag="host"),
            port=setting("dashboard_port", _port, 8080, flag="port"),
            names=setting("dashboard_names", _list, (), flag="names"),
            allow_edit=setting("dashboard_allow_edit", _yes, False, flag="allow_edit"),
            password=setting("dashboard_password", _optional_text, None),
        ),
        json=bool(getattr(arguments, "json", False)),
        environment=environment,
    )


def _converted(convert: Callable[[str], T], text: str, source: str) -> Setting[T]:
    try:
        return Setting(convert(text), source)
    except ValueError as error:
        raise InputError(f"{source}: received {text!r}; {error}") from None


def _path(text: str) -> Path:
    try:
        path = Path(text).expanduser().absolute()
        path.resolve()
    except OSError as error:
        raise ValueError(f"expected a folder ({error.strerror})") from None
    except RuntimeError as error:  # ~somebody who isn't there, or links that go in a circle
        raise ValueError(f"expected a folder ({error})") from None
    return path


def _optional_path(text: str) -> Path | None:
    return _path(text)


def _optional_text(text: str) -> str | None:
    return text


def _count(text: str) -> int:
    return _whole(text, 1, MOST, f"expected a whole number of at least 1, and at most {MOST}")


def _optional_count(text: str) -> int | None:
    return _count(text)


def _port(text: str) -> int:
    return _whole(text, 0, 65535, "expected a port from 0 to 65535")


def _whole(text: str, least: int, most: int, expected: str) -> int:
    if not text.isdecimal() or len(text) > 9 or not least <= int(text) <= most:
        raise ValueError(expected)
    return int(text)


def _list(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _paths(text: str) -> tuple[str, ...]:
    """Return modules, files, folders and hashes."""
    for word in _list(text):
        _path(word)
    return _list(text)


def _yes(text: str) -> bool:
    if text.lower() not in YES + NO:
        raise ValueError(f"expected one of {', '.join(YES + NO)}")
    return text.lower() in YES


def _log_level(text: str) -> str:
    if text.lower() not in LOG_LEVELS:
        raise ValueError(f"expected one of {', '.join(LOG_LEVELS)}")
    return text.lower()

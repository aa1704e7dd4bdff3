from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from search.errors import InputError
from search.settings import Setting, Settings, read


def settings(environment: dict[str, str] | None = None, **flags: Any) -> Settings:
    return read(argparse.Namespace(**flags), environment or {})


def test_a_flag_goes_before_the_environment_and_that_before_the_default(tmp_path: Path) -> None:
    environment = {"SEARCH_STATE": str(tmp_path / "b"), "SEARCH_WORKERS": "3"}
    given = settings(environment, state=str(tmp_path / "a"))
    assert given.state == Setting(tmp_path / "a", "--state")
    assert given.workers == Setting(3, "SEARCH_WORKERS")
    assert given.per_gpu == Setting(1, "default")
    assert settings().state == Setting(Path(".search").absolute(), "default")


def test_an_empty_variable_is_none() -> None:
    assert settings({"SEARCH_STORAGE": ""}).storage == Setting(None, "default")


@pytest.mark.parametrize(
    ("environment", "flags", "told"),
    [
        ({}, {"workers": "0"}, "--workers: received '0'; expected a whole number of at least 1"),
        ({"SEARCH_WORKERS": "two"}, {}, "SEARCH_WORKERS: received 'two'; expected a whole number of at least 1"),
        ({"SEARCH_PER_GPU": "-1"}, {}, "SEARCH_PER_GPU: received '-1'"),
        ({}, {"per_gpu": "1.5"}, "--per-gpu: received '1.5'"),
        ({"SEARCH_LOG_LEVEL": "loud"}, {}, "SEARCH_LOG_LEVEL: received 'loud'; expected one of debug, info"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_with_its_source(
    environment: dict[str, str], flags: dict[str, str], told: str
) -> None:
    with pytest.raises(InputError) as error:
        settings(environment, **flags)
    assert told in str(error.value)

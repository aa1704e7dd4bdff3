"""Whom the dashboard answers, and with which headers: the rules alone, without a server."""

from __future__ import annotations

import argparse
import base64
from collections.abc import Mapping
from typing import Any

import pytest

from search import settings
from search.dashboard import rules, told
from search.errors import InputError
from search.gate import Rules, answered, check, guarded

HERE = Rules(loopback=True, names=frozenset({"localhost"}), allow_edit=False, password=None)
EVERYWHERE = Rules(loopback=False, names=frozenset({"localhost", "board.example"}), allow_edit=True, password="s3cret")


def request(method: str = "GET", path: str = "/api/studies", **headers: str) -> dict[str, Any]:
    given = {"HTTP_HOST": "localhost:8080", **{f"HTTP_{name.upper()}": value for name, value in headers.items()}}
    return {"REQUEST_METHOD": method, "PATH_INFO": path, **given}


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def read(environment: Mapping[str, str], **flags: Any) -> settings.DashboardSettings:
    return settings.read(argparse.Namespace(**flags), environment).dashboard


def status(environ: dict[str, Any], rules: Rules) -> str | None:
    refusal = check(environ, rules)
    return None if refusal is None else refusal.status[:3]


@pytest.mark.parametrize(
    ("host", "here", "everywhere"),
    [
        ("localhost", None, "401"),
        ("localhost.:80", None, "401"),
        ("127.9.9.9", None, "401"),
        ("192.168.1.7:8080", "421", "401"),
        ("[2001:db8::7]:8080", "421", "401"),
        ("BOARD.example", "421", "401"),
        ("evil.example", "421", "421"),
        ("board.example.evil", "421", "421"),
        ("user@evil.example", "421", "421"),
        ("localhost/../evil", None, "401"),  # the name that a browser would have connected to
        ("2130706433", "421", "421"),
        ("", "421", "421"),
        ("[", "421", "421"),
    ],
)
def test_a_host_is_known_by_name_or_by_address(host: str, here: str | None, everywhere: str | None) -> None:
    assert status(request(host=host), HERE) == here
    assert status(request(host=host), EVERYWHERE) == everywhere


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (basic("anybody:s3cret"), None),
        (basic(":s3cret"), None),
        (basic("anybody:s3cret").replace("Basic", "basic"), None),
        (basic("s3cret"), "401"),
        (basic("anybody:s3cret "), "401"),
        (basic("anybody:"), "401"),
        (basic("anybody:s3cret").replace("Basic", "Bearer"), "401"),
        ("Basic ===", "401"),
        ("Basic \xff", "401"),
        ("", "401"),
    ],
)
def test_only_the_right_password_opens(authorization: str, expected: str | None) -> None:
    assert status(request(authorization=authorization), EVERYWHERE) == expected


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ({"origin": "http://localhost:8080"}, None),
        ({"origin": "https://localhost:8080"}, None),  # a proxy that speaks TLS stands in front
        ({"referer": "http://localhost:8080/dashboard/studies/1"}, None),
        ({"origin": "http://localhost:8081"}, "403"),
        ({"origin": "http://localhost:8080.evil.example"}, "403"),
        ({"origin": "http://evil.example", "referer": "http://localhost:8080/"}, "403"),
        ({"origin": "null"}, "403"),
        ({"origin": "http://["}, "403"),
        ({"origin": "file://localhost:8080"}, "403"),
        ({}, "403"),
    ],
)
def test_whatever_writes_must_come_from_our_own_pages(origin: dict[str, str], expected: str | None) -> None:
    opened = {**origin, "authorization": basic(":s3cret")}
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert status(request(method, **opened), EVERYWHERE) == expected
        assert status(request(method, **origin), HERE) == "405"
    assert status(request("TRACE", **opened), EVERYWHERE) == "405"


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        ("image/png", "image/png"),
        ("text/plain; charset=utf-8", "text/plain"),
        ("video/mp4", "video/mp4"),
        ("text/html", "application/octet-stream"),
        ("TEXT/HTML;x", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ("application/pdf", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_an_artifact_never_gets_a_type_that_a_browser_runs(stored: str, sent: str) -> None:
    headers = answered("/artifacts/1/ab", [("Content-Type", stored), ("Access-Control-Allow-Origin", "*")])
    assert [value for name, value in headers if name == "Content-Type"] == [sent]
    assert ("Content-Disposition", "attachment") in headers
    assert not [name for name, _ in headers if name.startswith("Access-Control")]


def test_the_policy_of_a_page_is_kept_and_made_stricter() -> None:
    headers = answered("/dashboard", [("Content-Security-Policy", "default-src 'self'"), ("x-frame-options", "x")])
    assert [value for name, value in headers if name == "Content-Security-Policy"] == [
        "default-src 'self';frame-ancestors 'self';base-uri 'self';form-action 'self'"
    ]
    assert [value for name, value in headers if name.lower() == "x-frame-options"] == ["SAMEORIGIN"]


def test_a_refused_request_never_reaches_the_application() -> None:
    def application(environ: Any, start_response: Any) -> Any:
        raise AssertionError("it was let through")

    said: list[Any] = []
    body = guarded(application, HERE)(request("DELETE"), lambda *answer: said.append(answer))  # type: ignore[arg-type]
    assert said[0][0].startswith("405")
    assert b"--allow-edit" in b"".join(body)


@pytest.mark.parametrize(
    ("address", "needs"), [("127.0.0.1", False), ("127.8.8.8", False), ("::1", False), ("0.0.0.0", True), ("::", True)]
)
def test_a_password_is_needed_on_any_address_but_loopback(address: str, needs: bool) -> None:
    made_up = rules(read({}), address).password
    assert (made_up is not None) == needs
    assert made_up is None or len(made_up) >= 20
    own = rules(read({"SEARCH_DASHBOARD_PASSWORD": "own"}), address)
    assert own.password == "own"
    assert "own" not in repr(own)


def test_a_password_of_ones_own_is_never_printed() -> None:
    given = read({"SEARCH_DASHBOARD_PASSWORD": "own-secret"}, host="::", allow_edit=True)
    lines = told(given, rules(given, "::"), "::", 8080)
    assert "own-secret" not in "\n".join(lines) + repr(given)
    assert any("SEARCH_DASHBOARD_PASSWORD" in line for line in lines)
    assert any("--allow-edit" in line for line in lines)


def test_an_address_of_ipv6_is_printed_as_a_browser_takes_it() -> None:
    given = read({}, host="::1")
    assert told(given, rules(given, "::1"), "::1", 81)[0] == "the dashboard is at http://[::1]:81/ (Ctrl-C stops it)"


def test_flags_win_over_the_environment_which_wins_over_the_defaults() -> None:
    environment = {"SEARCH_DASHBOARD_PORT": "81", "SEARCH_DASHBOARD_ALLOW_EDIT": "no", "SEARCH_DASHBOARD_NAMES": "a, b"}
    given = read(environment, allow_edit=True)
    assert (given.host.value, given.port.value, given.names.value) == ("127.0.0.1", 81, ("a", "b"))
    assert (given.allow_edit.value, given.allow_edit.source) == (True, "--allow-edit")
    assert read(environment, port="0").port.value == 0
    assert not read(environment, allow_edit=None).allow_edit.value


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "http"), ("PORT", "65536"), ("PORT", "-1"), ("ALLOW_EDIT", "perhaps")]
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(InputError, match=f"SEARCH_DASHBOARD_{name}: received '{value}'; expected"):
        read({f"SEARCH_DASHBOARD_{name}": value})

"""Which requests reach the dashboard, and with which headers do its answers leave?

optuna-dashboard asks nobody who they are and lets every page of the web post to it. This WSGI layer around it checks,
in this order: the Host header (a foreign name is DNS rebinding), the password, the method (reading only, unless
editing is allowed) and the origin of whatever writes.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

READING = ("GET", "HEAD")
WRITING = ("POST", "PUT", "DELETE", "PATCH")

# What a browser shows without ever running it; everything else is only bytes to save. No SVG, HTML, XML or PDF.
SAFE_TYPES = ("text/plain", "text/csv", "application/json", "application/octet-stream")
SAFE_KINDS = ("audio/", "video/")
SAFE_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp")

HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
FRAMES = "frame-ancestors 'self';base-uri 'self';form-action 'self'"
OURS = {name.lower() for name, _ in HEADERS} | {"access-control-allow-origin", "content-security-policy"}


@dataclass(frozen=True)
class Rules:
    """Whom the dashboard answers. `names`: host names in lower case; `loopback`: it listens to this machine alone."""

    loopback: bool
    names: frozenset[str]
    allow_edit: bool
    password: str | None = field(repr=False)


@dataclass(frozen=True)
class Refusal:
    """The answer to a request that isn't let through."""

    status: str
    reason: str
    headers: tuple[tuple[str, str], ...] = ()


def guarded(app: WSGIApplication, rules: Rules) -> WSGIApplication:
    """Return the application behind the rules."""

    def gate(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        refusal = check(environ, rules)
        if refusal is not None:
            return _refuse(path, refusal, start_response)
        environ.setdefault("HTTP_ACCEPT_ENCODING", "identity")  # optuna-dashboard answers 500 without one

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[[bytes], object]:
            return start_response(status, answered(path, headers), *more)

        return app(environ, start)

    return gate


def check(environ: WSGIEnvironment, rules: Rules) -> Refusal | None:
    """Return why a request is refused, or None to let it through."""
    host, method = environ.get("HTTP_HOST", ""), environ.get("REQUEST_METHOD", "")
    if not known_host(host, rules):
        return Refusal(
            "421 Misdirected Request",
            f"this dashboard is not known as {host!r}; "
            "tell it its other names: --names NAME,… or SEARCH_DASHBOARD_NAMES",
        )
    if rules.password is not None and not _knows(environ.get("HTTP_AUTHORIZATION", ""), rules.password):
        challenge = ("WWW-Authenticate", 'Basic realm="search dashboard", charset="UTF-8"')
        return Refusal(
            "401 Unauthorized", "the password of this dashboard is needed; any user name will do", (challenge,)
        )
    if method in READING:
        return None
    if not rules.allow_edit or method not in WRITING:
        allowed = READING + (WRITING if rules.allow_edit else ())
        reason = "this dashboard is read-only; start it with --allow-edit to change something"
        return Refusal("405 Method Not Allowed", reason, (("Allow", ", ".join(allowed)),))
    if not _same_origin(environ, host):
        return Refusal("403 Forbidden", "a change must come from the dashboard's own pages (Origin or Referer)")
    return None


def known_host(host: str, rules: Rules) -> bool:
    """Say whether a Host header names us: by one of our names, or by an address, which no rebinding can forge."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return False
    if name in rules.names:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback or not rules.loopback
    except ValueError:
        return False


def answered(path: str, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers that an answer leaves with."""
    given = list(headers)
    policy = [value for name, value in given if name.lower() == "content-security-policy"]
    kept = [(name, value) for name, value in given if name.lower() not in OURS]
    if path.startswith("/artifacts"):
        kept = [(name, _safe_type(value) if name.lower() == "content-type" else value) for name, value in kept]
        kept.append(("Content-Disposition", "attachment"))
        policy = ["sandbox;default-src 'none'"]
    return [*kept, *HEADERS, ("Content-Security-Policy", ";".join([*policy, FRAMES]))]


def _safe_type(value: str) -> str:
    kind = value.partition(";")[0].strip().lower()
    safe = kind in SAFE_TYPES or kind in SAFE_IMAGES or kind.startswith(SAFE_KINDS)
    return kind if safe else "application/octet-stream"


def _knows(authorization: str, password: str) -> bool:
    scheme, _, given = authorization.partition(" ")
    try:
        decoded = base64.b64decode(given.strip(), validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        return False
    # An empty answer to a wrong scheme has no colon, and a password is never empty.
    return hmac.compare_digest(decoded.partition(b":")[2], password.encode("utf-8", "surrogateescape"))


def _same_origin(environ: WSGIEnvironment, host: str) -> bool:
    origin = environ.get("HTTP_ORIGIN") or environ.get("HTTP_REFERER") or ""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    # The scheme may differ from ours: a proxy that speaks TLS stands in front.
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def _refuse(path: str, refusal: Refusal, start_response: StartResponse) -> Iterable[bytes]:
    api = path.startswith("/api/")  # whose answers are JSON; the pages show the reason
    body = (json.dumps({"reason": refusal.reason}) if api else f"{refusal.reason}\n").encode()
    kind = "application/json" if api else "text/plain; charset=utf-8"
    headers = [("Content-Type", kind), ("Content-Length", str(len(body))), *refusal.headers]
    start_response(refusal.status, answered(path, headers))
    return [body]

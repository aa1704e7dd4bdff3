"""How is a storage URL read, and how is it shown?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlencode

from search.errors import InputError
from spaces.errors import nearest

_DRIVER = "postgresql+psycopg2"
_SCHEMES = ("postgresql", "postgres", _DRIVER)
_FORM = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"

# libpq's parameters, https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS. An unknown one is
# an error in libpq too; knowing them here tells a question mark in a password from the start of the parameters.
_PARAMETERS = """
    host hostaddr port dbname user password passfile require_auth channel_binding connect_timeout client_encoding
    options application_name fallback_application_name keepalives keepalives_idle keepalives_interval
    keepalives_count tcp_user_timeout gssencmode sslmode sslnegotiation sslcompression sslcert sslkey
    sslkeylogfile sslpassword sslcertmode sslrootcert sslcrl sslcrldir sslsni requirepeer ssl_min_protocol_version
    ssl_max_protocol_version min_protocol_version max_protocol_version krbsrvname gsslib gssdelegation
    scram_client_key scram_server_key service target_session_attrs load_balance_hosts
"""
_SECRETS = ("password", "sslpassword")
_TAIL = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[\w.~-]*)(?::(?P<port>\d*))?(?:/(?P<database>[^/?#@]*))?(?:\?(?P<query>[^#]*))?"
)


@dataclass(frozen=True)
class _Parts:
    user: str | None
    password: str | None
    host: str
    port: str
    database: str
    query: tuple[tuple[str, str], ...]

    def render(self, password: str | None) -> str:
        user = quote(self.user or "", safe="")
        secret = "" if password is None else f":{password}"
        at = "@" if user or secret or self.query else ""
        port = f":{self.port}" if self.port else ""
        query = urlencode(self.query, quote_via=quote, safe="/")
        return f"{_DRIVER}://{user}{secret}{at}{self.host}{port}/{quote(self.database, safe='')}" + (
            f"?{query}" if query else ""
        )


def normalise(url: str) -> str:
    """Return the URL in the one form that SQLAlchemy and Optuna both take, every special character percent-encoded.

    A password with unescaped characters is understood as long as there is only one way to read the URL. Raises
    InputError, whose text never has the password, for a URL that is not PostgreSQL's or that can't be read.
    """
    parts = _parts(url)
    return parts.render(None if parts.password is None else quote(parts.password, safe=""))


def hidden(url: str) -> str:
    """Return the URL for people: the password is `***`, whatever state the URL is in."""
    try:
        parts = _parts(url)
    except InputError:
        scheme, found, _ = url.partition("://")
        return f"{scheme}://***" if found and re.fullmatch(r"[A-Za-z][\w+.-]*", scheme) else "***"
    query = tuple((key, "***" if key in _SECRETS else value) for key, value in parts.query)
    shown = _Parts(parts.user, parts.password, parts.host, parts.port, parts.database, query)
    return shown.render(None if parts.password is None else "***").replace("%2A%2A%2A", "***")


def scrubbed(text: str, url: str) -> str:
    """Return `text` with every form of the URL's passwords replaced by `***`; of no URL, the text itself."""
    if not url:
        return text
    try:
        parts = _parts(url)
    except InputError:
        return text.replace(url, hidden(url))
    secrets = [parts.password, *(value for key, value in parts.query if key in _SECRETS)]
    for secret in sorted(filter(None, secrets), key=len, reverse=True):  # one may be a part of the other
        # A very short password is a part of common words; replacing it would only garble the text.
        text = re.sub(_any_form(secret), lambda found: "***" if len(found[0]) > 3 else found[0], text)
    return text


def _any_form(secret: str) -> str:
    """Return a pattern that takes each character plainly or percent-encoded, as people and programs write it."""
    forms = []
    for character in secret:
        encoded = "".join(f"%{byte:02x}" for byte in character.encode())
        plus = r"|\+" if character == " " else ""
        forms.append(f"(?:(?i:{encoded})|{re.escape(character)}{plus})")  # encoded first: it may begin with the plain
    return "".join(forms)


def session_options(url: str) -> str:
    """Return the session options that the URL sets (`?options=-c search_path=…`), or nothing."""
    return dict(_parts(url).query).get("options", "")


def _parts(url: str) -> _Parts:
    scheme, found, rest = url.strip().partition("://")
    if not found:
        raise InputError("The storage URL has no scheme.", f"Expected {_FORM}")
    if scheme.lower() not in _SCHEMES:
        raise InputError(f"The storage must be PostgreSQL; received {_shown(scheme)}.", _advice(scheme))
    if "\0" in unquote(rest):
        raise InputError("The storage URL holds a NUL character (%00).", f"Expected {_FORM}")
    # The password may hold an unescaped @, so each of them could be the one before the host: try them all.
    cuts = [match.start() for match in re.finditer("@", rest)] or [-1]
    readings = [(rest[: max(cut, 0)], tail) for cut in cuts if (tail := _tail(rest[cut + 1 :])) is not None]
    if len(readings) != 1:
        happened = "can be read in more than one way" if readings else "can't be read"
        raise InputError(
            f"The storage URL {happened}.",
            f"Expected {_FORM}, where @ : / ? # % and spaces in the user name or the password are percent-encoded "
            "(@ is %40), and parameters after a ? are libpq's.",
        )
    (credentials, tail), *_ = readings
    user, has_password, password = credentials.partition(":")
    return _Parts(
        unquote(user) or None,
        unquote(password) if has_password else None,
        tail["host"] or "",
        tail["port"] or "",
        unquote(tail["database"] or ""),
        tuple(parse_qsl(tail["query"] or "", keep_blank_values=True)),
    )


def _tail(text: str) -> re.Match[str] | None:
    match = _TAIL.fullmatch(text)
    if match is None:
        return None
    query = parse_qsl(match["query"] or "", keep_blank_values=True)
    return match if all(key in _PARAMETERS.split() for key, _ in query) and (query or not match["query"]) else None


def _shown(scheme: str) -> str:
    return f"{scheme}://" if re.fullmatch(r"[A-Za-z][\w+.-]*", scheme) else "something else"


def _advice(scheme: str) -> str:
    near = nearest(scheme, _SCHEMES)
    begin = f"Did you mean {near}://? " if near else ""
    return f"{begin}Expected {_FORM}; without a storage URL a private server is started."

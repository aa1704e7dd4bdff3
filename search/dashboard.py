"""optuna-dashboard over our storage: a cached one, so that a page costs what changed and not the whole study."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import secrets
import socket
import sys
import threading
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from search.errors import InputError
from search.gate import Rules, guarded
from search.settings import DashboardSettings
from search.shutdown import Shutdown

if TYPE_CHECKING:
    import optuna

log = logging.getLogger(__name__)

POLL = 0.1  # seconds between two looks at whether to stop


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64

    def server_bind(self) -> None:
        """Bind without asking DNS for our own name, as http.server does: that may take long, and nobody needs it."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about a browser that left or fell silent."""
        if not isinstance(sys.exception(), OSError):
            log.exception("a request could not be answered")


class _ServerV6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = 60  # seconds that a silent browser keeps its thread

    def log_message(self, format: str, *arguments: Any) -> None:
        """Keep requests out of the terminal."""


class _OneLine(logging.Filter):
    """optuna-dashboard logs a stack for every failed request; during an outage that is several a second."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the first line of a message."""
        record.msg, record.args = record.getMessage().partition("\n")[0], None
        return True


def application(storage: optuna.storages.BaseStorage, artifacts: Path) -> Any:
    """Return the dashboard as a WSGI application, unguarded. The folder of artifacts is made if need be."""
    from optuna.artifacts import FileSystemArtifactStore
    from optuna.artifacts.exceptions import ArtifactNotFound
    from optuna_dashboard import wsgi

    class Store(FileSystemArtifactStore):
        def remove(self, artifact_id: str) -> None:
            # Without this a study whose artifact's file is gone could not be deleted.
            with contextlib.suppress(ArtifactNotFound):
                super().remove(artifact_id)

    artifacts.mkdir(parents=True, exist_ok=True)
    if not log.isEnabledFor(logging.DEBUG):
        logging.getLogger("optuna_dashboard._bottle_util").addFilter(_OneLine())
    return wsgi(storage, artifact_store=Store(artifacts))


def listen(settings: DashboardSettings) -> WSGIServer:
    """Take the address. Raises InputError if it can't be had."""
    host, port = settings.host.value, settings.port.value
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        kind = _ServerV6 if family == socket.AF_INET6 else _Server
        return kind((str(address[0]), port), _Handler)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"can't listen on {host}:{port}: {reason}", "choose another --port, or --port 0") from error


def rules(settings: DashboardSettings, address: str) -> Rules:
    """Return whom a dashboard that listens on `address` answers; a password is made up if one is needed."""
    loopback = ipaddress.ip_address(address.partition("%")[0]).is_loopback
    names = {"localhost", settings.host.value, *settings.names.value}
    if not loopback:
        names.add(socket.gethostname())
    password = settings.password.value
    if password is None and not loopback:
        password = secrets.token_urlsafe(15)
    return Rules(loopback, frozenset(name.lower() for name in names if name), settings.allow_edit.value, password)


def told(settings: DashboardSettings, rules: Rules, address: str, port: int) -> list[str]:
    """Return what a person must know to open the dashboard; a password only if it was made up just now."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    host = socket.gethostname() if ip.is_unspecified else settings.host.value
    host = f"[{host}]" if ":" in host else host
    lines = [f"the dashboard is at http://{host}:{port}/ (Ctrl-C stops it)"]
    if rules.allow_edit:
        lines.append("whoever opens it may edit notes and delete studies (--allow-edit)")
    if rules.password is not None:
        source = settings.password.source
        made_up = settings.password.value is None
        lines.append(f"password: {rules.password} (any user name)" if made_up else f"password: the one of {source}")
    if not rules.loopback:
        lines.append("warning: others can reach it, and its HTTP is not encrypted; in an untrusted network")
        lines.append("leave --host away and use a tunnel: ssh -L 8080:localhost:8080 THIS-MACHINE")
    return lines


def serve(server: WSGIServer, app: Any, settings: DashboardSettings, shutdown: Shutdown) -> None:
    """Serve the application behind the rules of the settings until somebody asks to stop."""
    address, port = str(server.server_address[0]), int(server.server_port)
    allowed = rules(settings, address)
    server.set_app(guarded(app, allowed))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": POLL}, daemon=True)
    thread.start()
    print("\n".join(told(settings, allowed, address, port)), flush=True)  # noqa: T201
    while not shutdown.asked and thread.is_alive():
        thread.join(POLL)
    server.shutdown()

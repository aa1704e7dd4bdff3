"""optuna-dashboard over our storage: a cached one, so that a page costs what changed and not the whole study."""

from __future__ import annotations

import threading
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from search.errors import InputError
from search.shutdown import Shutdown

if TYPE_CHECKING:
    import optuna


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        """Keep requests out of the terminal."""


def application(storage: optuna.storages.BaseStorage, artifacts: Path) -> Any:
    """Return the dashboard as a WSGI application. The folder of artifacts is made if need be."""
    from optuna.artifacts import FileSystemArtifactStore
    from optuna_dashboard import wsgi

    artifacts.mkdir(parents=True, exist_ok=True)
    return wsgi(storage, artifact_store=FileSystemArtifactStore(artifacts))


def serve(storage: optuna.storages.BaseStorage, artifacts: Path, host: str, port: int) -> None:
    """Serve until a signal asks to stop. Raises InputError if the address can't be had."""
    app = application(storage, artifacts)
    try:
        server = make_server(host, port, app, server_class=_Server, handler_class=_Quiet)
    except (OSError, OverflowError) as error:
        raise InputError(f"can't listen on {host}:{port}: {error}", "choose another --port, or --port 0") from error
    print(f"the dashboard is at http://{host}:{server.server_port}/ (Ctrl-C stops it)", flush=True)  # noqa: T201
    with Shutdown().listening() as shutdown:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        while not shutdown.asked and thread.is_alive():
            thread.join(0.3)
        server.shutdown()
    server.server_close()

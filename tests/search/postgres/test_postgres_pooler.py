"""Poolers are refused at the door, whatever their mode: the locks that workers own trials by would belong to nobody."""

from __future__ import annotations

import contextlib
import re
import select
import shutil
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import PASSWORD, account, free_port, reachable_folder
from sqlalchemy import make_url

from search.errors import InputError
from search.postgres.connection import connect

INI = """
[databases]
results = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = {mode}
{more}
"""


@contextlib.contextmanager
def fake_pooler(port: int) -> Iterator[int]:
    """Stand before a server as PgBouncer does: with a process number of its own in BackendKeyData."""

    class Forward(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as server:
                while True:
                    ready, _, _ = select.select([self.request, server], [], [])
                    for side in ready:
                        data = side.recv(65536)
                        if not data:
                            return
                        if side is server:
                            key = rb"(K\x00\x00\x00\x0c)...."
                            data = re.sub(key, b"\\1\x00\x00\x00\x2a", data, flags=re.DOTALL)
                        (server if side is self.request else self.request).sendall(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Forward) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield proxy.server_address[1]
        proxy.shutdown()


@contextlib.contextmanager
def pgbouncer(folder: Path, server: int, mode: str, more: str) -> Iterator[int]:
    """Run the real one before a server."""
    if shutil.which("pgbouncer") is None:
        pytest.skip("PgBouncer is not installed: apt-get install pgbouncer")
    rights, port = account(folder), free_port()
    (folder / "users").write_text(f'"search" "{PASSWORD}"\n')
    (folder / "ini").write_text(INI.format(server=server, port=port, folder=folder, mode=mode, more=more))
    command = ["pgbouncer", str(folder / "ini")]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, **rights) as process:  # type: ignore[call-overload]
        try:
            while "process up" not in process.stderr.readline():
                assert process.poll() is None, "PgBouncer did not start"
            yield port
        finally:
            process.kill()


def refused(url: str, port: int) -> str:
    """Return what is said to whoever takes the pooler for the server."""
    with pytest.raises(InputError, match="pooler") as caught:
        connect(make_url(url).set(port=port).render_as_string(hide_password=False))
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_pooler_before_the_server_is_refused(debian: str, mode: str) -> None:
    server = make_url(debian).port
    assert server is not None
    with reachable_folder() as folder, pgbouncer(folder, server, mode, "ignore_startup_parameters = options") as port:
        assert "URL of PostgreSQL itself" in refused(debian, port)


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_pooler_that_refuses_us_first_is_called_by_its_name(debian: str, mode: str) -> None:
    server = make_url(debian).port
    assert server is not None
    more = "ignore_startup_parameters = options" if mode == "statement" else ""
    with reachable_folder() as folder, pgbouncer(folder, server, mode, more) as port:
        assert "URL of PostgreSQL itself" in refused(debian, port)


def test_anything_with_process_numbers_of_its_own_is_taken_for_a_pooler(debian: str) -> None:
    server = make_url(debian).port
    assert server is not None
    with fake_pooler(server) as port:
        refused(debian, port)

"""A TCP proxy before a server that can stop passing on, as a broken network does: nobody is told that it ended."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

Lost = Literal["nothing", "answers", "everything"]


class Link:
    """Passes on between clients and a server: a port of this machine, or a Unix socket.

    `hang` lets the connections that there are lose what is sent; a new connection is passed on, unless `down` is set.
    """

    def __init__(self, server: int | Path) -> None:
        self.server = server
        self.down = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lost: dict[socket.socket, Lost] = {}
        threading.Thread(target=self._accept, daemon=True).start()

    def hang(self, lost: Lost = "everything") -> int:
        """Lose from now on what the present connections send, or only what they are answered; return how many."""
        alive = [client for client, what in list(self._lost.items()) if what == "nothing"]
        for client in alive:
            self._lost[client] = lost
        return len(alive)

    def close(self) -> None:
        self._listener.close()
        for client in list(self._lost):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                self._lost[client] = "everything" if self.down else "nothing"
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            stack.callback(self._lost.pop, client)
            stack.enter_context(client)
            server = stack.enter_context(self._to_server())
            other = {client: server, server: client}
            while other:
                ready, _, _ = select.select(list(other), [], [])
                for side in ready:
                    data, lost = side.recv(65536), self._lost[client]
                    if not data and lost == "nothing":
                        return
                    if not data:  # the other end isn't told
                        del other[side]
                    elif lost == "nothing" or (lost == "answers" and side is client):
                        (server if side is client else client).sendall(data)

    def _to_server(self) -> socket.socket:
        if isinstance(self.server, int):
            return socket.create_connection(("127.0.0.1", self.server))
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self.server))
        return server


@contextlib.contextmanager
def linked(server: int | Path) -> Iterator[Link]:
    """Give a link to a server."""
    link = Link(server)
    try:
        yield link
    finally:
        link.close()

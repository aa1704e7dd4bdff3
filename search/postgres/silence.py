"""What if the server says nothing any more? Every wait for an answer has an end, which counts as an outage.

The network's own means (keepalives, tcp_user_timeout) notice a peer that is gone, not a proxy that still acknowledges
what it no longer passes on, nor a server that was stopped. So psycopg2 waits in this function, and not in libpq.
https://www.psycopg.org/docs/advanced.html#support-for-coroutine-libraries
"""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg2
from psycopg2 import extensions

LONGEST = 60.0  # seconds for a statement; we let the server wait for nothing for longer than that
CONNECTING = 5.0  # seconds until a connection is there; libpq's connect_timeout doesn't count here


def limit_waits() -> None:
    """Let every connection of this process wait like this; for good, since threads may share psycopg2."""
    extensions.set_wait_callback(wait)


def wait(connection: Any) -> None:
    """Wait until the connection is made, or its statement is done. Raises OperationalError when nothing comes."""
    patience = CONNECTING if connection.status == extensions.STATUS_SETUP and _one_host(connection.dsn) else LONGEST
    end = time.monotonic() + patience
    while (state := connection.poll()) != extensions.POLL_OK:
        watched = select.poll()  # unlike select(), it takes descriptors above 1023
        watched.register(connection.fileno(), select.POLLIN if state == extensions.POLL_READ else select.POLLOUT)
        if not watched.poll(max(0.0, end - time.monotonic()) * 1000) and time.monotonic() >= end:
            raise psycopg2.OperationalError(f"timeout expired: no answer within {patience:.0f} seconds")


def _one_host(dsn: str) -> bool:
    """Say whether there is no other host to try, once the network has given the first one up."""
    return "," not in extensions.parse_dsn(dsn).get("host", "")

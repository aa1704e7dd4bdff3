"""A process that uses the embedded server as it is told: `server_user.py STATE [ACCOUNT]`, one command a line.

Imports everything before it becomes ACCOUNT, which may not be able to read this Python.
"""

from __future__ import annotations

import json
import os
import pwd
import signal
import sys
import time
from pathlib import Path

import sqlalchemy

from search.errors import SearchError
from search.postgres import server


def become(name: str) -> None:
    entry = pwd.getpwnam(name)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def say(**answer: object) -> None:
    print(json.dumps(answer), flush=True)


def ask(url: str, statement: str) -> list[list[object]]:
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        result = connection.execute(sqlalchemy.text(statement))
        rows = [list(row) for row in result.all()] if result.returns_rows else []
    engine.dispose()
    return rows


def obey(held: server.Server, command: str, rest: str) -> object:
    if command == "release":
        return held.release()
    if command == "revive":
        return held.revive()
    if command == "sql":
        return ask(held.url, rest)
    if command == "fork":  # a child that leaves as a program does, with everything that happens at exit
        child = os.fork()
        if child == 0:
            sys.exit(0)
        return os.waitpid(child, 0)[1]
    if command == "fork_and_stay":
        ready, done = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(done, b".")
            signal.pause()
        os.read(ready, 1)
        return child
    if command == "exec":  # a program that outlives us
        return os.spawnvp(os.P_NOWAIT, "sleep", ["sleep", rest])
    raise ValueError(command)


def main() -> None:
    # Tests that run in the background of a shell inherit that an interrupt is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sqlalchemy.create_engine("postgresql+psycopg2://").dispose()
    if len(sys.argv) > 2:
        become(sys.argv[2])
    started = time.monotonic()
    try:
        held = server.ensure(Path(sys.argv[1]))
    except SearchError as error:
        say(error=type(error).__name__, text=str(error))
        return
    say(url=held.url, psql=held.psql, folder=str(held.folder), pid=os.getpid(), seconds=time.monotonic() - started)
    for line in sys.stdin:
        command, _, rest = line.strip().partition(" ")
        try:
            say(answer=obey(held, command, rest))
        except SearchError as error:
            say(error=type(error).__name__, text=str(error))


main()

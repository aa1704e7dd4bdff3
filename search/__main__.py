"""`python -m search`: hand the arguments and the environment to the command line."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Sequence

LEFT_RUNNING = 10.0  # seconds that threads get which still run when the command is done


def main() -> int:
    """Run the command of this process."""
    arguments = sys.argv[1:]
    _hide_password(arguments)
    from search import cli

    code = cli.main(arguments, os.environ)
    # Python looks for garbage once more as it ends, which takes half a second where there are compiled programs.
    gc.freeze()
    _end_threads(code)
    return code


def _end_threads(code: int) -> None:
    """End the process soon even if a trainer has left threads running, which Python would wait for without end."""
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):

        def end() -> None:
            time.sleep(LEFT_RUNNING)
            os._exit(code)

        threading.Thread(target=end, daemon=True).start()


def _hide_password(arguments: Sequence[str]) -> None:
    """Start anew with the URL in the environment if it stands on the command line: `ps` shows that to everybody."""
    for index, word in enumerate(arguments):
        flag, equals, value = word.partition("=")
        if flag == "--":
            return
        if flag != "--storage":
            continue
        rest = [*arguments[:index], *arguments[index + (1 if equals else 2) :]]
        url = value if equals else next(iter(arguments[index + 1 :]), "")
        if "@" in url or "password" in url:
            command = [sys.executable, "-m", "search", *rest]
            os.execve(sys.executable, command, {**os.environ, "SEARCH_STORAGE": url})


if __name__ == "__main__":
    sys.exit(main())

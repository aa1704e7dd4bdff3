"""The command line: one verb a module of `search.commands`, settings read once, errors told once."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from search import places
from search import settings as settings_reader
from search.errors import Interrupted, SearchError, StorageUnavailable
from search.postgres.url import scrubbed
from search.settings import LOG_LEVELS
from spaces.errors import SpaceError
from trainers import full_disk

VERBS = ("init", "check", "plan", "run", "worker", "status", "best", "dashboard", "psql", "schema", "stop")
WRONG_INPUT, BUG = 2, 3

DESCRIPTION = "Hyperparameter search for Keras: one file says what to search, one command searches it."
EPILOG = """exit codes:
  0 done · 1 the study was given up, or all its trials failed · 2 your input is wrong · 3 a bug of ours ·
  75 the storage is unavailable, try again · 130 interrupted

start here:
  python -m search init space.yaml     write a commented space file
  python -m search check space.yaml    read it, before anything is spent
  python -m search run space.yaml      search it; the same command continues
"""


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run one command and return its exit code."""
    if (unreadable := _unreadable(arguments, environment)) is not None:
        return _tell(unreadable, WRONG_INPUT)
    verb = next((word for word in arguments if word in VERBS), None)
    parsed = parser(verb).parse_args(arguments)
    url = getattr(parsed, "storage", None) or environment.get("SEARCH_STORAGE") or ""
    try:
        settings = settings_reader.read(parsed, environment)
        logging.basicConfig(level=settings.log_level.value.upper(), format="%(asctime)s %(levelname)s %(message)s")
        code = int(_command(parsed.verb).run(parsed, settings))
        _flush()  # while a full disk can still be told
        return code
    except SpaceError as error:
        return _tell(str(error), WRONG_INPUT)
    except SearchError as error:
        return _tell(scrubbed(str(error), url), error.exit_code)  # it may quote what the user's code has raised
    except KeyboardInterrupt:
        return _tell("interrupted", Interrupted.exit_code)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has left: `search status | head`
        return 0
    except Exception as error:
        state = os.path.expanduser(getattr(parsed, "state", None) or environment.get("SEARCH_STATE") or ".search")
        if _is_outage(error):
            return _tell(f"the storage is away ({type(error).__name__}); try again", StorageUnavailable.exit_code)
        if isinstance(error, OSError) and error.errno in full_disk.CODES:
            code = StorageUnavailable.exit_code if parsed.verb in ("run", "worker") else WRONG_INPUT
            return _tell(f"{error.filename or 'the output'} can't be written: {error.strerror}", code)
        if isinstance(error, OSError) and _is_below(error.filename, state):
            told = f"the state folder can't be used: {error.filename}: {error.strerror}\n  use another one: --state DIR"
            return _tell(told, WRONG_INPUT)
        return _tell(scrubbed(_bug(error, state, url), url), BUG)


def parser(verb: str | None = None) -> argparse.ArgumentParser:
    """Return the parser. Only the verb that is asked for is imported; without one, all are (for `--help`)."""
    top = _Parser(
        prog="python -m search",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verbs = top.add_subparsers(dest="verb", metavar="command", required=True)
    for name in VERBS if verb is None else (verb,):
        module = _command(name)
        help_text = (module.__doc__ or "").strip().splitlines()[0]
        command = verbs.add_parser(
            name,
            help=help_text,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,  # `--storag URL` would show the password to `ps`
        )
        module.add_arguments(command)
        command.add_argument("--log-level", choices=LOG_LEVELS, help="how much is logged (SEARCH_LOG_LEVEL; warning)")
    return top


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Tell what is wrong with the arguments, but not a password that stands in one of them."""
        super().error(re.sub(r"(://[^:/@\s]*:)\S*@", r"\1***@", message))


def _command(verb: str) -> ModuleType:
    return importlib.import_module(f"search.commands.{verb}")


def _tell(message: str, code: int) -> int:
    with contextlib.suppress(OSError):  # nobody can be told that; the exit code remains
        _flush()
    with contextlib.suppress(OSError):
        print(f"search: error: {message}", file=sys.stderr, flush=True)  # noqa: T201
    return code


def _flush() -> None:
    if sys.stdout is not None:  # closed by whoever started us: `>&-`
        sys.stdout.flush()


def _unreadable(arguments: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """Say what of all that we are given can't be printed, stored or opened, since it isn't text in UTF-8."""
    given = {f"argument {number}": text for number, text in enumerate(arguments, 1)}
    given |= {name: text for name, text in environment.items() if name.startswith("SEARCH_")}
    try:
        given["the current folder"] = os.getcwd()
    except OSError as error:
        return f"the current folder can't be used: {error.strerror}"
    for what, text in given.items():
        # Python keeps bytes that aren't UTF-8 as surrogates. Not shown: it may hold a password.
        if re.search(r"[\0\ud800-\udfff]", text):
            return f"{what}: expected text in UTF-8"
    return None


def _is_below(filename: object, state: str) -> bool:
    return isinstance(filename, str) and Path(os.path.abspath(filename)).is_relative_to(os.path.abspath(state))


def _is_outage(error: Exception) -> bool:
    from search.postgres.failures import is_outage  # SQLAlchemy: half a second that `check` needn't wait

    return is_outage(error)


def _bug(error: Exception, state: str, url: str) -> str:
    """Write the traceback of a bug to a file and return one line about it."""
    text = scrubbed("".join(traceback.format_exception(error)), url)
    path = Path(state) / "logs" / f"bug-{time.strftime('%Y%m%d-%H%M%S')}.log"
    try:
        places.make_private(Path(state))
        path.write_text(text)
    except OSError:
        return f"this is a bug of ours: {text}"
    return f"this is a bug of ours ({type(error).__name__}): {error}; the traceback is in {path}"

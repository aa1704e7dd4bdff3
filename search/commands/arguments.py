"""Arguments that several commands take, each said once."""

from __future__ import annotations

import argparse
from pathlib import Path


def space_file(parser: argparse.ArgumentParser) -> None:
    """Add the space file."""
    parser.add_argument("file", type=Path, metavar="space.yaml", help="the space file")


def storage(parser: argparse.ArgumentParser) -> None:
    """Add where results are kept."""
    group = parser.add_argument_group("where results are kept")
    group.add_argument(
        "--state",
        metavar="DIR",
        help="folder of the embedded server, checkpoints, models and logs (SEARCH_STATE; .search in this folder)",
    )
    group.add_argument(
        "--storage",
        metavar="URL",
        help="a PostgreSQL of your own, postgresql://user:password@host/database (SEARCH_STORAGE; the embedded one)",
    )


def devices(parser: argparse.ArgumentParser) -> None:
    """Add who trains on what."""
    group = parser.add_argument_group("who trains")
    group.add_argument(
        "--devices", metavar="LIST", help="GPUs to use: numbers, UUIDs, all or none (SEARCH_DEVICES; all)"
    )
    group.add_argument("--per-gpu", metavar="N", help="workers on each GPU (SEARCH_PER_GPU; 1)")
    group.add_argument(
        "--workers", metavar="N", help="number of workers (SEARCH_WORKERS; one per GPU, or per core without a GPU)"
    )


def json_output(parser: argparse.ArgumentParser) -> None:
    """Add output for scripts."""
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")


def study(parser: argparse.ArgumentParser) -> None:
    """Add the study's name, which may be left out if there is one study alone."""
    parser.add_argument(
        "study", nargs="?", help="the study's name, or its space file (default: the only one, or the newest)"
    )

"""Which advisory locks are there? The first of their two numbers is the kind, the second says of what."""

from __future__ import annotations

from enum import IntEnum


class Kind(IntEnum):
    """The kinds of session advisory locks; the second number is a study's or a trial's id."""

    PRESENCE = 40  # of a study, shared: a worker is alive in it
    ASKING = 41  # of a study: somebody counts and asks for a trial
    TRIAL = 42  # of a trial: its owner trains it
    SCHEMA = 43  # 0: somebody makes the tables
    OPENED = 44  # of a study, shared: a `run` has opened it, and lets workers join

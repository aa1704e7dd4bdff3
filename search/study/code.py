"""Is the user's own code the one that the study's values were made with, and what is said if it isn't?"""

from __future__ import annotations

from collections.abc import Mapping

import optuna

CODE = "search:code"  # study attribute: the SHA-256 of each file of the user's own code, by its path

Code = Mapping[str, str]

State = optuna.trial.TrialState


def changes(study: optuna.Study, code: Code | None) -> list[str]:
    """Return the files that differ from those the study was made with, each with what happened to it."""
    known: Code | None = study.user_attrs.get(CODE)
    if known is None or code is None:
        return []
    told = {path: "is new" for path in code if path not in known}
    told |= {path: "is gone" if path not in code else "has changed" for path in known if code.get(path) != known[path]}
    return [f"{path} {what}" for path, what in sorted(told.items())]


def has_values(study: optuna.Study) -> bool:
    """Say whether any trial of the study has come to a value: with failures alone, nothing could be compared."""
    ended = (State.COMPLETE, State.PRUNED)
    return any(t.state in ended or t.intermediate_values for t in study.get_trials(deepcopy=False))


def refusal(study: str, changed: list[str]) -> str:
    """Say that new values could not be compared with the old ones, and the ways out."""
    return "\n".join(
        [
            f"study {study!r}: your own code has changed since the study began, so new values may not be comparable:",
            *(f"    {line}" for line in changed),
            "  if the results are the same (a comment, a log line, a fix for what had failed): run with --accept-code",
            "  otherwise give `study:` another name, or run with --branch to start a new study",
        ]
    )


def elsewhere(study: str, changed: list[str]) -> str:
    """Say that a worker's own files aren't the study's."""
    return "\n".join(
        [
            f"study {study!r}: your own code here is not what the study is searched with:",
            *(f"    {line}" for line in changed),
            "  copy the files that it began with, or have `run --accept-code` take these",
        ]
    )

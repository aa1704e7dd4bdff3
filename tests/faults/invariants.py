"""What must hold after every fault, asked of the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from toys import rows, soon

OF_STUDIES = "JOIN trials USING (trial_id) JOIN studies USING (study_id) WHERE study_name = ANY(%s)"


def exact(url: str, studies: Sequence[str], count: int, trained: int) -> None:
    """Each study is whole: `count` complete trials of `trained` epochs, numbered from 0; nobody owns anything.

    All of them drew the same parameters, as studies of one seed must, whoever died in them.
    """
    every = [(number, epoch) for number in range(count) for epoch in range(1, trained + 1)]
    states = "SELECT study_name, number, state::text FROM trials JOIN studies USING (study_id)"
    states += " WHERE study_name = ANY(%s) ORDER BY number"
    _all_are(url, studies, states, [(number, "COMPLETE") for number in range(count)])
    epochs = f"SELECT study_name, number, epoch FROM search_epochs {OF_STUDIES} AND metric = 'loss' ORDER BY 2, 3"
    _all_are(url, studies, epochs, every)
    judged = f"SELECT study_name, number, step FROM trial_intermediate_values {OF_STUDIES} ORDER BY 2, 3"
    _all_are(url, studies, judged, every)
    values = f"SELECT study_name, number, count(*) FROM trial_values {OF_STUDIES} GROUP BY 1, 2 ORDER BY 2"
    _all_are(url, studies, values, [(number, 1) for number in range(count)])
    drawn = f"SELECT study_name, number, param_name, param_value FROM trial_params {OF_STUDIES} ORDER BY 2, 3"
    _all_are(url, studies, drawn, _by_study(url, studies[:1], drawn)[studies[0]])
    soon(lambda: nobody_owns(url, studies), patience=5)


def nobody_owns(url: str, studies: Sequence[str]) -> bool:
    """Say that no lock is left of the studies or their trials."""
    locks = """SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND (
               classid IN (40, 41) AND objid IN (SELECT study_id FROM studies WHERE study_name = ANY(%s))
               OR classid = 42 AND objid IN
                   (SELECT trial_id FROM trials JOIN studies USING (study_id) WHERE study_name = ANY(%s)))"""
    return rows(url, locks, list(studies), list(studies)) == []


def _all_are(url: str, studies: Sequence[str], query: str, expected: Sequence[tuple[Any, ...]]) -> None:
    found = _by_study(url, studies, query)
    wrong = {study: found[study] for study in studies if found[study] != list(expected)}
    assert wrong == {}, f"{len(wrong)} of {len(studies)} studies hold something else than {list(expected)}: {wrong}"


def _by_study(url: str, studies: Sequence[str], query: str) -> dict[str, list[tuple[Any, ...]]]:
    found = defaultdict(list)
    for study, *row in rows(url, query, list(studies)):
        found[study].append(tuple(row))
    return found

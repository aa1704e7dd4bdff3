"""Hypothesis strategies for the searched part of a space file, as plain data in the form of the file."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from spaces.tree import KINDS

WORDS = st.text("abcdefghijkXYZ_é-0123", min_size=1, max_size=6) | st.sampled_from(
    ["on", "no", "1e-5", "a b", "~", "'", "null", "#"]
)
KEYS = WORDS.filter(lambda key: key not in KINDS and key == key.strip())
TEXTS = WORDS | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
NUMBERS = st.integers(-(2**60), 2**60) | st.floats(allow_nan=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
RAW = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)


@st.composite
def floats(draw: st.DrawFn) -> dict[str, Any]:
    log = draw(st.booleans())
    ends = st.floats(1e-12 if log else -1e12, 1e12, allow_nan=False)
    low, high = sorted(draw(st.lists(ends, min_size=2, max_size=2, unique=True)))
    form: dict[str, Any] = {"float": [low, high]} | ({"log": True} if log else {})
    return form | ({"prior": draw(st.floats(low, high))} if draw(st.booleans()) else {})


@st.composite
def stepped(draw: st.DrawFn) -> dict[str, Any]:
    low, step, steps = draw(st.integers(-100, 100)), draw(st.integers(1, 50)), draw(st.integers(1, 50))
    tenths = draw(st.booleans())
    low, high, prior = (low, low + step * steps, low + step * draw(st.integers(0, steps)))
    form: dict[str, Any] = {"int": [low, high], "step": step, "prior": prior}
    return {"float": [low / 10, high / 10], "step": step / 10, "prior": prior / 10} if tenths else form


@st.composite
def ints(draw: st.DrawFn) -> dict[str, Any]:
    log = draw(st.booleans())
    ends = st.integers(1 if log else -(2**53), 2**53)
    low, high = sorted(draw(st.lists(ends, min_size=2, max_size=2, unique=True)))
    form: dict[str, Any] = {"int": [low, high]} | ({"log": True} if log else {})
    return form | ({"prior": draw(st.integers(low, high))} if draw(st.booleans()) else {})


@st.composite
def choices(draw: st.DrawFn) -> dict[str, Any]:
    options = draw(st.lists(SCALARS, min_size=2, max_size=4, unique=True))
    if draw(st.booleans()):
        options.append(draw(st.lists(st.integers(0, 9), min_size=1, max_size=3)))
    return {"choice": options} | ({"prior": draw(st.sampled_from(options))} if draw(st.booleans()) else {})


def branches(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    bodies = inner | st.none() | st.just({})
    return st.dictionaries(KEYS, bodies, min_size=2, max_size=3).flatmap(
        lambda words: st.sampled_from([{"choice": words}, *({"choice": words, "prior": word} for word in words)])
    )


def optionals(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    something = inner.filter(lambda body: body not in (None, {}, {"const": None}))
    return st.builds(
        lambda body, more: {"optional": body} | more,
        something,
        st.sampled_from([{}, {"prior": True}, {"prior": False}]),
    )


@st.composite
def repeats(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> dict[str, Any]:
    low = draw(st.integers(0, 2))
    high = draw(st.integers(max(1, low), 3))
    each = draw(inner.filter(lambda body: body is not None))
    form = {"repeat": [low, high], "each": each}
    return form | ({"prior": draw(st.integers(low, high))} if draw(st.booleans()) else {})


PARAMETERS = floats() | ints() | stepped() | choices()
NODES = st.recursive(
    PARAMETERS | SCALARS | RAW.map(lambda value: {"const": value}),
    lambda inner: st.dictionaries(KEYS, inner, max_size=3) | branches(inner) | optionals(inner) | repeats(inner),
    max_leaves=8,
)
SPACES = st.builds(lambda items, last: items | {"last": last}, st.dictionaries(KEYS, NODES, max_size=4), PARAMETERS)

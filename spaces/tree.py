"""What does the searched part of a file say? Its values become the nodes of a space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from spaces.document import Entries, Entry, Items, Leaf, Tree, plain
from spaces.errors import Place, Problems, did_you_mean, nearest
from spaces.parameters import Branches, Choice, Fixed, Map, Node, Optional, Repeat, Scalar, below, size
from spaces.ranges import flag, read_float, read_int, whole
from spaces.scalars import written

KINDS: Mapping[str, tuple[str, ...]] = {
    "float": ("log", "step", "prior"),
    "int": ("log", "step", "prior"),
    "choice": ("prior",),
    "optional": ("prior",),
    "repeat": ("each", "prior"),
    "const": (),
}
"""The words that make a map a parameter, and the options that may stand beside each."""

MOST_NAMES = 10_000
LONGEST_NAME = 512
"""Of a parameter, in characters: what Optuna's tables hold (optuna/storages/_rdb/models.py)."""


def read_node(tree: Tree, name: str, problems: Problems) -> Node:
    """Return the node that stands at `name` (a dotted path, for messages), with a stand-in where it is wrong."""
    if isinstance(tree, Leaf):
        return Fixed(_value(tree, problems), tree.place)
    if isinstance(tree, Items):
        return _bare_list(tree, name, problems)
    kinds = [key for key in tree.entries if key in KINDS]
    if not kinds:
        return read_map(tree, name, problems)
    for second in kinds[1:]:
        message = f"{name}: '{second}' can't stand beside '{kinds[0]}'"
        problems.add(tree.entries[second].place, message, expected="one of " + ", ".join(KINDS))
    kind, entry = kinds[0], tree.entries[kinds[0]]
    options = {key: entry for key, entry in tree.entries.items() if key not in KINDS}
    _check_options(kind, options, problems)
    at = f"{name}.{kind}"
    match kind:
        case "float":
            return read_float(entry.value, options, tree.place, at, problems)
        case "int":
            return read_int(entry.value, options, tree.place, at, problems)
        case "choice":
            return _choice(entry.value, options, tree.place, name, problems)
        case "optional":
            return _optional(entry.value, options, tree.place, name, problems)
        case "repeat":
            return _repeat(entry, options, tree.place, name, problems)
        case _:
            _check_const(entry.value, problems)
            return Fixed(plain(entry.value), entry.value.place)


def read_map(tree: Entries, name: str, problems: Problems) -> Map:
    """Return a map that nests; its keys become parts of the parameters' names."""
    items = {}
    for key, entry in tree.entries.items():
        check_key(key, entry.place, problems)
        items[key] = read_node(entry.value, below(name, key), problems)
    return Map(items, tree.place, {key: entry.place for key, entry in tree.entries.items()})


def fits_path(key: str) -> bool:
    """Tell whether a key can be part of a dotted path that people read."""
    return key.isprintable() and key == key.strip() != "" and not set(".:") & set(key)


def check_key(key: str, place: Place, problems: Problems) -> None:
    """Tell about a key that can't be part of a dotted path."""
    if fits_path(key):
        return
    if not key.strip():
        problems.add(place, "a key is empty", expected="a name")
    elif "." in key:
        problems.add(place, f"'{key}' has a dot", hint="nest it: names of parameters are dotted paths")
    elif ":" in key:
        problems.add(place, f"'{key}' has a colon", hint="put a space after the colon of 'key: value'")
    else:
        problems.add(place, f"{written(key)} has spaces around it or characters that can't be seen")


def _value(leaf: Leaf, problems: Problems) -> Scalar:
    """Return a plain value; NaN is none, and would not equal itself."""
    if isinstance(leaf.value, float) and (
        math.isnan(leaf.value) or (leaf.value == math.inf and leaf.text[-1:].isdigit())
    ):
        problems.add(leaf.place, f"{leaf.text} is not a usable number")
        return 0.0
    return leaf.value


def _bare_list(tree: Items, name: str, problems: Problems) -> Fixed:
    """Refuse a list that stands for itself: it could mean a search or a value."""
    value = written(plain(tree))
    word = name.rpartition(".")[2]
    kind = None if word in KINDS else nearest(word, KINDS)
    message = f"{name}: a list could be a search or a value"
    hint = f"write {{choice: {value}}} to search it or {{const: {value}}} to fix it"
    problems.add(tree.place, f"{message}; did you mean '{kind}'?" if kind else message, hint=hint)
    return Fixed(None, tree.place)


def _check_options(kind: str, options: Mapping[str, Entry], problems: Problems) -> None:
    """Tell about keys beside `kind` that it doesn't have."""
    known = KINDS[kind]
    for key, entry in options.items():
        if key not in known:
            expected = f"one of {', '.join(known)}" if known else f"nothing beside {kind}"
            problems.add(
                entry.place, f"'{key}' is not an option of {kind}{did_you_mean(key, known)}", expected=expected
            )


def _check_const(tree: Tree, problems: Problems) -> None:
    """Tell about values below `const` that are none."""
    if isinstance(tree, Leaf):
        _value(tree, problems)
    for below_it in tree.items if isinstance(tree, Items) else ():
        _check_const(below_it, problems)
    for entry in tree.entries.values() if isinstance(tree, Entries) else ():
        _check_const(entry.value, problems)


def _choice(tree: Tree, options: Mapping[str, Entry], place: Place, name: str, problems: Problems) -> Node:
    """Read `choice:`, a list of values or a map of branches."""
    at = f"{name}.choice"
    if isinstance(tree, Leaf):
        expected = "a list of values or a map of branches"
        problems.add(tree.place, f"{at}: nothing to choose from", tree.text or "nothing", expected)
        return Fixed(None, place)
    few = len(tree.items) if isinstance(tree, Items) else len(tree.entries)
    if few < 2:
        message = f"{at}: one option is no choice" if few else f"{at}: nothing to choose from"
        hint = f"write {written(_only(tree))} to fix it" if few else "write at least two options"
        problems.add(tree.place, message, hint=hint)
    if isinstance(tree, Items):
        return _values(tree, options.get("prior"), place, at, problems)
    return _branches(tree, options.get("prior"), place, name, problems)


def _only(tree: Items | Entries) -> Any:
    """Return the only option as it would be fixed: a list needs `const`."""
    value = plain(tree)
    only = value[0] if isinstance(value, list) else value
    return {"const": only} if isinstance(only, list) else only


def _values(tree: Items, prior: Entry | None, place: Place, at: str, problems: Problems) -> Choice:
    """Read the options of a choice between values."""
    options: list[Scalar] = []
    values: list[Any] = []
    places: list[Place] = []
    for item in tree.items:
        if isinstance(item, Entries):
            hint = "write a map of branches: {choice: {first: {…}, second: {…}}}"
            problems.add(item.place, f"{at}: an option in a list can't be a map", hint=hint)
            continue
        if isinstance(item, Items) and not all(isinstance(inner, Leaf) for inner in item.items):
            problems.add(item.place, f"{at}: an option can be a value or a list of values, no deeper")
            continue
        _check_const(item, problems)
        value = plain(item)
        option: Scalar = written(value) if isinstance(value, list) else value
        same = [known for known, taken in zip(options, values, strict=True) if known == option or taken == value]
        if same:
            message = f"{at}: {written(option)} is the same as {written(same[0])}"
            problems.add(item.place, message, expected="options that differ (1, 1.0 and true are equal)")
            continue
        options.append(option)
        values.append(value)
        places.append(item.place)
    chosen = None if prior is None else _prior_option(prior, options, at, problems)
    return Choice(tuple(options), tuple(values), place, tuple(places), chosen, prior is not None)


def _prior_option(prior: Entry, options: list[Scalar], at: str, problems: Problems) -> Scalar:
    """Return the option that `prior` names."""
    value = plain(prior.value)
    wanted = written(value) if isinstance(value, list | dict) else value
    # The type counts: true must not pass for 1.
    for option in options:
        if option == wanted and isinstance(option, bool) == isinstance(wanted, bool):
            return option
    _no_such_option(prior, wanted, options, at, problems)
    return None


def _no_such_option(prior: Entry, wanted: Scalar, options: list[Scalar], at: str, problems: Problems) -> None:
    """Tell that a prior is none of the options."""
    near = did_you_mean(str(wanted), [option for option in options if isinstance(option, str)])
    expected = "one of " + ", ".join(map(written, options))
    problems.add(prior.value.place, f"{at}: the prior {written(wanted)} is not an option{near}", expected=expected)


def _branches(tree: Entries, prior: Entry | None, place: Place, name: str, problems: Problems) -> Branches:
    """Read the branches of a choice: under each word stands any node, an empty one is an empty map."""
    branches: dict[str, Node] = {}
    for word, entry in tree.entries.items():
        check_key(word, entry.place, problems)
        if word in KINDS:
            hint = "give it another name, or write the options as a list"
            problems.add(entry.place, f"{name}.choice: a branch can't be called '{word}'", hint=hint)
        elif isinstance(entry.value, Leaf) and entry.value.value is None:
            branches[word] = Map({}, entry.value.place, {})
        else:
            branches[word] = read_node(entry.value, below(name, word), problems)
    chosen: str | None = None
    if prior is not None:
        if isinstance(prior.value, Leaf) and prior.value.value in branches:
            chosen = str(prior.value.value)
        else:
            wanted = written(plain(prior.value)) if not isinstance(prior.value, Leaf) else prior.value.value
            _no_such_option(prior, wanted, list(branches), f"{name}.choice", problems)
    return Branches(branches, place, {word: entry.place for word, entry in tree.entries.items()}, chosen)


def _optional(tree: Tree, options: Mapping[str, Entry], place: Place, name: str, problems: Problems) -> Optional:
    """Read `optional:`, whatever may be switched off."""
    found = len(problems)
    body = read_node(tree, name, problems)
    if len(problems) == found and body in (Fixed(None, place), Map({}, place, {})):
        hint = "write what it switches on"
        problems.add(tree.place, f"{name}.optional: nothing stands under it", hint=hint)
    prior = flag(options["prior"].value, f"{name}.optional.prior", problems) if "prior" in options else None
    return Optional(body, place, prior)


def _repeat(entry: Entry, options: Mapping[str, Entry], place: Place, name: str, problems: Problems) -> Node:
    """Read `repeat: [low, high]` with `each:`."""
    at = f"{name}.repeat"
    bounds = entry.value.items if isinstance(entry.value, Items) else ()
    numbers = [whole(item, at, problems) for item in bounds] if len(bounds) == 2 else []
    low, high = (numbers[0] or 0, numbers[1] or 0) if len(numbers) == 2 else (0, 0)
    if not numbers:
        received = written(plain(entry.value))
        problems.add(entry.value.place, f"{at}: how often is missing", received, "[low, high] with 0 <= low <= high")
    elif None not in numbers and not 0 <= low <= high:
        message = f"{at}: low is above high" if low > high else f"{at}: low is below 0"
        way_out = f"write [{high}, {low}]" if low > high >= 0 else None
        problems.add(entry.value.place, message, f"[{low}, {high}]", "[low, high] with 0 <= low <= high", way_out)
    elif numbers == [0, 0]:
        problems.add(entry.value.place, f"{at}: high is 0", hint=f"leave {name} out")
    each = options.get("each")
    if each is None or (isinstance(each.value, Leaf) and each.value.value is None):
        problems.add(
            entry.place if each is None else each.place,
            f"{at}: 'each' is missing",
            hint="write what is repeated: each: {…}",
        )
        return Fixed(None, place)
    body = read_node(each.value, f"{name}.each", problems)
    if high * max(1, size(body)) > MOST_NAMES:
        hint = f"repeat at most {MOST_NAMES // max(1, size(body))} times"
        problems.add(entry.value.place, f"{at}: more than {MOST_NAMES} parameters come of this", hint=hint)
        high = low = 0
    prior = whole(options["prior"].value, f"{at}.prior", problems) if "prior" in options else None
    if prior is not None and high and not low <= prior <= high:
        problems.add(options["prior"].value.place, f"{at}: the prior {prior} is outside of [{low}, {high}]")
    return Repeat(low, high, body, place, prior)

"""How do tables of words look as a page for people?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from spaces.kinds import Anything, Either, Flag, Kind, Listed, Many, OneWord, Option, Options, Real, Text, Whole, Word
from spaces.scalars import written
from spaces.schema import DESCRIPTIONS
from spaces.sources import SOURCES, VALIDATION
from spaces.vocabulary import expected


@dataclass(frozen=True)
class Section:
    """A part of the page: a title, a few sentences, and a table of words or of options.

    kind: what an option accepts that this section describes, so that it is linked and not described again.
    """

    title: str
    doc: str
    rows: Sequence[Word | Option] = ()
    kind: Kind | None = None


@dataclass(frozen=True)
class _Row:
    word: str
    accepts: str
    default: str
    meaning: str


_TIME = Either((Real(0, low_open=True), Text()), "2h, 90m, 1h30m, or seconds")
_CONSTRAINTS = "{METRIC: {min: NUMBER}}, {METRIC: {max: NUMBER}} or both ends, of as many metrics as you like"
_OBJECTIVE = "{maximize: METRIC} or {minimize: METRIC}, or a list of them"

FILE: tuple[Option, ...] = (
    Option("study", Text(), None, "The name of the study; the file's name if left out."),
    Option("trainer", Text(), None, "A built-in trainer, or your own loop: file.py:train or module:train."),
    Option("model", Text(), None, "In place of trainer: your own model, built by file.py:build or module:build."),
    Option("data", Anything(), None, "Where the data comes from: one source with its options, see below."),
    Option("objective", Either((), _OBJECTIVE), None, "What is better.", required=True),
    Option("constraints", Either((), _CONSTRAINTS), None, "What a trial must keep to be the best, see below."),
    Option("budget.trials", Whole(1), None, "How many configurations are tried.", required=True),
    Option("budget.epochs", Whole(1), 10, "How long a trial trains that isn't ended early."),
    Option("budget.time", _TIME, None, "Wall-clock time of the whole study."),
    Option("budget.trial_time", _TIME, None, "Wall-clock time of one trial."),
    Option("algorithm.sampler", Text(), None, "Who chooses the next configuration, see below."),
    Option("algorithm.pruner", Text(), None, "Who ends poor trials early, see below."),
    Option("algorithm.seed", Whole(0, 2**31 - 1), None, "The same seed, the same study."),
    Option("space", Anything(), None, "What is searched, and what is fixed.", required=True),
)
"""What stands at the top of a space file."""

BESIDE: dict[str, tuple[Option, ...]] = {
    "float": (
        Option("log", Flag(), False, "Search the orders of magnitude evenly; low must be above 0."),
        Option("step", Real(0, low_open=True), None, "Only every step from low on."),
        Option("prior", Real(), None, "Where a person would start: the first trial takes it."),
    ),
    "int": (
        Option("log", Flag(), False, "Search the orders of magnitude evenly; low must be above 0."),
        Option("step", Whole(1), 1, "Only every step from low on."),
        Option("prior", Whole(), None, "Where a person would start: the first trial takes it."),
    ),
    "choice": (Option("prior", Text(), None, "The option that the first trial takes."),),
    "optional": (Option("prior", Flag(), None, "Whether the first trial uses it."),),
    "repeat": (
        Option("each", Anything(), None, "What is repeated; each item is drawn anew.", required=True),
        Option("prior", Whole(0), None, "How many items the first trial has."),
    ),
    "const": (),
}


CONSTRAINED = """\
`constraints: {parameters: {max: 100000}, val_recall: {min: 0.9}}`. Both ends are kept when met exactly. Any metric
that a trial reports and anything that is measured at its end may be named; it is added to what is reported. A trial
that breaks one is kept and shown as `infeasible`, with what it breaks: it is never the best, never on the Pareto
front, its model is not saved, and a sampler that learns is told by how much it missed, in shares of the end (Optuna's
own constraints; `random` and `qmc` learn of no trial, `cmaes` knows no constraints and is refused). `parameters`,
`flops` and `model_bytes` are known before a model is trained: a trial that breaks one of them ends there, untrained,
and counts as one of `trials`. With the samplers `gp` and `nsga2`, which learn of nothing but complete trials, it is
trained all the same. Pruners compare what was trained, whether it keeps the constraints or not."""


def file_sections() -> list[Section]:
    """Return the parts of the page that tell how a file is written, whoever trains."""
    forms = [Word(word, Options(beside), doc=DESCRIPTIONS[word]) for word, beside in BESIDE.items()]
    sources = [
        Word(source.name, Options((*source.options, VALIDATION)), doc=f"{source.doc.rstrip('.')}.")
        for source in SOURCES
    ]
    searched = "A map with one of these keys is a parameter; any other map nests, a plain value is fixed."
    return [
        Section("The file", "A dot stands for nesting: `budget.trials` is `trials` below `budget`.", FILE),
        Section("What is searched", searched, forms),
        Section("Constraints", CONSTRAINED),
        Section("Data", "`data:` has exactly one of these keys, and its options beside it.", sources),
    ]


def page(title: str, opening: str, sections: Sequence[Section]) -> str:
    """Return the page in Markdown."""
    parts = [f"# {title}", opening, _contents(sections)]
    for section in sections:
        parts += [f"## {section.title}", section.doc]
        if section.rows:
            parts.append(_table([row for one in section.rows for row in _rows(one, "", section, sections)]))
    return "\n\n".join(part for part in parts if part) + "\n"


def _contents(sections: Sequence[Section]) -> str:
    return " · ".join(_link(section) for section in sections)


def _link(section: Section) -> str:
    anchor = "".join(letter for letter in section.title.lower() if letter.isalnum() or letter in " -_")
    return f"[{section.title}](#{anchor.replace(' ', '-')})"


def _table(rows: Sequence[_Row]) -> str:
    head = "| word | takes | default | meaning |\n| --- | --- | --- | --- |"
    lines = [f"| `{row.word}` | {_cell(row.accepts)} | {_cell(row.default)} | {_cell(row.meaning)} |" for row in rows]
    return "\n".join([head, *lines])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _rows(one: Word | Option, prefix: str, section: Section, sections: Sequence[Section]) -> Iterator[_Row]:
    """Give the row of a word or an option, and below it those of its own options."""
    name = prefix + one.name
    keras = f" `{one.target}`" if isinstance(one, Word) and one.target else ""
    below = _below(one.kind)
    told = _elsewhere(one, below, section, sections)
    accepts = told or ("its options" if below else _accepts(one.kind))
    default = "required" if isinstance(one, Option) and one.required else _default(one)
    yield _Row(name, accepts, default, f"{one.doc}{keras}".strip())
    for inner in () if told else below:
        yield from _rows(inner, f"{name}.", section, sections)


def _elsewhere(
    one: Word | Option, below: Sequence[Word | Option], here: Section, sections: Sequence[Section]
) -> str | None:
    """Say where the options of a word are described, unless they are described right below it."""
    same = next((row.name for row in here.rows if below and row.kind == one.kind), one.name)
    if same != one.name:
        return f"the options of `{same}`"
    for other in sections:
        if other is not here and other.kind is not None and other.kind in (one.kind, _item(one.kind)):
            return f"see {_link(other)}"
        if other is not here and below and all(isinstance(word, Word) and word in other.rows for word in below):
            return f"see {_link(other)}: {', '.join(word.name for word in below)}"
    return None


def _item(kind: Kind) -> Kind:
    return kind.item if isinstance(kind, Many | Listed) else kind


def _below(kind: Kind) -> Sequence[Word | Option]:
    """Return what an option's own rows are made of, if it has any."""
    match kind:
        case Options():
            return kind.options
        case OneWord():
            return kind.words if any(_below(word.kind) for word in kind.words) else ()
        case Either():
            return next((_below(inner) for inner in kind.kinds if _below(inner)), ())
        case Many():
            return _below(kind.item)
    return ()


def _accepts(kind: Kind) -> str:
    match kind:
        case Options(options=()) if not kind.open:
            return ""
        case Options(options=()):
            return "a map"
        case Listed():
            return f"{{const: [...]}} of {_accepts(kind.item)}"
    return expected(kind)


def _default(one: Word | Option) -> str:
    if isinstance(one, Word) or one.default is None:
        return ""
    return f"`{written(_plain(one.default))}`"


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value

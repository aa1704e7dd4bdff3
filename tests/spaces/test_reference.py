"""The page of all words is current, and every word of every table stands on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.commands.schema import reference
from spaces.kinds import Flag, Many, OneWord, Option, Options, Real, Word
from spaces.reference import Section, page

SHIPPED = Path(__file__).parents[2] / "spaces" / "REFERENCE.md"


def test_the_page_is_current() -> None:
    assert SHIPPED.read_text(encoding="utf-8") == reference(), (
        "write it anew: python -m search schema --reference > spaces/REFERENCE.md"
    )


WORDS = (
    "budget.trials float.log csv.label tpe.n_startup_trials digits optimizer muon.ns_steps one_cycle.rising "
    "huber.delta top_5_accuracy latency_ms early_stopping.patience conv.filters"
)


@pytest.mark.parametrize("word", WORDS.split())
def test_a_word_of_each_table_has_a_row(word: str) -> None:
    assert f"\n| `{word}` |" in reference()


def test_every_link_inside_the_page_has_its_title() -> None:
    text = reference()
    titles = {line[3:].lower().replace(" ", "-") for line in text.splitlines() if line.startswith("## ")}
    assert {part.split(")")[0] for part in text.split("](#")[1:]} == titles


INNER = OneWord((Word("a", Options((Option("share", Real(0, 1), 0.5, "A share."),)), "keras.A", "First."), Word("b")))


def test_a_row_tells_range_default_sentence_and_class() -> None:
    text = page("Words", "All.", [Section("Table", "Some words.", INNER.words)])
    assert "| `a` | its options |  | First. `keras.A` |" in text
    assert "| `a.share` | a number at least 0 and at most 1 | `0.5` | A share. |" in text


def test_what_another_section_describes_is_linked() -> None:
    rows = [Option("one", INNER, "a", "One."), Option("many", Many(INNER), (), "Many."), Option("is", Flag(), True)]
    text = page("Words", "", [Section("Top", "", rows), Section("Inner words", "", INNER.words, INNER)])
    assert "| `one` | see [Inner words](#inner-words) | `a` | One. |" in text
    assert "| `many` | see [Inner words](#inner-words) | `[]` | Many. |" in text
    assert "| `is` | true or false | `true` |  |" in text


def test_the_same_options_are_said_once() -> None:
    options = Options((Option("rate", Real(), 1.0, "A rate."),))
    text = page("Words", "", [Section("Nets", "", [Word("small", options), Word("large", options)])])
    assert "| `large` | the options of `small` |" in text
    assert "`large.rate`" not in text

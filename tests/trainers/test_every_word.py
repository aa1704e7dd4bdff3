"""Each word of every table has a case of its own that trains with it or checks its numbers on real data.

The cases stand with their subject, in the files that this one names; here is seen that none is missing: a new row
without a case fails, and so does a new table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import test_augmentation
import test_backbones
import test_callback_words
import test_goal_words
import test_layer_words
import test_optimizer_words
import test_preprocessing
import test_schedule_words

from spaces.kinds import Option, Options, Word
from spaces.reference import Section
from trainers.words.layers import LayerKind
from trainers.words.reference import sections

# The tests that have a case for each row of a table, by the table's title on the reference page.
CASES: dict[str, tuple[Callable[..., None], ...]] = {
    "Optimizers": (test_optimizer_words.test_an_optimizer_is_of_its_class_has_its_options_and_lowers_the_loss,),
    "Schedules": (
        test_schedule_words.test_a_schedule_follows_its_formula_at_every_step,
        test_schedule_words.test_a_trial_trains_with_the_rates_of_its_schedule,
    ),
    "Losses": (test_goal_words.test_a_loss_is_that_of_keras_and_trains,),
    "Metrics of classification": (
        test_goal_words.test_a_metric_of_many_classes_is_that_of_scikit_learn,
        test_goal_words.test_a_trial_reports_every_metric_of_its_task_as_scikit_learn_has_it,
    ),
    "Metrics of multi label": (
        test_goal_words.test_a_metric_of_several_labels_is_the_mean_over_them,
        test_goal_words.test_a_trial_reports_every_metric_of_its_task_as_scikit_learn_has_it,
    ),
    "Metrics of regression": (
        test_goal_words.test_a_metric_of_numbers_is_that_of_scikit_learn,
        test_goal_words.test_a_trial_reports_every_metric_of_its_task_as_scikit_learn_has_it,
    ),
    "Measured at the end": (test_goal_words.test_a_measure_is_that_of_the_model,),
    "Callbacks": (test_callback_words.test_a_callback_has_its_effect_on_a_trial,),
    "Augmentation of images": (
        test_augmentation.test_an_augmentation_changes_images_within_their_range,
        test_augmentation.test_an_augmentation_is_in_training_alone,
    ),
    "Augmentation of tables": (
        test_augmentation.test_an_augmentation_changes_rows_by_the_scale_of_their_features,
        test_augmentation.test_an_augmentation_is_in_training_alone,
    ),
    "Preprocessing of images": (test_preprocessing.test_a_word_prepares_what_a_model_trains_on,),
    "Preprocessing of tables": (test_preprocessing.test_a_word_prepares_what_a_model_trains_on,),
    "Preprocessing of sequences": (test_preprocessing.test_a_word_prepares_what_a_model_trains_on,),
    "Blocks": (test_layer_words.test_a_kind_is_its_keras_layer_and_trains_on_data_of_each_rank_it_takes,),
    "Backbones": (test_backbones.test_every_network_is_built_and_the_first_of_its_family_loads_again,),
    "Activations": (test_layer_words.test_an_activation_is_that_of_keras_and_trains,),
    "Initializers": (test_layer_words.test_an_initializer_has_its_variance_takes_its_options_and_trains,),
    "Regularizers": (test_layer_words.test_a_regularizer_adds_its_formula_to_the_loss_and_pulls_weights,),
}

# Not words of training: sets of data (test_data.py) and options, each of which test_every_option.py gets wrong.
OTHERS = {"Sets that are built in", "Sets of Keras", "Training"}


def words_of(section: Section) -> set[str]:
    """The rows of a table; of preprocessing, whose rows are steps, each word of a step: `scale.min_max`."""
    if section.title == "Activations":
        return set(section.kind.values)  # type: ignore[union-attr]
    if not section.title.startswith("Preprocessing"):
        return {row.name for row in section.rows}
    return {f"{section.title.rsplit(' ', 1)[1]}: {name}" for row in section.rows for name in steps(row)}


def steps(row: Word | Option) -> Iterator[str]:
    words = getattr(row.kind, "words", ())
    yield from (f"{row.name}.{word.name}" for word in words) if words else (row.name,)


def covered(test: Callable[..., None]) -> set[str]:
    """Every name among the cases of a test."""
    marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    return {name for mark in marks for case in mark.args[1] for name in names(case)}


def names(case: Any) -> Iterator[str]:
    match case:
        case str():
            yield case
        case Word():
            yield case.name
        case LayerKind():
            yield case.word.name
        case tuple():
            yield from (name for one in case for name in names(one))


TABLES = [section for section in sections() if section.title not in OTHERS and not section.title.startswith("Trainer ")]


@pytest.mark.parametrize("section", TABLES, ids=lambda section: section.title)
def test_every_word_of_a_table_has_its_case(section: Section) -> None:
    assert section.title in CASES, "a new table: name the tests of its words here"
    for test in CASES[section.title]:
        assert words_of(section) - covered(test) == set(), f"no case in {test.__name__}"


def test_no_table_is_listed_that_is_gone() -> None:
    assert list(CASES) == [section.title for section in TABLES]


def test_a_row_without_a_case_is_found() -> None:
    fake = Section("Schedules", "", [Word("sawtooth", Options())])
    assert words_of(fake) - covered(CASES["Schedules"][0]) == {"sawtooth"}

"""What may stand under `data:`: one row for each kind of source, and its options.

The reader of the file, the JSON Schema and the reference page all come from this table.
"""

from __future__ import annotations

from dataclasses import dataclass

from spaces.kinds import Either, Flag, Kind, Listed, OneOf, Option, Real, Text, Whole

TASKS = ("classification", "regression", "multi_label")

VALIDATION = Option(
    "validation", Real(0, 1, low_open=True, high_open=True), 0.2, "The share of the data that validates."
)


@dataclass(frozen=True)
class Source:
    """A kind of source: the key that names it, what stands there, and the options beside it."""

    name: str
    doc: str
    options: tuple[Option, ...] = ()


_TASK = Option("task", OneOf(TASKS), None, "What the labels are; told from them if left out.")
_COLUMNS = Listed(Text())
_LENGTH = Option("length", Whole(1, 1_000_000), None, "Steps of a sequence, or words of a text; the longest's.")
_PADDING = Option("padding", OneOf(("post", "pre")), "post", "Where short sequences are filled and long ones cut.")
_TABLE = (
    Option(
        "label",
        Either((Text(), Listed(Text(), 1))),
        None,
        "The column that is predicted; for multi_label a list of columns.",
        required=True,
    ),
    Option("text", Text(), None, "The one column of texts that is read; all others but the label are left out."),
    Option("categorical", _COLUMNS, (), "Columns of categories; those of texts are anyway."),
    Option("ignore", _COLUMNS, (), "Columns that are left out."),
    Option("weights", Text(), None, "A column of weights: how much each row counts in training."),
)

_WHILE = Option("stream", Flag(), False, "Read the data while it is trained on: it needn't fit in memory.")
_AHEAD = (
    Option("shuffle", Whole(1), None, "From how many examples at a time the order is drawn: 10000, of pictures all."),
    Option(
        "cache",
        Either((Flag(), Text())),
        False,
        "Read once: true keeps all in each worker's memory, a folder in files for all workers.",
    ),
    Option("prefetch", Whole(1), 2, "Batches that are made ahead."),
)
_STREAM = (_WHILE, *_AHEAD)

SOURCES: tuple[Source, ...] = (
    Source(
        "source",
        "A set that is built in (digits, breast_cancer, …), or a function: file.py:load",
        (_TASK, _LENGTH, _PADDING),
    ),
    Source(
        "npz",
        "A NumPy archive",
        (
            Option("x", Text(), "x", "Its array of examples."),
            Option("y", Text(), "y", "Its array of labels."),
            Option("weights", Text(), None, "Its array of weights: how much each example counts in training."),
            _TASK,
        ),
    ),
    Source(
        "csv",
        "A table with a header, or the names of several with *",
        (
            *_TABLE,
            Option("separator", Text(), ",", "What stands between two values."),
            _TASK,
            _LENGTH,
            *_STREAM,
        ),
    ),
    Source("parquet", "A table in Parquet, or the names of several with *", (*_TABLE, _TASK, _LENGTH, *_STREAM)),
    Source(
        "images",
        "A folder with one folder of images for each class",
        (
            Option("size", Listed(Whole(1, 10_000), 2, 2), (32, 32), "[height, width] in pixels."),
            Option("channels", OneOf((1, 3)), 3, "1: grey, 3: colour."),
            Option("crop", Flag(), False, "Keep the aspect ratio and cut the rest."),
            *_STREAM,
        ),
    ),
    Source("texts", "A folder with one folder of text files for each class", (_LENGTH,)),
    Source("dataset", "A function that gives tf.data sets of examples (x, y): file.py:function", (_TASK, *_AHEAD)),
    Source(
        "tfrecord",
        "TFRecord files of tf.train.Example, or the names of several with *",
        (
            Option("x", Text(), None, "The feature with the examples: numbers, or encoded pictures."),
            Option("y", Text(), None, "The feature with the labels."),
            Option("weights", Text(), None, "The feature with the weights: how much each example counts in training."),
            Option("shape", Listed(Whole(1), 1), None, "The shape of an example of numbers."),
            Option("size", Listed(Whole(1, 10_000), 2, 2), (32, 32), "[height, width] of pictures in pixels."),
            Option("channels", OneOf((1, 3)), 3, "1: grey, 3: colour."),
            _TASK,
            *_AHEAD,
        ),
    ),
    Source("keras", "A set of keras.datasets, such as cifar10", (_TASK,)),
)


def options(kind: str) -> dict[str, Kind]:
    """Return what each option of this kind of source accepts."""
    return {option.name: option.kind for source in SOURCES if source.name == kind for option in source.options}

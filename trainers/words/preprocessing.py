"""How raw values are prepared for the network: the words below `space: preprocessing:`.

Whatever is fitted is fitted on the training part alone, and all of it is part of the saved model, which takes raw
values. Steps are taken in the order of the table. https://keras.io/api/layers/preprocessing_layers/
"""

from __future__ import annotations

from spaces.parameters import Map
from spaces.spec import StudySpec
from spaces.vocabulary import Either, Flag, Listed, OneWord, Option, Options, Real, Text, Whole, Word

_RESCALE = Word(
    "rescale",
    Options(
        (
            Option("factor", Real(), None, "What values are multiplied by; images: 1 / the largest value."),
            Option("offset", Real(), 0.0, "What is added then."),
        )
    ),
    "keras.layers.Rescaling",
    "Multiply and add.",
)
_SCALES = (
    Word("standardize", Options(), "keras.layers.Normalization", "To mean 0 and deviation 1, each feature or channel."),
    Word("min_max", Options(), "keras.layers.Normalization", "To 0 … 1, each feature or channel."),
    _RESCALE,
    Word("none", Options(), "", "Leave the values as they are."),
)

_CLIP = Option(
    "clip",
    OneWord(
        (
            Word(
                "values",
                Options((Option("low", Real(), None, "The least."), Option("high", Real(), None, "The most."))),
                "keras.ops.clip",
                "To fixed values.",
            ),
            Word(
                "quantiles",
                Options(
                    (
                        Option("low", Real(0, 1), 0.01, "The share of values below the least."),
                        Option("high", Real(0, 1), 0.99, "The share of values below the most."),
                    )
                ),
                "keras.ops.clip",
                "To quantiles of each feature.",
            ),
        )
    ),
    None,
    "Bring values that lie outside to the nearest end.",
)
_LOG = Option(
    "log",
    Either((Flag(), Listed(Text(), 1)), "true, false or {const: [columns]}"),
    False,
    "sign(x) * log(1 + |x|): all features, or the columns named.",
)

MISSING = OneWord(
    (
        Word("mean", Options(), "keras.ops.where", "The column's mean."),
        Word("median", Options(), "keras.ops.where", "The column's median."),
        Word("most_frequent", Options(), "keras.ops.where", "The column's most frequent value, of categories too."),
        Word(
            "constant",
            Options((Option("value", Real(), 0.0, "The value."),)),
            "keras.ops.where",
            "The same value everywhere.",
        ),
    )
)

CATEGORIES = OneWord(
    (
        Word("one_hot", Options(), "keras.ops.one_hot", "A feature for each category; all 0 for an unknown one."),
        Word(
            "embedding",
            Options((Option("size", Whole(1), None, "Features per column; half its categories, at most 50."),)),
            "keras.layers.Embedding",
            "Trained features for each category, and for an unknown one.",
        ),
    )
)

TABLE_PREPROCESSING = Options(
    (
        Option("missing", MISSING, None, "What missing numbers become; a missing category is one of its own."),
        Option(
            "missing_indicator", Flag(), False, "One feature more for each column of numbers that misses some: 1 there."
        ),
        _CLIP,
        _LOG,
        Option("scale", OneWord(_SCALES), "standardize", "The range of the numbers."),
        Option(
            "discretize",
            Options((Option("bins", Whole(2, 256), 10, "Bins per column, which hold about as many examples each."),)),
            None,
            "In place of `scale`: for each number a feature per bin, 1 where it is in (keras.layers.Discretization).",
        ),
        Option("categories", CATEGORIES, "one_hot", "What categories become."),
    )
)

_SIDE = Whole(1, 10_000)
_SIZE = Either((_SIDE, Listed(_SIDE, 2, 2)), "pixels, or {const: [height, width]}")

IMAGE_PREPROCESSING = Options(
    (
        Option("resize", _SIZE, None, "Height and width to which images are brought (keras.layers.Resizing)."),
        Option("crop", _SIZE, None, "Height and width that are cut from the middle (keras.layers.CenterCrop)."),
        Option("scale", OneWord(_SCALES), "rescale", "The range of the values."),
    )
)

SEQUENCE_PREPROCESSING = Options(
    (
        Option("length", Whole(1), None, "Steps that are kept: the first, or with `padding: pre` the last."),
        _CLIP,
        _LOG,
        Option("scale", OneWord(_SCALES), "standardize", "The range of the values; steps of zeros stay zeros."),
    )
)


def _merged(*tables: Options) -> Options:
    return Options(tuple({option.name: option for table in tables for option in table.options}.values()))


EVERY_PREPROCESSING = _merged(IMAGE_PREPROCESSING, SEQUENCE_PREPROCESSING, TABLE_PREPROCESSING)
"""The words for whatever data, where the trainer doesn't tell: a model of the user's own."""


def preprocessing(table: Options) -> Option:
    """Return the key `preprocessing` with one of the tables above."""
    return Option("preprocessing", table, None, "How raw values are prepared; part of the saved model.")


def fills_missing(spec: StudySpec) -> bool:
    """Return whether the file says what missing values become, so that the data may have some."""
    words = spec.space.items.get("preprocessing")
    return isinstance(words, Map) and "missing" in words.items

"""Which trainers are built in, and every word that each understands."""

from __future__ import annotations

from spaces.spec import TrainerSpec
from spaces.vocabulary import Either, Many, OneOf, OneWord, Option, Options, Whole
from trainers.words.augmentation import TABLE_AUGMENT
from trainers.words.backbones import BACKBONE
from trainers.words.layers import EMBEDDING, LAYERS, blocks
from trainers.words.preprocessing import (
    EVERY_PREPROCESSING,
    IMAGE_PREPROCESSING,
    SEQUENCE_PREPROCESSING,
    TABLE_PREPROCESSING,
    preprocessing,
)
from trainers.words.training import TRAINING

_HEADS = ("average", "max", "flatten")
_DENSE = Option("dense", Many(blocks("dense", 0)), (), "Blocks between that vector and the output.")
_POSITIONS = Option(
    "positions", OneOf(("none", "learned")), "none", "Add a vector for each step's place, as attention needs."
)
IMAGE = Options(
    (
        *TRAINING,
        preprocessing(IMAGE_PREPROCESSING),
        Option("backbone", BACKBONE, None, "A network of keras.applications ahead of `layers`."),
        Option("layers", Many(blocks("conv", 0, 2, 3)), None, "Blocks from the input on: two of conv if left out."),
        Option("head", OneOf(_HEADS), "flatten", "From feature maps to one vector."),
        _DENSE,
    )
)

TABULAR = Options(
    (
        *(option for option in TRAINING if option.name != "augment"),
        preprocessing(TABLE_PREPROCESSING),
        Option("augment", TABLE_AUGMENT, None, "Random changes of the rows that are trained on."),
        Option("layers", Many(blocks("dense", 0)), ({"units": 64}, {"units": 64}), "Blocks, from the input on."),
    )
)

SEQUENCE = Options(
    (
        *(option for option in TRAINING if option.name != "augment"),
        preprocessing(SEQUENCE_PREPROCESSING),
        Option(
            "embedding",
            Options(
                (
                    Option("values", Whole(2), None, "How many different values, from 0.", required=True),
                    *EMBEDDING.options,
                )
            ),
            None,
            "The sequences are of whole numbers that stand for something: a vector for each.",
        ),
        _POSITIONS,
        Option("layers", Many(blocks("gru", 0, 1)), ({"units": 64},), "Blocks, from the input on."),
        Option("head", OneOf(_HEADS), "average", "From what is left of the sequence to one vector."),
        _DENSE,
    )
)

TEXT = Options(
    (
        *(option for option in TRAINING if option.name != "augment"),
        Option("vocabulary", Whole(1), 10000, "The most frequent words that are told apart; others count as unknown."),
        Option("length", Whole(1), 200, "Words that are read of each text."),
        Option("embedding", EMBEDDING, {}, "A vector for each word."),
        _POSITIONS,
        Option("layers", Many(blocks("conv", 0, 1)), (), "Blocks over the words; without, only their average is seen."),
        Option("head", OneOf(_HEADS), "average", "From what is left of the words to one vector."),
        Option("dense", Many(blocks("dense", 0)), ({"units": 64},), "Blocks between that vector and the output."),
    )
)

BUILTIN: dict[str, Options] = {"image": IMAGE, "tabular": TABULAR, "sequence": SEQUENCE, "text": TEXT}
"""One row for each trainer, `trainers/NAME.py`."""

FORMS: dict[str, tuple[str, ...]] = {
    "image": ("image",),
    "tabular": ("table",),
    "sequence": ("sequence", "table"),
    "text": ("text",),
}
"""The forms of data that each trainer takes; its own comes first."""


def _every() -> Options:
    """Return the words of all trainers; blocks may be of any kind, or options of any trainer's default kind."""
    named = {option.name: option for trainer in BUILTIN.values() for option in trainer.options}
    defaults = [word.kind for word in LAYERS if word.name in ("conv", "dense", "gru")]
    named["layers"] = Option(
        "layers", Many(Either((OneWord(LAYERS), *defaults), "blocks of layers")), None, "Blocks, from the input on."
    )
    named["preprocessing"] = preprocessing(EVERY_PREPROCESSING)
    named["augment"] = next(option for option in IMAGE.options if option.name == "augment")
    return Options(tuple(named.values()), open=True)


EVERY_WORD = _every()
"""All words of all trainers, for an editor that doesn't know which trainer it is; others are let through."""


def vocabulary(trainer: TrainerSpec) -> Options | None:
    """Return what may stand under `space` for this trainer; None: all words are the user's own.

    For a user's `build` the words of training and preprocessing are ours, every other word is left to the user.
    Raises KeyError for a built-in trainer that doesn't exist.
    """
    if trainer.kind == "loop":
        return None
    if trainer.kind == "model":
        return Options((*TRAINING, preprocessing(EVERY_PREPROCESSING)), open=True)
    return BUILTIN[trainer.name]

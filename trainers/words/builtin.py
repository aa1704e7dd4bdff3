"""Which trainers are built in, and every word that each understands."""

from __future__ import annotations

from spaces.spec import TrainerSpec
from spaces.vocabulary import Either, Many, OneOf, Option, Options
from trainers.words.layers import CONV, DENSE
from trainers.words.training import TRAINING

IMAGE = Options(
    (
        *TRAINING,
        Option("layers", Many(CONV), ({"filters": 32}, {"filters": 64}), "Convolution blocks, from the input on."),
        Option("head", OneOf(("flatten", "average", "max")), "flatten", "From feature maps to one vector."),
        Option("dense", Many(DENSE), (), "Dense blocks between the feature maps and the output."),
    )
)

TABULAR = Options(
    (
        *(option for option in TRAINING if option.name != "augment"),
        Option("layers", Many(DENSE), ({"units": 64}, {"units": 64}), "Dense blocks, from the input on."),
    )
)

BUILTIN: dict[str, Options] = {"image": IMAGE, "tabular": TABULAR}

EVERY_WORD = Options(
    (
        *(option for option in IMAGE.options if option.name not in ("layers", "dense")),
        Option(
            "layers",
            Either((Many(CONV), Many(DENSE)), "blocks of layers"),
            None,
            "Blocks, from the input on.",
        ),
        *(option for option in IMAGE.options if option.name == "dense"),
    ),
    open=True,
)
"""All words of all trainers, for an editor that doesn't know which trainer it is; others are let through."""


def vocabulary(trainer: TrainerSpec) -> Options | None:
    """Return what may stand under `space` for this trainer; None: all words are the user's own.

    For a user's `build` the words of training are ours and every other word is left to the user.
    Raises KeyError for a built-in trainer that doesn't exist.
    """
    if trainer.kind == "loop":
        return None
    if trainer.kind == "model":
        return Options(TRAINING, open=True)
    return BUILTIN[trainer.name]

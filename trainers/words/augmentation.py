"""How training examples may be changed at random; validation examples and the saved model's input never are.

https://keras.io/api/layers/preprocessing_layers/image_augmentation/. One more augmentation is one more row here, and
one more line in `trainers.training.augmentation` if its Keras layer takes its strength in another way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spaces.vocabulary import OneOf, Option, Options, Real, Whole, Word

_SHARE = Real(0, 1)
_LESS_THAN_ALL = Real(0, 1, high_open=True)


def _share(name: str, doc: str, default: float = 0.0) -> Option:
    return Option(name, _SHARE, default, doc)


_MIXUP = Word(
    "mixup", _SHARE, "keras.layers.MixUp", "Blend examples and their labels in pairs; this is alpha, how evenly."
)

AUGMENTATIONS: tuple[Word, ...] = (
    Word("flip", OneOf(("horizontal", "vertical", "both")), "keras.layers.RandomFlip", "Mirror half of the images."),
    Word("rotation", _SHARE, "keras.layers.RandomRotation", "Turn by up to this share of a full turn, either way."),
    Word("zoom", _LESS_THAN_ALL, "keras.layers.RandomZoom", "Zoom in or out by up to this share."),
    Word(
        "translation",
        _SHARE,
        "keras.layers.RandomTranslation",
        "Shift by up to this share of height and of width, either way.",
    ),
    Word("shear", _SHARE, "keras.layers.RandomShear", "Slant both axes by up to this share, either way."),
    Word(
        "crop",
        _LESS_THAN_ALL,
        "keras.layers.RandomCrop",
        "Cut this share off height and width, at a place drawn for each batch, and stretch the rest to the old size.",
    ),
    Word("contrast", _SHARE, "keras.layers.RandomContrast", "Change the contrast by up to this share."),
    Word("brightness", _SHARE, "keras.layers.RandomBrightness", "Add up to this share of the full range."),
    Word("saturation", _SHARE, "keras.layers.RandomSaturation", "Make colours paler or stronger; 1 reaches grey."),
    Word("hue", _SHARE, "keras.layers.RandomHue", "Turn the colour wheel by up to half of this share, either way."),
    Word("grayscale", _SHARE, "keras.layers.RandomGrayscale", "Take the colour from this share of the images."),
    Word(
        "color_jitter",
        Options(
            (
                _share("brightness", "As `brightness`."),
                _share("contrast", "As `contrast`."),
                _share("saturation", "As `saturation`."),
                _share("hue", "As `hue`."),
            )
        ),
        "keras.layers.RandomColorJitter",
        "All four in one.",
    ),
    Word(
        "rand_augment",
        Options(
            (
                Option("operations", Whole(1, 10), 2, "How many changes, one after the other."),
                _share("strength", "How strong each may be.", 0.5),
            )
        ),
        "keras.layers.RandAugment",
        "Changes drawn for each batch out of eleven. https://arxiv.org/abs/1909.13719.",
    ),
    Word(
        "gaussian_noise",
        _SHARE,
        "keras.layers.GaussianNoise",
        "Noise with this standard deviation, as a share of the full range.",
    ),
    Word(
        "random_erasing",
        Options(
            (
                _share("share", "Share of the images.", 0.5),
                Option("smallest", Real(0, 1, low_open=True), 0.02, "Smallest area, as a share of the image."),
                Option("largest", Real(0, 1, low_open=True), 0.33, "Largest area, as a share of the image."),
            )
        ),
        "keras.layers.RandomErasing",
        "A rectangle of noise somewhere. https://arxiv.org/abs/1708.04896.",
    ),
    _MIXUP,
    Word(
        "cutmix",
        _SHARE,
        "keras.layers.CutMix",
        "Put a rectangle of another image into each and mix the labels alike; this is alpha, how large.",
    ),
)

TABLE_AUGMENTATIONS: tuple[Word, ...] = (
    Word(
        "gaussian_noise",
        Real(0),
        "keras.layers.GaussianNoise",
        "Noise with this standard deviation, in standard deviations of each feature.",
    ),
    _MIXUP,
)


def _options(words: tuple[Word, ...]) -> Options:
    return Options(tuple(Option(word.name, word.kind, None, word.doc) for word in words))


AUGMENT = _options(AUGMENTATIONS)
TABLE_AUGMENT = _options(TABLE_AUGMENTATIONS)

MIXING = ("mixup", "cutmix")
"""These mix labels too, so that the loss must take the shares of several classes."""


def mixes_labels(augment: Mapping[str, Any] | None) -> bool:
    """Tell whether labels will be mixed: class numbers must be put as shares of the classes first."""
    return any((augment or {}).get(name) for name in MIXING)

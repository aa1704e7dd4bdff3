"""How training images may be changed at random; validation images and the saved model's input never are.

https://keras.io/api/layers/preprocessing_layers/image_augmentation/. One more augmentation is one more row here, and
one more line in `trainers.training.augmentation` if its Keras layer takes its strength in another way.
"""

from __future__ import annotations

from spaces.vocabulary import OneOf, Option, Options, Real, Word

AUGMENTATIONS: tuple[Word, ...] = (
    Word(
        "flip",
        OneOf(("horizontal", "vertical", "both")),
        "keras.layers.RandomFlip",
        "Mirror half of the images.",
    ),
    Word("rotation", Real(0, 1), "keras.layers.RandomRotation", "Turn by up to this share of a full turn, either way."),
    Word("zoom", Real(0, 1, high_open=True), "keras.layers.RandomZoom", "Zoom in or out by up to this share."),
    Word(
        "translation",
        Real(0, 1),
        "keras.layers.RandomTranslation",
        "Shift by up to this share of height and of width, either way.",
    ),
    Word("contrast", Real(0, 1), "keras.layers.RandomContrast", "Change the contrast by up to this share."),
    Word("brightness", Real(0, 1), "keras.layers.RandomBrightness", "Add up to this share of the full range."),
)

AUGMENT = Options(tuple(Option(word.name, word.kind, None, word.doc) for word in AUGMENTATIONS))

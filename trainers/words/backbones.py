"""Which networks of `keras.applications` an image model may stand on, and how they are used.

https://keras.io/api/applications/. One more network is one more row.
"""

from __future__ import annotations

from spaces.vocabulary import OneOf, OneWord, Option, Options, Real, Text, Whole, Word

_OPTIONS = Options(
    (
        Option(
            "weights",
            Text(),
            "imagenet",
            "imagenet (Keras downloads them once), none (start at random), or a local file that ends in .h5.",
        ),
        Option(
            "trainable_from",
            Whole(0),
            None,
            "Number of the first layer that is trained on; if left out, none of given weights, all of random ones.",
        ),
        Option(
            "pool",
            OneOf(("average", "max")),
            "average",
            "From the last feature maps to a vector; not if `layers` have convolutions or others that take the maps.",
        ),
        Option("dropout", Real(0, 1, high_open=True), 0.0, "Share of it, or of the maps, dropped in training."),
    )
)


def _network(name: str, target: str, doc: str) -> Word:
    return Word(name, _OPTIONS, f"keras.applications.{target}", doc)


BACKBONES: tuple[Word, ...] = (
    _network("mobilenet", "MobileNet", "4 million parameters."),
    _network("mobilenet_v2", "MobileNetV2", "4 million parameters."),
    _network("mobilenet_v3_small", "MobileNetV3Small", "3 million parameters."),
    _network("mobilenet_v3_large", "MobileNetV3Large", "5 million parameters."),
    _network("efficientnet_b0", "EfficientNetB0", "5 million parameters."),
    _network("efficientnet_b1", "EfficientNetB1", "8 million parameters."),
    _network("efficientnet_b2", "EfficientNetB2", "9 million parameters."),
    _network("efficientnet_b3", "EfficientNetB3", "12 million parameters."),
    _network("efficientnet_v2_b0", "EfficientNetV2B0", "7 million parameters."),
    _network("efficientnet_v2_b1", "EfficientNetV2B1", "8 million parameters."),
    _network("efficientnet_v2_s", "EfficientNetV2S", "22 million parameters."),
    _network("resnet50", "ResNet50", "26 million parameters."),
    _network("resnet101", "ResNet101", "45 million parameters."),
    _network("resnet50_v2", "ResNet50V2", "26 million parameters."),
    _network("resnet101_v2", "ResNet101V2", "45 million parameters."),
    _network("convnext_tiny", "ConvNeXtTiny", "29 million parameters."),
    _network("convnext_small", "ConvNeXtSmall", "50 million parameters."),
    _network("densenet121", "DenseNet121", "8 million parameters."),
    _network("inception_v3", "InceptionV3", "24 million parameters; images of 75 pixels or more."),
    _network("xception", "Xception", "23 million parameters; images of 71 pixels or more."),
    _network("vgg16", "VGG16", "15 million parameters without its dense layers."),
)

BACKBONE = OneWord(BACKBONES)

"""Which data sets can be named, and what is known of them without loading them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trainers.words.metrics import Task


@dataclass(frozen=True)
class Known:
    """What a named data set is: its name, its task and the shape of its examples."""

    name: str
    task: Task
    form: Literal["image", "table", "sequence", "text"]
    doc: str


SETS: tuple[Known, ...] = (
    Known("digits", "classification", "image", "1,797 handwritten digits of 8 x 8 pixels (scikit-learn)."),
    Known("breast_cancer", "classification", "table", "569 tumours, 30 features, 2 classes (scikit-learn)."),
    Known("wine", "classification", "table", "178 wines, 13 features, 3 classes (scikit-learn)."),
    Known("iris", "classification", "table", "150 flowers, 4 features, 3 classes (scikit-learn)."),
    Known("diabetes", "regression", "table", "442 patients, 10 features (scikit-learn)."),
    Known("digit_rows", "classification", "sequence", "The digits, read from top to bottom: 8 steps of 8 features."),
    Known("scipy_docs", "classification", "text", "1,900 docstrings of SciPy; the label is the part they stand in."),
)

KERAS_SETS: tuple[Known, ...] = (
    Known("mnist", "classification", "image", "60,000 handwritten digits of 28 x 28 pixels."),
    Known("fashion_mnist", "classification", "image", "60,000 pieces of clothing of 28 x 28 pixels."),
    Known("cifar10", "classification", "image", "50,000 colour photos of 32 x 32 pixels, 10 classes."),
    Known("cifar100", "classification", "image", "50,000 colour photos of 32 x 32 pixels, 100 classes."),
    Known("california_housing", "regression", "table", "House prices, 8 features."),
    Known("boston_housing", "regression", "table", "506 house prices, 13 features."),
)

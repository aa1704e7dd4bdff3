"""A saved model of images, sequences or texts takes raw values where Keras alone is known, and scores as recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from saved_models import HELD, ROWS, Case, Y, check_saved_models

RANDOM = np.random.default_rng(3)
PIXELS = RANDOM.integers(0, 256, (ROWS + HELD, 9, 8, 1)).astype(np.uint8)
SEQUENCES = [RANDOM.normal(2, 1, (RANDOM.integers(1, 8), 2)) for _ in range(ROWS + HELD)]
TEXTS = np.array(
    [" ".join(RANDOM.choice(["good", "bad", "Film!", "a", "ätsch"], RANDOM.integers(1, 9))) for _ in Y], object
)


CASES: dict[str, Case] = {
    "image": ("image", {"preprocessing": {"resize": 8, "crop": 6, "scale": "standardize"}}, PIXELS, {}),
    "sequences": ("sequence", {"layers": [{"units": 3}]}, SEQUENCES, {"length": 5}),
    "sequences, last steps": ("sequence", {"layers": [{"units": 3}]}, SEQUENCES, {"length": 5, "padding": "pre"}),
    "texts": ("text", {"embedding": {"size": 4}, "length": 4, "vocabulary": 3}, TEXTS, {"length": 6}),
}


def test_saved_models_of_images_sequences_and_texts_give_the_recorded_score_on_raw_values(tmp_path: Path) -> None:
    check_saved_models(CASES, tmp_path)

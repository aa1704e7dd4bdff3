"""A saved model of a table takes raw values, in a process that knows Keras alone, and gives what was recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from saved_models import HELD, ROWS, Case, check_saved_models

RANDOM = np.random.default_rng(3)
NUMBERS = RANDOM.normal(5, 3, (ROWS + HELD, 3)).astype(np.float32)
NUMBERS[RANDOM.random(NUMBERS.shape) < 0.1] = np.nan
CITIES = np.array(["Rome", "Oslo", "", "Bern"], object)[RANDOM.integers(0, 4, ROWS + HELD)]
CITIES[ROWS + 1] = "Atlantis"
MIXED = pd.DataFrame({"a/b": NUMBERS[:, 0], "city of birth": CITIES, "a_b": NUMBERS[:, 1]})
MIXED["city of birth"] = MIXED["city of birth"].where(CITIES != "", None)

CASES: dict[str, Case] = {
    "numbers": (
        "tabular",
        {"preprocessing": {"missing": "median", "missing_indicator": True, "clip": "quantiles", "log": True}},
        NUMBERS,
        {},
    ),
    "categories": ("tabular", {"preprocessing": {"missing": "mean", "scale": "min_max"}}, MIXED, {}),
    "embedded": ("tabular", {"preprocessing": {"missing": "most_frequent", "categories": "embedding"}}, MIXED, {}),
    "binned": ("tabular", {"preprocessing": {"missing": "median", "discretize": {"bins": 4}}}, MIXED, {}),
    "half precision": (
        "tabular",
        {"preprocessing": {"missing": "constant"}, "precision": "mixed_bfloat16"},
        MIXED,
        {},
    ),
}


def test_saved_models_of_tables_give_the_recorded_score_on_raw_values(tmp_path: Path) -> None:
    check_saved_models(CASES, tmp_path)

"""The short form of the soak: three workers, sixty trials, a fault every 1.2 seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
import soak
from stage import Injected


@pytest.mark.slow
def test_a_study_that_is_disturbed_again_and_again_is_exact_in_the_end(tmp_path: Path, injected: Injected) -> None:
    with soak.soaked(tmp_path, workers=3, trials=60, every=1.2, seed=3, patience=240) as survived:
        pass
    for fault, times in survived.counts.items():
        injected(f"soak: {fault}", times, "numbers, epochs, losses and budget exact, nothing left")

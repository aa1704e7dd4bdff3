"""The short form of the soak: three workers, forty trials, a fault every two seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
import soak
from stage import Injected


@pytest.mark.slow
def test_a_study_that_is_disturbed_every_two_seconds_is_exact_in_the_end(tmp_path: Path, injected: Injected) -> None:
    with soak.soaked(tmp_path, workers=3, trials=40, every=2.0, seed=3, patience=240) as survived:
        pass
    for fault, times in survived.counts.items():
        injected(f"soak: {fault}", times, "numbers, epochs, losses and budget exact, nothing left")

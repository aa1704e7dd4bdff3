"""Has this process taken so much more memory since its first trials that it should begin anew?"""

from __future__ import annotations

from dataclasses import dataclass

import psutil

WARM_UP = 20  # trials in which caches fill: programs, kernels, the allocator's arenas
FACTOR = 2.0  # how much more than after those is too much


@dataclass
class Growth:
    """The memory of a worker, asked after each of its trials."""

    trials: int = 0
    first: int = 0  # bytes, the most after one of the first trials

    def after_trial(self) -> bool:
        """Count a trial, and say whether the process has grown out of its size."""
        self.trials += 1
        resident: int = psutil.Process().memory_info().rss
        if self.trials <= WARM_UP:
            self.first = max(self.first, resident)
        return resident > FACTOR * self.first

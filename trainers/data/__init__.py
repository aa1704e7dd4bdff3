"""What is trained on: one data set, checked at the door, split once per worker, read-only from then on."""

from __future__ import annotations

from trainers.data.data import Data, DataError
from trainers.data.loading import load

__all__ = ["Data", "DataError", "load"]

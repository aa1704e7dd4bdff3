"""How a word says which metric it watches."""

from __future__ import annotations

from spaces.vocabulary import OneOf, Option, Real, Text

MONITOR = Option("monitor", Text(), "val_loss", "The metric that is watched.")
MODE = Option("mode", OneOf(("auto", "min", "max")), "auto", "Which way it improves; auto: as the metric's name tells.")
MIN_DELTA = Option("min_delta", Real(0), 0.0, "The least change that counts as improvement.")

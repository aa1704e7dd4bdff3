"""How the learning rate may change while a trial trains.

Durations are fractions of the trial's whole budget of steps. https://keras.io/api/optimizers/learning_rate_schedules/
"""

from __future__ import annotations

from spaces.vocabulary import OneWord, Option, Options, Real, Word

SCHEDULES: tuple[Word, ...] = (
    Word("constant", Options(), "", "The learning rate stays as it is."),
    Word(
        "cosine",
        Options(
            (
                Option("warmup", Real(0, 1, high_open=True), 0.0, "Share of the steps that rise from 0, in a line."),
                Option("final", Real(0, 1), 0.0, "What is left at the end, as a share of `learning_rate`."),
            )
        ),
        "keras.optimizers.schedules.CosineDecay",
        "Half a cosine, from the learning rate down to `final`.",
    ),
    Word(
        "exponential",
        Options(
            (Option("decay", Real(0, 1, low_open=True), 0.01, "Factor that the learning rate has lost at the end."),)
        ),
        "keras.optimizers.schedules.ExponentialDecay",
        "The same factor every step, `decay` in all.",
    ),
    Word(
        "polynomial",
        Options(
            (
                Option("power", Real(0, low_open=True), 1.0, "1 is a straight line."),
                Option("final", Real(0, 1), 0.0, "What is left at the end, as a share of `learning_rate`."),
            )
        ),
        "keras.optimizers.schedules.PolynomialDecay",
        "A power of the steps that are left, from the learning rate down to `final`.",
    ),
)

SCHEDULE = OneWord(SCHEDULES)

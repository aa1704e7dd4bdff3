"""How the learning rate may change while a trial trains.

Durations are fractions of the trial's whole budget of steps, heights are shares of `learning_rate`, which is the
highest. https://keras.io/api/optimizers/learning_rate_schedules/
"""

from __future__ import annotations

from spaces.vocabulary import Listed, OneWord, Option, Options, Real, Whole, Word
from trainers.words.monitoring import MIN_DELTA, MODE, MONITOR

_POSITIVE = Real(0, low_open=True)
_SHARE = Real(0, 1)

_WARMUP = Option("warmup", Real(0, 1, high_open=True), 0.0, "Share of the steps that rise from 0, in a line.")
_FINAL = Option("final", _SHARE, 0.0, "What is left at the end, as a share of `learning_rate`.")

SCHEDULES: tuple[Word, ...] = (
    Word(
        "constant",
        Options((_WARMUP,)),
        "keras.optimizers.schedules.PolynomialDecay",
        "The learning rate stays as it is (a polynomial from itself to itself).",
    ),
    Word(
        "cosine",
        Options((_WARMUP, _FINAL)),
        "keras.optimizers.schedules.CosineDecay",
        "Half a cosine, from the learning rate down to `final`.",
    ),
    Word(
        "cosine_restarts",
        Options(
            (
                _WARMUP,
                _FINAL,
                Option("restarts", Whole(1), 2, "How often it starts again; the last cycle ends with the trial."),
                Option("t_mul", Real(1), 1.0, "Each cycle is so many times as long as the one before."),
                Option("m_mul", Real(0, 1, low_open=True), 1.0, "Each cycle starts at this share of the one before."),
            )
        ),
        "keras.optimizers.schedules.CosineDecayRestarts",
        "Half a cosine down, again and again.",
    ),
    Word(
        "exponential",
        Options(
            (
                _WARMUP,
                Option("decay", Real(0, 1, low_open=True), 0.01, "Factor that the learning rate has lost at the end."),
            )
        ),
        "keras.optimizers.schedules.ExponentialDecay",
        "The same factor every step, `decay` in all.",
    ),
    Word(
        "polynomial",
        Options((_WARMUP, Option("power", _POSITIVE, 1.0, "1 is a straight line."), _FINAL)),
        "keras.optimizers.schedules.PolynomialDecay",
        "A power of the steps that are left, from the learning rate down to `final`.",
    ),
    Word(
        "inverse_time",
        Options((_WARMUP, Option("rate", _POSITIVE, 9.0, "The learning rate ends at 1 / (1 + rate) of itself."))),
        "keras.optimizers.schedules.InverseTimeDecay",
        "One over the time.",
    ),
    Word(
        "step",
        Options(
            (
                _WARMUP,
                Option("drops", Whole(1), 2, "How often it drops; the stretches between are equally long."),
                Option("factor", Real(0, 1, low_open=True, high_open=True), 0.1, "What is left after each drop."),
            )
        ),
        "keras.optimizers.schedules.ExponentialDecay",
        "Equal drops after equal stretches (an exponential staircase).",
    ),
    Word(
        "piecewise",
        Options(
            (
                _WARMUP,
                Option("boundaries", Listed(_SHARE, 1), None, "Where it changes, as fractions of the steps.", True),
                Option("shares", Listed(_SHARE, 2), None, "Shares of `learning_rate`: one more than boundaries.", True),
            )
        ),
        "keras.optimizers.schedules.PiecewiseConstantDecay",
        "A list of levels: {boundaries: {const: [0.5, 0.8]}, shares: {const: [1, 0.1, 0.01]}}.",
    ),
    Word(
        "one_cycle",
        Options(
            (
                Option("rising", Real(0, 1, low_open=True, high_open=True), 0.3, "Share of the steps that rise."),
                Option("start", Real(0, 1, low_open=True), 0.04, "Where it begins, as a share of `learning_rate`."),
                Option("final", _SHARE, 4e-6, "Where it ends, as a share of `learning_rate`."),
            )
        ),
        "keras.optimizers.schedules.CosineDecay",
        "Half a cosine up, half a cosine down (https://arxiv.org/abs/1708.07120): two of Keras' pieces.",
    ),
    Word(
        "reduce_on_plateau",
        Options(
            (
                MONITOR,
                MODE,
                Option("factor", Real(0, 1, low_open=True, high_open=True), 0.1, "What is left after each drop."),
                Option("patience", Whole(0), 10, "Epochs without improvement before it drops."),
                Option("min_delta", Real(0), 1e-4, MIN_DELTA.doc),
                Option("cooldown", Whole(0), 0, "Epochs after a drop that aren't counted."),
                Option("min_lr", Real(0), 0.0, "The learning rate never drops below."),
            )
        ),
        "keras.callbacks.ReduceLROnPlateau",
        "Drops when a metric stops improving.",
    ),
)

SCHEDULE = OneWord(SCHEDULES)

"""The words of training that hold for every model, built in or the user's own."""

from __future__ import annotations

from spaces.vocabulary import OneOf, Option, Options, Real, Whole
from trainers.words.augmentation import AUGMENT
from trainers.words.optimizers import OPTIMIZER
from trainers.words.schedules import SCHEDULE

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")

TRAINING: tuple[Option, ...] = (
    Option("optimizer", OPTIMIZER, "adam", "What turns gradients into steps."),
    Option("learning_rate", Real(0, low_open=True), 1e-3, "The learning rate, at its highest."),
    Option("schedule", SCHEDULE, "constant", "How the learning rate changes over the trial."),
    Option("weight_decay", Real(0), None, "Share of each weight taken away per step, times the learning rate."),
    Option("clipnorm", Real(0, low_open=True), None, "Largest norm of each weight's gradient."),
    Option("batch_size", Whole(1), 32, "Examples per step."),
    Option("label_smoothing", Real(0, 1, high_open=True), 0.0, "Classification: certainty given to other classes."),
    Option("augment", AUGMENT, None, "Images: random changes of what is trained on."),
    Option("precision", OneOf(PRECISIONS), "float32", "The Keras dtype policy."),
)

OPTIONS = Options(TRAINING)

"""The words of training that hold for every model, built in or the user's own."""

from __future__ import annotations

from spaces.vocabulary import Flag, OneOf, Option, Options, Real, Whole
from trainers.words.augmentation import AUGMENT
from trainers.words.callbacks import CALLBACK
from trainers.words.losses import CLASS_WEIGHT, LOSS
from trainers.words.metrics import CHOSEN
from trainers.words.optimizers import OPTIMIZER
from trainers.words.schedules import SCHEDULE

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")

CLIPPING = ("clipnorm", "clipvalue", "global_clipnorm")
"""At most one of them may be given."""

_POSITIVE = Real(0, low_open=True)

EMA = Options(
    (
        Option("momentum", Real(0, 1), 0.99, "Share of the average that is kept at each step."),
        Option("overwrite_frequency", Whole(1), None, "Steps after which the weights become their average."),
    )
)

TRAINING: tuple[Option, ...] = (
    Option("optimizer", OPTIMIZER, "adam", "What turns gradients into steps."),
    Option("learning_rate", _POSITIVE, 1e-3, "The learning rate, at its highest."),
    Option("schedule", SCHEDULE, "constant", "How the learning rate changes over the trial."),
    Option("schedule_by", OneOf(("step", "epoch")), "step", "When the learning rate changes: every step, or epoch."),
    Option("weight_decay", Real(0), None, "Share of each weight taken away per step, times the learning rate."),
    Option("clipnorm", _POSITIVE, None, "Largest norm of each weight's gradient."),
    Option("clipvalue", _POSITIVE, None, "Largest absolute value in a gradient."),
    Option("global_clipnorm", _POSITIVE, None, "Largest norm of all gradients together."),
    Option("gradient_accumulation_steps", Whole(2), None, "Batches whose gradients are averaged for one update."),
    Option("ema", EMA, None, "Validate and save the moving average of the weights: {} or {momentum: 0.99}."),
    Option("batch_size", Whole(1), 32, "Examples per step."),
    Option("loss", LOSS, None, "What is minimized; crossentropy for classes and labels, mse for numbers."),
    Option("label_smoothing", Real(0, 1, high_open=True), 0.0, "Classification: certainty given to other classes."),
    Option("class_weight", CLASS_WEIGHT, None, "Classification: how much a class counts in the loss."),
    Option("metrics", CHOSEN, (), "More metrics to report; those of the objective are there anyway."),
    Option("augment", AUGMENT, None, "Images: random changes of what is trained on."),
    Option("callbacks", CALLBACK, None, "What happens between the epochs."),
    Option("precision", OneOf(PRECISIONS), "float32", "The Keras dtype policy; mixed_float16 scales the loss."),
    Option("jit_compile", Flag(), False, "Compile steps with XLA: may pay on a GPU; takes seconds for each new model."),
)

OPTIONS = Options(TRAINING)

"""Which of the trainers' tables stand on the reference page, and in which order?"""

from __future__ import annotations

from spaces.kinds import Word
from spaces.reference import Section
from trainers.words.augmentation import AUGMENT, AUGMENTATIONS, TABLE_AUGMENT, TABLE_AUGMENTATIONS
from trainers.words.backbones import BACKBONE, BACKBONES
from trainers.words.builtin import BUILTIN
from trainers.words.callbacks import CALLBACK, CALLBACKS
from trainers.words.datasets import KERAS_SETS, SETS
from trainers.words.layers import LAYERS
from trainers.words.losses import LOSS, LOSSES
from trainers.words.metrics import ALWAYS, BY_TASK, CHOSEN, MEASURED, METRICS
from trainers.words.optimizers import OPTIMIZER, OPTIMIZERS
from trainers.words.preprocessing import IMAGE_PREPROCESSING, SEQUENCE_PREPROCESSING, TABLE_PREPROCESSING
from trainers.words.schedules import SCHEDULE, SCHEDULES
from trainers.words.training import TRAINING
from trainers.words.weights import ACTIVATION, INITIALIZER, INITIALIZERS, MATRIX_REGULARIZER, REGULARIZER


def sections() -> list[Section]:
    """Return the parts of the page that tell what may stand under `space:`, and which data sets have a name."""
    return [*_data_sets(), *_trainers(), *_training(), *_structure()]


def _data_sets() -> list[Section]:
    rows = [Word(known.name, doc=f"{known.doc} {known.task}, {known.form}") for known in SETS]
    kerass = [Word(known.name, doc=f"{known.doc} {known.task}, {known.form}") for known in KERAS_SETS]
    return [
        Section("Sets that are built in", "`data: {source: NAME}`: they come with the packages.", rows),
        Section("Sets of Keras", "`data: {keras: NAME}`: Keras downloads them.", kerass),
    ]


def _trainers() -> list[Section]:
    common = {option.name for option in TRAINING} - {"augment"}
    parts = [
        Section(
            f"Trainer {name}",
            f"`trainer: {name}`: these words beside those of [Training](#training).",
            [option for option in words.options if option.name not in common],
        )
        for name, words in BUILTIN.items()
    ]
    training = (
        "The words that every trainer has but your own loop; your own `model: file.py:build` too. No word is needed "
        "for a loss or another metric that is NaN or infinite: it always ends the trial, as `failed` (`nan`)."
    )
    return [*parts, Section("Training", training, [option for option in TRAINING if option.name != "augment"])]


def _training() -> list[Section]:
    always = f"Each epoch has {', '.join(f'`{name}`' for name in ALWAYS)} and `val_loss` too."
    metrics = [
        Section(
            f"Metrics of {task.replace('_', ' ')}",
            f"With `val_` in front: on the validation part. {', '.join(f'`{name}`' for name in BY_TASK[task])} "
            f"{'is' if len(BY_TASK[task]) == 1 else 'are'} always there; others come with the objective that names "
            f"them, or with `metrics: {{const: [...]}}`. {always}",
            words,
            CHOSEN if task == "classification" else None,
        )
        for task, words in METRICS.items()
    ]
    named = {task: ", ".join(f"`{word.name}`" for word in words) for task, words in LOSSES.items()}
    losses = "`loss:` " + " ".join(f"For {task.replace('_', ' ')}: {names}." for task, names in named.items())
    return [
        Section("Optimizers", "`optimizer:`, with the options and defaults of Keras.", OPTIMIZERS, OPTIMIZER),
        Section(
            "Schedules",
            "`schedule:`; durations are fractions of the trial's steps, heights are shares of `learning_rate`.",
            SCHEDULES,
            SCHEDULE,
        ),
        Section("Losses", losses, LOSS.words, LOSS),
        *metrics,
        Section("Measured at the end", "As an objective beside another one, without `val_`.", MEASURED),
        Section("Callbacks", "`callbacks:`, any number of them.", CALLBACKS, CALLBACK),
    ]


def _structure() -> list[Section]:
    return [
        Section("Augmentation of images", "`augment:`, in training alone.", AUGMENTATIONS, AUGMENT),
        Section("Augmentation of tables", "`augment:`, in training alone.", TABLE_AUGMENTATIONS, TABLE_AUGMENT),
        *(
            Section(
                f"Preprocessing of {what}",
                "`preprocessing:`, fitted on the training part and stored in the saved model.",
                options.options,
                options,
            )
            for what, options in (
                ("images", IMAGE_PREPROCESSING),
                ("tables", TABLE_PREPROCESSING),
                ("sequences", SEQUENCE_PREPROCESSING),
            )
        ),
        Section("Blocks", "`layers:`, `dense:`: each block is one of these.", LAYERS),
        Section("Backbones", "`backbone:`", BACKBONES, BACKBONE),
        Section("Activations", f"`activation:` {', '.join(map(str, ACTIVATION.values))}.", (), ACTIVATION),
        Section("Initializers", "`kernel_initializer:` and the like.", INITIALIZERS, INITIALIZER),
        Section("Regularizers", "`kernel_regularizer:` and the like.", MATRIX_REGULARIZER.words, REGULARIZER),
    ]

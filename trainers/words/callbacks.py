"""What may happen between the epochs of a trial. Keras' own: https://keras.io/api/callbacks/.

A trial that diverges ends by itself; a learning rate that drops on a plateau is a `schedule`, the average of the
weights is `ema`. Whole trials are given up by `algorithm: {pruner: …}`.
"""

from __future__ import annotations

from spaces.vocabulary import Either, Flag, Listed, Option, Options, Real, Text, Whole, Word
from trainers.words.monitoring import MIN_DELTA, MODE, MONITOR

OWN = Options(
    (
        Option("class", Text(), None, "Your own callback: file.py:Class or module:Class.", required=True),
        Option("options", Options(open=True), None, "What it is made with."),
    )
)

CALLBACKS: tuple[Word, ...] = (
    Word(
        "early_stopping",
        Options(
            (
                MONITOR,
                MODE,
                MIN_DELTA,
                Option("patience", Whole(0), 0, "Epochs without improvement that are put up with."),
                Option("baseline", Real(), None, "A value that must be reached within `patience`."),
                Option("restore_best_weights", Flag(), False, "Keep the best epoch's weights and its metrics."),
                Option("start_from_epoch", Whole(0), 0, "Epochs before it begins to watch."),
            )
        ),
        "keras.callbacks.EarlyStopping",
        "End the trial when a metric stops improving.",
    ),
    Word(
        "csv_log",
        Options(
            (
                Option("folder", Text(), "logs", "Where trial-N.csv is written, from the space file's folder on."),
                Option("separator", Text(), ",", "What stands between two values."),
            )
        ),
        "keras.callbacks.CSVLogger",
        "Write the metrics of every epoch into a file.",
    ),
    Word(
        "tensorboard",
        Options(
            (
                Option("folder", Text(), "logs", "Where trial-N/ is written, from the space file's folder on."),
                Option("histogram_freq", Whole(0), 0, "Epochs between two histograms of the weights; 0: none."),
                Option("write_graph", Flag(), False, "Write the model's graph too."),
            )
        ),
        "keras.callbacks.TensorBoard",
        "Write the metrics of every epoch for TensorBoard; needs `pip install 'search[tensorboard]'`.",
    ),
    Word(
        "own",
        Either((OWN, Listed(OWN)), "{class: file.py:Class, options: {…}}, or a list of them below const"),
        "keras.callbacks.Callback",
        "Your own, around training, epochs and validation; not around batches, as an epoch is one program. It may set "
        "the learning rate where no `schedule` does. Between two processes of a resumed trial it remembers nothing.",
    ),
)

CALLBACK = Options(tuple(Option(word.name, word.kind, None, word.doc) for word in CALLBACKS))

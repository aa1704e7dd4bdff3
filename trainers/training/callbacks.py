"""What happens between the epochs of a trial, and how its state survives the process."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from trainers import user_code
from trainers.contract import Run
from trainers.training.optimizer import keras_object
from trainers.user_code import FindError
from trainers.words.callbacks import CALLBACK, CALLBACKS
from trainers.words.metrics import rises
from trainers.words.reading import one_word, read
from trainers.words.schedules import SCHEDULE

log = logging.getLogger(__name__)

Arrays = Mapping[str, NDArray[Any]]

OF_BATCHES = tuple(f"on_{kind}_{when}" for kind in ("batch", "train_batch", "test_batch") for when in ("begin", "end"))
"""Hooks of Keras' callbacks that we don't call."""

REMEMBERED = ("best", "wait", "best_epoch", "stopped_epoch", "cooldown_counter")
"""What Keras' callbacks know of the epochs before."""


def callbacks(words: Mapping[str, Any], run: Run, done: int = 0) -> list[keras.callbacks.Callback]:
    """Return the callbacks of a trial of which `done` epochs are trained already.

    They are to be called around each epoch with its metrics, `val_` included. Raises FindError for the user's own that
    can't be had.
    """
    given = {word.name: (words["callbacks"] or {}).get(word.name) for word in CALLBACKS}
    made = [MADE[name](value, run, done) for name, value in given.items() if value is not None and name != "own"]
    word, options = one_word(SCHEDULE, words["schedule"])
    if word.name == "reduce_on_plateau":
        made.append(keras_object(word.target)(**_watching(options)))
    own = given["own"] or []
    return made + [_own(one, run.base) for one in (own if isinstance(own, list | tuple) else [own])]


@contextmanager
def ending(hooks: keras.callbacks.CallbackList) -> Iterator[None]:
    """Tell the callbacks that training is over, whatever ends it: some have files to close."""
    try:
        yield
    finally:
        hooks.on_train_end()


def watched(words: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the metrics that the callbacks of a trial look at; the model must report them like the objectives."""
    stopping = (words["callbacks"] or {}).get("early_stopping")
    options = [_options("early_stopping", stopping)] if stopping is not None else []
    word, of_schedule = one_word(SCHEDULE, words["schedule"])
    options += [of_schedule] if word.name == "reduce_on_plateau" else []
    return tuple(option["monitor"] for option in options)


def result(hooks: Sequence[keras.callbacks.Callback], metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics of the weights that the model has after `on_train_end`: the last epoch's, or the best's."""
    for hook in hooks:
        if isinstance(hook, EarlyStopping) and hook.restore_best_weights and hook.best_metrics:
            return dict(hook.best_metrics)
    return dict(metrics)


def state(hooks: Sequence[keras.callbacks.Callback]) -> dict[str, NDArray[Any]]:
    """Return what the callbacks know of the epochs before, as arrays by name."""
    arrays: dict[str, NDArray[Any]] = {}
    for at, hook in enumerate(hooks):
        known = {name: getattr(hook, name, None) for name in REMEMBERED if isinstance(hook, _STATEFUL)}
        if isinstance(hook, EarlyStopping):
            known |= {f"metrics.{name}": value for name, value in hook.best_metrics.items()}
            known |= {f"weights.{n:06d}": array for n, array in enumerate(hook.best_weights or ())}
            known["stopping"] = bool(getattr(hook.model, "stop_training", False))
        arrays |= {f"callbacks.{at}.{name}": np.asarray(value) for name, value in known.items() if value is not None}
    return arrays


def restore(hooks: Sequence[keras.callbacks.Callback], arrays: Arrays) -> None:
    """Give the callbacks back what `state` returned; after `on_train_begin`, which lets them forget."""
    for at, hook in enumerate(hooks):
        prefix = f"callbacks.{at}."
        known = {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
        for name in REMEMBERED:
            if name in known:
                setattr(hook, name, known[name].item())
        if isinstance(hook, EarlyStopping):
            prefixed = {name.partition(".")[2]: value for name, value in known.items() if name.startswith("metrics.")}
            hook.best_metrics = {name: float(value) for name, value in prefixed.items()}
            weights = [known[name] for name in sorted(known) if name.startswith("weights.")]
            hook.best_weights = weights or None
            hook.model.stop_training = bool(known.get("stopping", False))


class EarlyStopping(keras.callbacks.EarlyStopping):  # type: ignore[misc]
    """Keras' early stopping, which also remembers the metrics of its best epoch."""

    best_metrics: dict[str, float]

    def on_train_begin(self, logs: Any = None) -> None:
        """Begin anew."""
        super().on_train_begin(logs)
        self.best_metrics = {}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Judge an epoch, counted from 0."""
        before = self.best
        super().on_epoch_end(epoch, logs)
        if self.best_epoch == epoch and (self.best is not before or not self.best_metrics):
            self.best_metrics = dict(logs or {})


_STATEFUL = (EarlyStopping, keras.callbacks.ReduceLROnPlateau)


def _watching(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with the direction decided, by our metrics' names."""
    mode = ("max" if rises(options["monitor"]) else "min") if options["mode"] == "auto" else options["mode"]
    return {**options, "mode": mode}


def _options(name: str, given: Any) -> dict[str, Any]:
    kind: Any = next(option.kind for option in CALLBACK.options if option.name == name)
    return read(kind, given)


def _early_stopping(given: Any, run: Run, done: int) -> keras.callbacks.Callback:
    return EarlyStopping(**_watching(_options("early_stopping", given)))


def _csv_log(given: Any, run: Run, done: int) -> keras.callbacks.Callback:
    options = _options("csv_log", given)
    path = run.base / options["folder"] / f"trial-{run.number}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    if done and path.exists() and path.stat().st_size:
        _keep_epochs(path, done, options["separator"])
    return keras.callbacks.CSVLogger(str(path), separator=options["separator"], append=bool(done))


def _keep_epochs(path: Path, done: int, separator: str) -> None:
    """Take the rows out that a process wrote whose epochs are trained again."""
    with path.open(newline="") as file:
        header, *rows = csv.reader(file, delimiter=separator)
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=separator).writerows([header, *(row for row in rows if int(row[0]) < done)])


def _tensorboard(given: Any, run: Run, done: int) -> keras.callbacks.Callback:
    if find_spec("tensorboard") is None:
        raise FindError("callbacks.tensorboard: the package is missing; pip install 'search[tensorboard]'")
    options = _options("tensorboard", given)
    folder = run.base / options.pop("folder") / f"trial-{run.number}"
    return keras.callbacks.TensorBoard(str(folder), **options)


MADE = {"early_stopping": _early_stopping, "csv_log": _csv_log, "tensorboard": _tensorboard}


def _own(given: Mapping[str, Any], base: Path) -> keras.callbacks.Callback:
    """Return the user's own callback. Raises FindError."""
    reference, options = given["class"], dict(given.get("options") or {})
    kind = user_code.function(reference, base, None)
    try:
        made = kind(**options)
    except TypeError as error:
        raise FindError(f"{reference}: can't be made with the options {options}: {error}") from error
    if not isinstance(made, keras.callbacks.Callback):
        raise FindError(f"{reference}: gives a {type(made).__name__}; expected a keras.callbacks.Callback")
    missed = [name for name in OF_BATCHES if getattr(type(made), name) is not getattr(keras.callbacks.Callback, name)]
    if missed and not type(made).__module__.startswith("keras."):
        log.warning("%s: %s won't be called: an epoch is one program", reference, " and ".join(missed))
    return made

"""A search of 40 fixed configurations of a small digits CNN, beside plain Optuna with `model.fit`, and KerasTuner.

    pip install -e '.[benchmarks]' && python tests/benchmarks/search_speed.py [--quick] [--kind structure] [--rounds 3]

Ten epochs each with validation, no pruning. We and plain Optuna run two processes of one thread, KerasTuner one of two.
`structure` varies what makes another model (optimizer, blocks, filters, units); `numbers` varies learning rate, batch
size, dropout and augmentation alone. The sides take turns; times are those of whole commands, from nothing to the last
result, and the ratio is that to the faster of the others.

The limit is what nobody gets around: the import of TensorFlow and Keras, and the epochs' arithmetic, which is the
median of our own epochs' seconds in each trial, shared by two processes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spaces.parameters import Scalar, draw
from spaces.reader import parse
from spaces.spec import StudySpec

ROOT = Path(__file__).resolve().parents[2]
EPOCHS, SEED = 10, 7
LIMITS: list[float] = []  # seconds, of each of our searches so far
HEAD = """
study: {name}
trainer: image
data: {{source: digits, validation: 0.2}}
objective: {{maximize: val_accuracy}}
budget: {{trials: {trials}, epochs: {epochs}}}
algorithm: {{sampler: random, pruner: none, seed: 7}}
space:
  learning_rate: {{float: [1e-4, 1e-2], log: true}}
  batch_size: {{choice: [32, 64, 128]}}
"""
SPACES = {
    "structure": """
  optimizer: {choice: {adam: {}, sgd: {momentum: 0.9}, rmsprop: {}}}
  layers: {repeat: [1, 3], each: {filters: {int: [8, 32]}}}
  dense: {repeat: [1, 2], each: {units: {int: [16, 64]}}}
""",
    "numbers": """
  augment: {rotation: {float: [0.01, 0.1]}, translation: {float: [0.01, 0.1]}}
  layers: {repeat: [2, 2], each: {filters: 24, dropout: {float: [0.05, 0.3]}}}
  dense: {const: [{units: 32}]}
""",
}


class Draws:
    """Suggests at random from a fixed seed, and remembers what it suggested by its flat name."""

    def __init__(self, seed: int) -> None:
        self.random, self.values = random.Random(seed), dict[str, Scalar]()

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None, log: bool) -> float:
        share = self.random.random()
        return self._kept(name, low * (high / low) ** share if log else low + (high - low) * share)

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        return self._kept(name, self.random.randint(low, high))

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Any:
        return self._kept(name, self.random.choice(list(choices)))

    def _kept(self, name: str, value: Any) -> Any:
        self.values[name] = value
        return value


def spec_of(kind: str, trials: int, folder: Path) -> StudySpec:
    """Return the study of one kind of variation."""
    name = f"{kind}-{time.time_ns()}"
    return parse(HEAD.format(name=name, trials=trials, epochs=EPOCHS).rstrip() + SPACES[kind], f"{name}.yaml", folder)


def configurations(spec: StudySpec) -> list[dict[str, Scalar]]:
    """Return the fixed configurations by flat name, always the same."""
    found = []
    for number in range(spec.budget.trials):
        draws = Draws(SEED * 1000 + number)
        draw(spec.space, draws)
        found.append(draws.values)
    return found


def ours(kind: str, trials: int, folder: Path) -> tuple[float, list[float]]:
    """Search with `python -m search run`; return seconds and values, and add to the limits."""
    from search.postgres import records, server
    from search.study.storage import open_storage
    from search.study.study import open_study

    spec = spec_of(kind, trials, folder)
    (folder / spec.file).write_text(spec.text)
    state = folder / f"state-{spec.study}"
    embedded = server.ensure(state)
    storage = open_storage(embedded.url, "benchmark")
    study = open_study(storage, spec)
    for values in configurations(spec):
        study.handle.enqueue_trial(values)
    storage.close()
    embedded.release()
    start = time.perf_counter()
    command = [sys.executable, "-m", "search", "run", spec.file, "--workers", "2", "--state", str(state)]
    subprocess.run(command, cwd=folder, env=environment(), check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    embedded = server.ensure(state)
    storage = open_storage(embedded.url, "benchmark")
    done = open_study(storage, spec).handle.get_trials()
    epochs = [records.epochs(storage.engine, trial._trial_id).values() for trial in done]
    storage.close()
    embedded.release()
    LIMITS.append(importing() + sum(EPOCHS * statistics.median(e["seconds"] for e in trial) for trial in epochs) / 2)
    return seconds, [trial.value for trial in done if trial.value is not None]


def importing() -> float:
    """Return how many seconds the import of TensorFlow and Keras takes."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import tensorflow, keras"], env=environment(), check=True)
    return time.perf_counter() - start


def plain(kind: str, trials: int, folder: Path) -> tuple[float, list[float]]:
    """Search with two processes of plain Optuna; return seconds and values."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    spec = spec_of(kind, trials, folder)
    (folder / spec.file).write_text(spec.text)
    study = optuna.create_study(study_name=spec.study, storage=journal(folder, spec.study), direction="maximize")
    for values in configurations(spec):
        study.enqueue_trial(values)
    start = time.perf_counter()
    command = [sys.executable, __file__, "--work", str(folder / spec.file)]
    processes = [subprocess.Popen(command, env=environment()) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    seconds = time.perf_counter() - start
    return seconds, [trial.value for trial in study.get_trials() if trial.value is not None]


def tuner(kind: str, trials: int, folder: Path) -> tuple[float, list[float]]:
    """Search with KerasTuner in one process; return seconds and values."""
    spec = spec_of(kind, trials, folder)
    (folder / spec.file).write_text(spec.text)
    start = time.perf_counter()
    command = [sys.executable, __file__, "--tune", str(folder / spec.file)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), "2")
    told = subprocess.run(command, env={**environment(), **threads}, check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - start, json.loads(told.stdout.splitlines()[-1])


class Fit:
    """What a person would write: a model for some parameters, trained with `model.fit`."""

    def __init__(self, file: Path) -> None:
        from spaces.reader import read
        from trainers import data as datasets

        warnings.simplefilter("ignore")
        self.spec = read(file)
        assert self.spec.data is not None
        self.data = datasets.load(self.spec.data, self.spec.folder, SEED)

    def model(self, parameters: Mapping[str, Any]) -> Any:
        """Return the compiled model."""
        import keras

        from trainers import image
        from trainers.training.augmentation import layers as augmentation
        from trainers.training.optimizer import optimizer
        from trainers.words.reading import read
        from trainers.words.training import OPTIONS

        words = read(OPTIONS, parameters)
        core = image.build(parameters, self.data)
        before = augmentation(words["augment"], self.data, SEED)
        model = keras.Sequential([keras.Input(self.data.input_shape), *before, core])
        rate = optimizer(words)
        rate.learning_rate = words["learning_rate"]
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(rate, loss, metrics=["accuracy"])
        return model

    def train(self, model: Any, parameters: Mapping[str, Any]) -> float:
        """Return the accuracy on the validation part after the last epoch."""
        data, batch = self.data, parameters["batch_size"]
        held = (data.x_validation, data.y_validation)
        history = model.fit(data.x_train, data.y_train, batch, EPOCHS, verbose=0, validation_data=held)
        return float(history.history["val_accuracy"][-1])


def work(file: Path) -> None:
    """Be one process of the plain script."""
    import optuna
    from optuna.trial import Trial

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    fit = Fit(file)

    def objective(trial: Trial) -> float:
        parameters = draw(fit.spec.space, trial)
        return fit.train(fit.model(parameters), parameters)

    study = optuna.load_study(study_name=fit.spec.study, storage=journal(file.parent, fit.spec.study))
    while any(trial.state == optuna.trial.TrialState.WAITING for trial in study.get_trials(deepcopy=False)):
        study.optimize(objective, n_trials=1)


def tune(file: Path) -> None:
    """Be the process of KerasTuner, whose only hyperparameter is a configuration's number; print the values."""
    import keras_tuner

    fit = Fit(file)
    drawn = [draw(fit.spec.space, Draws(SEED * 1000 + number)) for number in range(fit.spec.budget.trials)]
    values = []

    class Model(keras_tuner.HyperModel):  # type: ignore[misc]
        def build(self, hp: Any) -> Any:
            return fit.model(drawn[hp.Choice("number", list(range(len(drawn))))])

        def fit(self, hp: Any, model: Any, *arguments: Any, **named: Any) -> float:
            values.append(fit.train(model, drawn[hp.get("number")]))
            return -values[-1]

    folder = str(file.parent / f"{fit.spec.study}-tuner")
    keras_tuner.GridSearch(Model(), max_trials=len(drawn), directory=folder).search(verbose=0)
    print(json.dumps(values))


def journal(folder: Path, name: str) -> Any:
    """Return Optuna's cheapest storage that two processes can share."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(folder / f"{name}.journal")))


def environment() -> dict[str, str]:
    """Return the environment of either side: this repository, one thread a process, no GPU."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": str(ROOT)}
    return {**os.environ, **threads, **quiet}


def main() -> None:
    """Measure both sides in turn, both kinds, and print ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="8 configurations, once")
    parser.add_argument("--kind", choices=list(SPACES), help="only this one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-tuner", action="store_true", help="leave out KerasTuner, the slower of the others")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--tune", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work or arguments.tune:
        (work if arguments.work else tune)(arguments.work or arguments.tune)
        return
    trials, rounds = (8, 1) if arguments.quick else (40, arguments.rounds)
    with tempfile.TemporaryDirectory(prefix="search-benchmark-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for kind in [arguments.kind] if arguments.kind else SPACES:
            sides = {side: search for side, search in SIDES.items() if side != "tuner" or not arguments.without_tuner}
            found: dict[str, list[tuple[float, list[float]]]] = {side: [] for side in sides}
            for _ in range(rounds):
                for side, search in sides.items():
                    found[side].append(search(kind, trials, folder))
            report(kind, found, LIMITS[-rounds:])


SIDES = {"plain": plain, "tuner": tuner, "ours": ours}


def report(kind: str, found: dict[str, list[tuple[float, list[float]]]], limits: Sequence[float]) -> None:
    """Print one kind: seconds, how many times faster, and the values for comparison."""
    seconds = {side: [run[0] for run in runs] for side, runs in found.items()}
    medians = {side: statistics.median(values) for side, values in seconds.items()}
    faster = min((side for side in medians if side != "ours"), key=lambda side: medians[side])
    ratios = [theirs / mine for theirs, mine in zip(seconds[faster], seconds["ours"], strict=True)]
    times = "  ".join(f"{side} {value:6.1f} s" for side, value in medians.items())
    ratio = medians[faster] / medians["ours"]
    print(f"{kind:10s} {times}  {ratio:.2f} times faster than {faster} ({min(ratios):.2f}-{max(ratios):.2f})")
    shares = [limit / mine for limit, mine in zip(limits, seconds["ours"], strict=True)]
    print(f"  the limit is {statistics.median(limits):.1f} s: {statistics.median(shares):.2f} of ours")
    for side, runs in found.items():
        values = sorted(runs[-1][1], reverse=True)
        print(
            f"  {side:6s} {len(values)} values, best {values[0]:.4f}, median {statistics.median(values):.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()

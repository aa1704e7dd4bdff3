"""Every loss and metric is Keras', fits its task, and counts what scikit-learn counts."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import pytest
from fake_run import IMAGE, TABULAR, FakeRun, few_digits, few_patients, few_tumours
from sklearn import metrics as sk

from trainers import find
from trainers.contract import TrialOver
from trainers.data import Data, DataError
from trainers.training.compiling import goal
from trainers.training.example_weights import example_weights
from trainers.training.measures import MEASURES, measured
from trainers.training.metrics import Answers, metric
from trainers.words.losses import LOSSES
from trainers.words.metrics import BEFORE_TRAINING, BY_TASK, MEASURED, METRICS, Task, rises
from trainers.words.metrics import measured as measured_names
from trainers.words.reading import read
from trainers.words.training import OPTIONS

RANDOM = np.random.default_rng(3)
ROWS = 200


def words(**params: Any) -> dict[str, Any]:
    return read(OPTIONS, params)


def labelled() -> Data:
    """Tumours with two labels at once."""
    data = few_tumours()
    both = [np.stack([y, 1 - y], axis=1).astype(np.float32) for y in (data.y_train, data.y_validation)]
    return replace(data, y_train=both[0], y_validation=both[1], task="multi_label", class_names=("good", "bad"))


DATA = {"classification": few_digits, "multi_label": labelled, "regression": few_patients}


def model(outputs: int, data: Data, activation: str = "linear") -> keras.Model:
    inputs = keras.Input(data.input_shape)
    return keras.Model(inputs, keras.layers.Dense(outputs, activation)(keras.layers.Flatten()(inputs)))


# --- losses

VALUES: dict[tuple[str, str], Any] = {
    ("classification", "crossentropy"): lambda p, right: -np.log(right),
    ("classification", "focal"): lambda p, right: -0.25 * (1 - right) ** 2 * np.log(right),
    ("classification", "generalized_crossentropy"): lambda p, right: (1 - right**0.5) / 0.5,
}
OF_LOGITS = {
    "hinge": lambda columns, y: np.maximum(0, 1 + np.where(y, -np.inf, columns).max(1) - (columns * y).sum(1)),
    "squared_hinge": lambda columns, y: (np.maximum(0, 1 - (2 * y - 1) * columns) ** 2).mean(1),
    "cosine_similarity": lambda columns, y: -(columns * y).sum(1) / np.linalg.norm(columns, axis=1),
}


@pytest.mark.parametrize("name", OF_LOGITS)
def test_a_loss_of_columns_has_the_value_of_its_formula(name: str) -> None:
    data = few_digits()
    aim = goal(model(10, data), data, words(loss=name))
    outputs = RANDOM.normal(size=(ROWS, 10)).astype(np.float32)
    labels = RANDOM.integers(0, 10, ROWS)
    expected = OF_LOGITS[name](outputs, np.eye(10)[labels]).mean()
    assert float(aim.loss(aim.encode(labels), outputs)) == pytest.approx(expected, rel=1e-4)


def test_counts_are_predicted_above_zero(tmp_path: Path) -> None:
    run = FakeRun(few_patients(), tmp_path, epochs=2)
    params = {"loss": "poisson", "layers": [], "learning_rate": 0.01, "batch_size": 40}
    find.load(TABULAR, tmp_path)(params, run)
    assert run.losses[1][0] < run.losses[0][0]
    assert keras.saving.load_model(run.kept[0]).predict(-100 * run.data.x_validation, verbose=0).min() >= 0


@pytest.mark.parametrize("name", [name for _, name in VALUES])
def test_a_loss_of_classes_has_the_value_of_its_formula(name: str) -> None:
    data = few_digits()
    aim = goal(model(10, data), data, words(loss=name))
    logits = RANDOM.normal(size=(ROWS, 10)).astype(np.float32)
    labels = RANDOM.integers(0, 10, ROWS)
    likely = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = VALUES["classification", name](likely, likely[np.arange(ROWS), labels]).mean()
    assert float(aim.loss(aim.encode(labels), logits)) == pytest.approx(expected, rel=1e-4)


EVERY_LOSS = [(task, word) for task, table in LOSSES.items() for word in table]


@pytest.mark.parametrize(("task", "word"), EVERY_LOSS, ids=[f"{task}-{word.name}" for task, word in EVERY_LOSS])
def test_a_loss_is_that_of_keras_and_trains(task: str, word: Any) -> None:
    data = DATA[task]()
    built = model(data.classes or 1, data, "softplus" if word.name == "poisson" else "linear")
    aim = goal(built, data, words(loss=word.name))
    kind = word.target.rsplit(".", 1)[1].removeprefix("Categorical")
    assert kind.lower() in type(aim.loss).__mro__[0].__name__.lower() or kind in type(aim.loss).__mro__[1].__name__
    built.compile(keras.optimizers.Adam(0.01), loss=aim.loss, run_eagerly=True)
    x, y = data.x_train[:16] / data.maximum, aim.encode(data.y_train[:16])
    first, *_, last = [float(np.mean(built.train_on_batch(x, y))) for _ in range(5)]
    assert np.isfinite(last)
    assert last < first


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ({"huber": {"delta": 2.0}}, np.mean([0.5, 2 * (5 - 1)])),
        ("mae", 3.0),
        ("mape", 100 * np.mean([1 / 1, 5 / 10])),
        ("log_cosh", np.mean(np.log(np.cosh([1, 5])))),
        ("msle", np.mean(np.log([3 / 2, 6 / 11]) ** 2)),
        ("poisson", np.mean([2 - 1 * np.log(2), 5 - 10 * np.log(5)])),
        (None, 13.0),
    ],
)
def test_a_loss_of_numbers_has_the_value_of_its_formula(loss: Any, expected: float) -> None:
    data = few_patients()
    aim = goal(model(1, data), data, words(loss=loss))
    assert float(aim.loss(np.array([1.0, 10.0]), np.array([[2.0], [5.0]]))) == pytest.approx(expected, rel=1e-5)


def test_a_loss_of_another_task_and_smoothing_of_another_loss_are_told() -> None:
    digits, patients = few_digits(), few_patients()
    with pytest.raises(ValueError, match="the loss 'mse' is not for classification; expected one of crossentropy"):
        goal(model(10, digits), digits, words(loss="mse"))
    with pytest.raises(ValueError, match="the loss 'focal' is not for regression"):
        goal(model(1, patients), patients, words(loss="focal"))
    with pytest.raises(ValueError, match="label_smoothing is for crossentropy and focal; the loss is 'hinge'"):
        goal(model(10, digits), digits, words(loss="hinge", label_smoothing=0.1))
    with pytest.raises(ValueError, match="three classes or more"):
        goal(model(1, few_tumours()), few_tumours(), words(loss="generalized_crossentropy"))
    with pytest.raises(ValueError, match="'cosine_similarity' wants two outputs or more"):
        goal(model(1, few_tumours()), few_tumours(), words(loss="cosine_similarity"))


def test_mixed_labels_get_the_loss_of_columns() -> None:
    data = few_digits()
    aim = goal(model(10, data), data, words(augment={"mixup": 0.2}))
    assert type(aim.loss) is keras.losses.CategoricalCrossentropy
    assert tuple(aim.encode(data.y_train[:3]).shape) == (3, 10)


# --- metrics


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)


def told(name: str, answers: Answers, labels: np.ndarray, outputs: np.ndarray) -> float:
    """The metric over two batches."""
    made = metric(name, answers)
    made.reset_state()
    for half in (slice(0, ROWS // 2), slice(ROWS // 2, ROWS)):
        made.update_state(labels[half], outputs[half])
    assert made.name == name
    return float(made.result())


def judged(name: str, labels: np.ndarray, likely: np.ndarray) -> float:
    """What scikit-learn says; labels are class numbers, or columns of several labels."""
    several, classes = labels.ndim == 2, likely.shape[1]
    said = likely > 0.5 if several else likely.argmax(axis=1)
    how: dict[str, Any] = {"average": "macro" if several or classes > 2 else "binary", "zero_division": 0}
    scores = likely[:, 1] if classes == 2 and not several else likely
    match name:
        case "accuracy":
            return float((said == labels).mean())
        case "auc":
            return float(sk.roc_auc_score(labels, scores, multi_class="ovr", average="macro"))
        case "pr_auc":
            columns = labels if several or classes == 2 else np.eye(classes)[labels]
            return float(sk.average_precision_score(columns, scores, average="macro"))
        case "f1":
            return float(sk.f1_score(labels, said, **how))
        case "precision":
            return float(sk.precision_score(labels, said, **how))
        case "recall":
            return float(sk.recall_score(labels, said, **how))
        case "crossentropy" if several:
            return float(-np.mean(labels * np.log(likely) + (1 - labels) * np.log(1 - likely)))
        case "crossentropy":
            return float(sk.log_loss(labels, likely))
    k = int(name.split("_")[1])
    return float(sk.top_k_accuracy_score(labels, likely, k=k))


TOLERANCE = {"auc": 0.01, "pr_auc": 0.02}  # Keras takes 200 thresholds, scikit-learn every one


@pytest.mark.parametrize("name", [word.name for word in METRICS["classification"]])
@pytest.mark.parametrize("form", ["sparse", "columns", "probabilities"])
def test_a_metric_of_many_classes_is_that_of_scikit_learn(name: str, form: str) -> None:
    labels = RANDOM.integers(0, 12, ROWS)
    logits = RANDOM.normal(size=(ROWS, 12)).astype(np.float32) + 2 * np.eye(12, dtype=np.float32)[labels]
    answers = Answers("classification", "columns" if form == "columns" else "sparse", 12, form != "probabilities")
    outputs = softmax(logits) if form == "probabilities" else logits
    given = np.eye(12, dtype=np.float32)[labels] if form == "columns" else labels
    expected = judged(name, labels, softmax(logits))
    assert told(name, answers, given, outputs) == pytest.approx(expected, abs=TOLERANCE.get(name, 1e-4))


TWO = [word.name for word in METRICS["classification"] if not word.name.startswith("top_")]


@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize("form", ["sparse", "columns", "one"])
def test_a_metric_of_two_classes_is_that_of_the_second(name: str, form: Any) -> None:
    labels = RANDOM.integers(0, 2, ROWS)
    logits = RANDOM.normal(size=(ROWS, 2)).astype(np.float32) + np.eye(2, dtype=np.float32)[labels]
    outputs = logits[:, 1:] - logits[:, :1] if form == "one" else logits
    given = np.eye(2, dtype=np.float32)[labels] if form == "columns" else labels
    expected = judged(name, labels, softmax(logits))
    shown = told(name, Answers("classification", form, 2, from_logits=True), given, outputs)
    assert shown == pytest.approx(expected, abs=TOLERANCE.get(name, 1e-4))


@pytest.mark.parametrize("name", [word.name for word in METRICS["multi_label"]])
def test_a_metric_of_several_labels_is_the_mean_over_them(name: str) -> None:
    labels = RANDOM.integers(0, 2, (ROWS, 3)).astype(np.float32)
    logits = (RANDOM.normal(size=(ROWS, 3)) + labels).astype(np.float32)
    expected = judged(name, labels, 1 / (1 + np.exp(-logits)))
    shown = told(name, Answers("multi_label", "columns", 3, from_logits=True), labels, logits)
    assert shown == pytest.approx(expected, abs=TOLERANCE.get(name, 1e-4))


NUMBERS = {
    "mae": sk.mean_absolute_error,
    "rmse": sk.root_mean_squared_error,
    "mse": sk.mean_squared_error,
    "mape": lambda y, p: 100 * sk.mean_absolute_percentage_error(y, p),
    "msle": sk.mean_squared_log_error,
    "log_cosh": lambda y, p: (np.logaddexp(y - p, p - y) - np.log(2)).mean(),
    "r2": sk.r2_score,
}


@pytest.mark.parametrize("name", [word.name for word in METRICS["regression"]])
def test_a_metric_of_numbers_is_that_of_scikit_learn(name: str) -> None:
    labels = RANDOM.uniform(1, 3, ROWS).astype(np.float32)
    outputs = (labels + RANDOM.normal(size=ROWS) / 4).astype(np.float32).clip(0.1)[:, None]
    shown = told(name, Answers("regression", "numbers", 1, from_logits=False), labels, outputs)
    assert shown == pytest.approx(NUMBERS[name](labels, outputs[:, 0]), rel=1e-3)


EVERY_METRIC = [(task, word.name) for task, table in METRICS.items() for word in table]


@cache
def trial_with_all_metrics(task: Task) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
    """What a trial reports last, and labels and outputs of the validation part."""
    data, names = DATA[task](), [name for of, name in EVERY_METRIC if of == task and name != "top_10_accuracy"]
    params = {"metrics": names, "layers": [], "batch_size": 40, "learning_rate": 0.03}
    with TemporaryDirectory() as folder:
        run = FakeRun(data, Path(folder), epochs=2)
        find.load(IMAGE if task == "classification" else TABULAR, Path(folder))(params, run)
        outputs = keras.saving.load_model(run.kept[0]).predict(data.x_validation, verbose=0)
    return run.reports[-1][1], data.y_validation, outputs


@pytest.mark.parametrize(("task", "name"), EVERY_METRIC, ids=["-".join(pair) for pair in EVERY_METRIC])
def test_a_trial_reports_every_metric_of_its_task_as_scikit_learn_has_it(task: Task, name: str) -> None:
    if name == "top_10_accuracy":  # no set that is shipped has more than ten classes
        with pytest.raises(ValueError, match="always 1 for 10 classes"):
            goal(model(10, few_digits()), few_digits(), words(metrics=[name]))
        return
    reported, labels, outputs = trial_with_all_metrics(task)
    assert np.isfinite(reported[name])
    if task == "regression":
        expected = NUMBERS[name](labels, outputs[:, 0])
    else:
        likely = 1 / (1 + np.exp(-outputs)) if task == "multi_label" else softmax(outputs)
        expected = judged(name, labels, likely)
    near = {"auc": 0.03, "pr_auc": 0.06}  # so few examples lie between Keras' thresholds
    assert reported[f"val_{name}"] == pytest.approx(expected, abs=near.get(name, 1e-3), rel=1e-3)


def test_a_metric_that_says_nothing_or_is_of_another_task_is_told() -> None:
    with pytest.raises(ValueError, match="'top_5_accuracy' is always 1 for 5 classes"):
        metric("top_5_accuracy", Answers("classification", "sparse", 5, from_logits=True))
    with pytest.raises(ValueError, match="the metric 'auc' is not for regression; expected one of mae"):
        metric("auc", Answers("regression", "numbers", 1, from_logits=False))


def test_which_way_is_better_is_known_of_every_metric() -> None:
    falling = {name for table in METRICS.values() for name in (word.name for word in table) if not rises(f"val_{name}")}
    assert falling == {"crossentropy", "mae", "rmse", "mse", "mape", "msle", "log_cosh"}


def test_the_objective_and_the_word_bring_their_metrics_each_once() -> None:
    data = few_digits()
    aim = goal(model(10, data), data, words(metrics=["f1", "accuracy"]), ("val_auc", "f1", "val_loss", "flops"))
    assert [one.name for one in aim.metrics] == ["accuracy", "f1", "auc"]
    for task, names in BY_TASK.items():
        assert set(names) <= {word.name for word in METRICS[task]}


def test_a_trial_reports_the_metric_of_its_objective_and_saves_a_model_without_our_classes(tmp_path: Path) -> None:
    run = FakeRun(few_tumours(), tmp_path, epochs=2)
    run.objectives = ("val_auc", "parameters")
    params = {"learning_rate": 0.03, "metrics": ["recall"], "layers": [{"units": 4}], "batch_size": 60}
    result = find.load(TABULAR, tmp_path)(params, run)
    assert {"auc", "val_auc", "recall", "val_recall"} <= set(run.reports[0][1])
    assert "parameters" not in run.reports[-1][1]
    trained = keras.saving.load_model(run.kept[0])
    scores = trained.predict(run.data.x_validation, verbose=0)
    likely = softmax(scores)[:, 1] if scores.shape[1] == 2 else scores[:, 0]
    assert result["val_auc"] == pytest.approx(sk.roc_auc_score(run.data.y_validation, likely), abs=0.02)
    with zipfile.ZipFile(run.kept[0]) as archive:
        assert b"trainers" not in archive.read("config.json")


# --- weights


def test_balanced_classes_weigh_alike() -> None:
    data = few_tumours()
    weights = example_weights(words(class_weight="balanced"), data)
    assert weights is not None
    assert weights.dtype == np.float32
    assert np.bincount(data.y_train, weights) == pytest.approx([len(data.y_train) / 2] * 2)


def test_class_weights_are_by_name_or_number_and_multiply_those_of_the_data() -> None:
    data = replace(few_tumours(), sample_weight_train=np.full(len(few_tumours().y_train), 0.5, np.float32))
    assert data.class_names is not None
    assert example_weights(words(), data) is data.sample_weight_train
    weights = example_weights(words(class_weight={data.class_names[1]: 3}), data)
    assert weights is not None
    assert weights.tolist() == np.where(data.y_train == 1, 1.5, 0.5).tolist()


@pytest.mark.parametrize(
    ("weight", "message"),
    [({"malignat": 1.0}, "'malignat' is not a class; did you mean 'malignant'"), ({"malignant": -1}, "at least 0")],
)
def test_wrong_class_weights_are_told(weight: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        example_weights(words(class_weight=weight), few_tumours())


def test_class_weights_of_a_regression_are_told() -> None:
    with pytest.raises(DataError, match="class_weight is for classification"):
        example_weights(words(class_weight="balanced"), few_patients())


def test_a_class_of_weight_zero_is_not_learned(tmp_path: Path) -> None:
    run = FakeRun(few_tumours(), tmp_path, epochs=1)
    nothing = dict.fromkeys(run.data.class_names or (), 0.0)
    find.load(TABULAR, tmp_path)({"class_weight": nothing, "layers": [], "batch_size": 60}, run)
    assert run.losses[0][0] == 0.0
    assert run.losses[0][1] > 0.0


# --- what is measured at the end


def test_every_measure_has_its_word() -> None:
    assert list(MEASURES) == [word.name for word in MEASURED] == list(measured_names())


def file_size(built: keras.Model) -> int:
    with TemporaryDirectory() as folder:
        built.save(Path(folder) / "model.keras")
        return (Path(folder) / "model.keras").stat().st_size


MEASURED_SO: dict[str, Callable[[float, keras.Model], bool]] = {
    "parameters": lambda found, built: found == 64 * 10 + 10,
    "flops": lambda found, built: found == pytest.approx(2 * 64 * 10 + 10, rel=0.01),
    "seconds_per_epoch": lambda found, built: found == 2.0,
    "latency_ms": lambda found, built: 0 < found < 1000,
    "model_bytes": lambda found, built: found == pytest.approx(file_size(built), rel=0.02),
}


@pytest.mark.parametrize("name", [word.name for word in MEASURED])
def test_a_measure_is_that_of_the_model(name: str) -> None:
    built = model(10, few_digits())
    found = measured([name, "val_accuracy"], built, few_digits(), [1.0, 5.0, 2.0])
    assert list(found) == [name]
    assert MEASURED_SO[name](found[name], built)


def test_constrained_metrics_are_reported_and_costs_are_told_before_the_first_epoch(tmp_path: Path) -> None:
    class Told(FakeRun):
        costs: Mapping[str, float] | None = None

        def cost(self, **metrics: float) -> None:
            assert self.reports == []
            self.costs = metrics

    run = Told(few_digits(), tmp_path, epochs=1)
    run.constraints = ("val_recall", "latency_ms", *BEFORE_TRAINING)
    result = find.load(IMAGE, tmp_path)({"layers": [{"filters": 4}], "batch_size": 80}, run)
    assert "val_recall" in run.reports[0][1]
    assert "latency_ms" in result
    assert run.costs == {name: result[name] for name in BEFORE_TRAINING}, "training has changed what the model costs"


def test_a_trial_that_costs_too_much_is_not_trained(tmp_path: Path) -> None:
    class Strict(FakeRun):
        def cost(self, **metrics: float) -> None:
            raise TrialOver

    run = Strict(few_digits(), tmp_path, epochs=1)
    run.constraints = ("parameters",)
    with pytest.raises(TrialOver):
        find.load(IMAGE, tmp_path)({"layers": [], "batch_size": 80}, run)
    assert (run.reports, run.kept) == ([], [])


def test_measured_objectives_come_with_the_result(tmp_path: Path) -> None:
    run = FakeRun(few_digits(), tmp_path, epochs=1)
    run.objectives = ("val_accuracy", "flops", "seconds_per_epoch")
    result = find.load(IMAGE, tmp_path)({"layers": [], "batch_size": 80}, run)
    assert result["flops"] > 1000
    assert result["seconds_per_epoch"] == run.reports[0][1]["seconds"]
    assert "flops" not in run.reports[0][1]

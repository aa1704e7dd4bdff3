"""A file's words are checked against its trainer, without Keras and in a moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from spaces.reader import parse
from spaces.spec import TrainerSpec
from spaces.vocabulary import Options
from trainers import words
from trainers.words.builtin import BUILTIN
from trainers.words.metrics import reported

FILE = """study: s
trainer: image
data: {source: digits}
objective: {maximize: val_accuracy}
budget: {trials: 3, epochs: 2}
space:
  learning_rate: {float: [1e-5, 1e-1], log: true}
"""


def told(text: str) -> list[str]:
    spec = parse(text, "space.yaml", Path())
    return [f"{problem.place.line}:{problem.place.column} {problem.message}" for problem in words.check(spec)]


def test_the_words_import_neither_keras_nor_anything_heavy() -> None:
    code = (
        "import sys, trainers.words, trainers.contract, trainers.find\n"
        "heavy = 'keras', 'tensorflow', 'numpy', 'sklearn', 'pandas', 'optuna'\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_right_file_has_no_problems() -> None:
    assert told(FILE) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("trainer: image", "trainer: imgae", "2:10 'imgae' is not a built-in trainer; did you mean 'image'?"),
        ("source: digits", "source: digit", "3:16 'digit' is not a data set; did you mean 'digits'?"),
        ("source: digits", "keras: cifar_10", "3:15 'cifar_10' is not a data set; did you mean 'cifar10'?"),
        ("source: digits", "source: iris", "2:10 the trainer 'image' can't train on 'iris'"),
        (
            "val_accuracy",
            "val_acuracy",
            "4:23 'val_acuracy' is not a metric of this trainer; did you mean",
        ),
        ("val_accuracy", "val_mae", "4:23 'val_mae' is not a metric of this trainer"),
        ("budget:", "constraints: {val_recal: {min: 1}}\nbudget:", "5:15 'val_recal' is not a metric of this trainer"),
        ("budget:", "constraints: {val_mae: {max: 1}}\nbudget:", "5:15 'val_mae' is not a metric of this trainer"),
        ("learning_rate", "lerning_rate", "7:3 space: 'lerning_rate' is not known here; did you mean"),
    ],
)
def test_an_unknown_word_is_told_at_its_place(old: str, new: str, message: str) -> None:
    (problem,) = told(FILE.replace(old, new))
    assert problem.startswith(message)


@pytest.mark.parametrize(
    "line",
    [
        "optimizer: {choice: {adma: {}, sgd: {}}}",
        "optimizer: {sgd: {momentum: {float: [0, 1]}}}",
        "optimizer: {rmsprop: {beta_1: 0.9}}",
        "schedule: {cosine: {warmup: 1.0}}",
        "batch_size: 0",
        "augment: {flip: up}",
        "augment: {optional: {rotation: {float: [0.0, 1.5]}}}",
        "layers: {repeat: [1, 2], each: {filter: 3}}",
        "layers: {repeat: [1, 2], each: {activation: {choice: [relu, gleu]}}}",
        "layers: {repeat: [1, 2], each: {choice: {conv: {filters: 0}, residual: {}}}}",
        "layers: {repeat: [1, 2], each: {conv: {kernel_regularizer: {l3: 0.1}}}}",
        "layers: {repeat: [1, 2], each: {choice: [conv, lstm]}}",
        "layers: {const: [{conv: {kernel_regularizer: orthogonal}}]}",
        "dense: {repeat: [1, 2], each: {conv: {filters: 3}}}",
        "backbone: {choice: {resnet50: {}, resnet_51: {}}}",
        "augment: {cutmix: 2}",
        "precision: float16",
        "dense: {const: [{units: 0}]}",
    ],
)
def test_what_a_trainer_cant_take_is_told_at_its_line(line: str) -> None:
    problems = told(f"{FILE}  {line}\n")
    assert len(problems) == 1, problems
    assert problems[0].startswith("8:")


@pytest.mark.parametrize(
    ("each", "message"),
    [
        ("{cnov: {filters: 3}}", "space.layers.each: 'cnov' is not known here; did you mean 'conv'?"),
        ("{conv: {filers: 3}}", "space.layers.each.conv: 'filers' is not known here; did you mean 'filters'?"),
        ("{filters: 3, dropot: 0.1}", "space.layers.each: 'dropot' is not known here; did you mean 'dropout'?"),
        ("{filters: 3, dropout: 1.5}", "space.layers.each.dropout: 1.5 is not below 1"),
        ("{dropout: {rate: 1.5}}", "space.layers.each.dropout.rate: 1.5 is not below 1"),
    ],
)
def test_a_wrong_block_is_told_as_the_kind_or_the_options_that_were_meant(each: str, message: str) -> None:
    (problem,) = told(f"{FILE}  layers: {{repeat: [1, 2], each: {each}}}\n")
    assert problem.split(" ", 1)[1] == message


def test_a_kind_that_the_trainers_data_cant_have_is_told_at_check() -> None:
    table = FILE.replace("digits", "iris").replace("image", "tabular")
    (problem,) = told(f"{table}  layers: {{const: [{{lstm: {{units: 3}}}}]}}\n")
    assert problem == "8:19 space.layers.0: 'lstm' is not known here"
    assert told(f"{table}  layers: {{const: [{{residual: {{filters: 3}}}}, dropout, {{units: 4}}]}}\n") == []


def test_a_models_own_words_are_let_through_and_those_of_training_are_checked() -> None:
    own = FILE.replace("trainer: image", "model: net.py:build")
    assert told(own + "  anything: {float: [0.0, 1.0]}\n") == []
    assert len(told(own + "  batch_size: many\n")) == 1


def test_all_words_of_a_loop_are_its_own() -> None:
    own = FILE.replace("trainer: image", "trainer: loop.py:train").replace("val_accuracy", "reward")
    assert words.vocabulary(TrainerSpec("loop", "loop.py:train", parse(FILE, "f", Path()).trainer.place)) is None
    assert told(own + "  optimizer: mine\n") == []


def test_any_metric_may_be_right_while_the_task_is_unknown() -> None:
    table = FILE.replace("source: digits", "csv: t.csv, label: y").replace("trainer: image", "trainer: tabular")
    assert told(table) == []
    assert told(table.replace("val_accuracy", "val_mae")) == []
    assert len(told(table.replace("label: y", "label: y, task: regression"))) == 1


@pytest.mark.parametrize("options", BUILTIN.values(), ids=BUILTIN)
def test_every_word_has_a_sentence_and_all_have_defaults(options: Options) -> None:
    for option in options.options:
        assert option.doc.endswith("."), option.name
        assert not option.required


def test_reported_metrics_are_those_of_the_task() -> None:
    assert "val_accuracy" in reported("classification")
    assert "val_accuracy" not in reported("regression")
    assert {"val_accuracy", "val_rmse", "loss"} <= set(reported(None))

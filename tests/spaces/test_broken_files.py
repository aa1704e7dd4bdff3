"""Every broken file is answered with one problem, at the exact spot, in words that a person can act on.

`▸` stands in front of the character at which the message must point; it is taken out before the file is read.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from spaces.errors import SpaceError
from spaces.reader import parse

HEAD = """\
study: broken
trainer: image
data: {source: digits}
objective: {maximize: val_accuracy}
budget: {trials: 5}
"""

# What is wrong · the file after `space:` · words of the message.
IN_SPACE: list[tuple[str, str, list[str]]] = [
    (
        "unknown option",
        "lr: {float: [1e-5, 1e-1], ▸lgo: true}",
        ["'lgo' is not an option of float", "did you mean 'log'?"],
    ),
    ("option of another kind", "lr: {choice: [1, 2], ▸step: 1}", ["'step' is not an option of choice", "one of prior"]),
    (
        "option beside const",
        "lr: {const: [1, 2], ▸prior: 1}",
        ["'prior' is not an option of const", "nothing beside const"],
    ),
    ("two kinds in one map", "lr: {float: [0.1, 1.0], ▸int: [1, 2]}", ["'int' can't stand beside 'float'"]),
    ("range is a number", "lr: {float: ▸3}", ["lr.float", "a list of two numbers", "received 3", "[low, high]"]),
    ("range is empty", "lr: {float: ▸[]}", ["a list of two numbers", "received []"]),
    ("range of three numbers", "n: {int: ▸[1, 2, 3]}", ["a list of two numbers", "write choice: [1, 2, 3]"]),
    ("range of a text", "lr: {float: [▸low, 1.0]}", ["low is not a number"]),
    ("range of true", "lr: {float: [▸true, 3.0]}", ["true is not a number"]),
    ("number in quotes", 'lr: {float: [▸"1e-5", 1e-1]}', ['"1e-5" is not a number', "write 1e-5 without quotes"]),
    ("number with underscores", "n: {int: [1, ▸1_000]}", ["not a whole number", "write 1000"]),
    (
        "reversed float range",
        "lr: {float: ▸[1e-1, 1e-5], log: true}",
        ["low is above high", "[0.1, 1e-05]", "write [1e-05, 0.1]"],
    ),
    ("reversed int range", "n: {int: ▸[4, 1]}", ["low is above high", "write [1, 4]"]),
    ("equal float ends", "lr: {float: ▸[0.5, 0.5]}", ["both ends are 0.5", "write 0.5 itself"]),
    ("equal int ends", "n: {int: ▸[3, 3]}", ["both ends are 3", "write 3 itself"]),
    ("infinite end", "lr: {float: [0.0, ▸.inf]}", [".inf is not a finite number"]),
    ("NaN end", "lr: {float: [▸.nan, 1.0]}", [".nan is not a finite number"]),
    ("end beyond doubles", "lr: {float: [0.0, ▸1e999]}", ["1e999 is not a finite number"]),
    ("range too wide", "lr: {float: ▸[-1.7e308, 1.7e308]}", ["too wide"]),
    ("log from zero", "lr: {float: ▸[0.0, 1.0], log: true}", ["a log range starts above 0", "leave log out"]),
    ("log from below zero in int", "n: {int: ▸[-3, 8], log: true}", ["a log range starts above 0"]),
    ("log with step", "lr: {float: [0.1, 1.0], log: true, ▸step: 0.1}", ["log and step exclude each other"]),
    ("log is a word", "lr: {float: [0.1, 1.0], log: ▸yes}", ["expected true or false", "write true"]),
    ("log is a number", "lr: {float: [0.1, 1.0], log: ▸1}", ["expected true or false", "write true"]),
    ("step of zero", "lr: {float: [0.1, 1.0], step: ▸0}", ["a step is above 0"]),
    ("step below zero", "n: {int: [1, 5], step: ▸-1}", ["a step is above 0", "received -1"]),
    ("step larger than the range", "n: {int: [1, 5], step: ▸6}", ["larger than the range", "at most 4"]),
    (
        "float step doesn't divide",
        "p: {float: [0.0, 0.5], step: ▸0.2}",
        ["don't lead from 0.0 to 0.5", "write [0.0, 0.4] or [0.0, 0.6]"],
    ),
    (
        "int step doesn't divide",
        "n: {int: [16, 100], step: ▸32}",
        ["don't lead from 16 to 100", "write [16, 80] or [16, 112]"],
    ),
    ("int range of fractions", "n: {int: [▸1.5, 3]}", ["1.5 is not a whole number", "write float"]),
    ("int range of whole floats", "n: {int: [1, ▸1e2]}", ["1e2 is not a whole number", "write 100"]),
    ("int beyond doubles", "n: {int: [0, ▸9007199254740993]}", ["too large", "2^53"]),
    ("number of 500 digits", "n: ▸" + "9" * 500, ["more than 400 digits"]),
    ("prior outside of the range", "lr: {float: [0.1, 1.0], prior: ▸2}", ["prior 2.0 is outside", "0.1 to 1.0"]),
    (
        "prior between two steps",
        "p: {float: [0.0, 0.5], step: 0.1, prior: ▸0.25}",
        ["between two steps", "write 0.2 or 0.3"],
    ),
    ("prior of int is a fraction", "n: {int: [1, 5], prior: ▸2.5}", ["2.5 is not a whole number"]),
    ("choice of nothing", "c: {choice: ▸[]}", ["nothing to choose from", "at least two options"]),
    ("choice is null", "c: {choice:▸ }", ["nothing to choose from", "a list of values or a map of branches"]),
    ("choice of one", "c: {choice: ▸[relu]}", ["one option is no choice", "write relu to fix it"]),
    ("choice of one list", "c: {choice: ▸[[1, 2]]}", ["write {const: [1, 2]} to fix it"]),
    ("choice of one branch", "c: {choice: ▸{adam: {}}}", ["one option is no choice", "write {adam: {}} to fix it"]),
    ("same option twice", "c: {choice: [relu, gelu, ▸relu]}", ["relu is the same as relu"]),
    ("equal options 1 and 1.0", "c: {choice: [1, ▸1.0]}", ["1.0 is the same as 1", "1, 1.0 and true are equal"]),
    ("equal options 1 and true", "c: {choice: [1, ▸true]}", ["true is the same as 1"]),
    ("equal list options", "c: {choice: [[1, 2], ▸[1.0, 2]]}", ["is the same as"]),
    (
        "map as an option",
        "c: {choice: [sgd, ▸{adam: 1}]}",
        ["an option in a list can't be a map", "write a map of branches"],
    ),
    ("list of lists as an option", "c: {choice: [1, ▸[[1]]]}", ["no deeper"]),
    ("NaN as an option", "c: {choice: [1.0, ▸.nan]}", [".nan is not a usable number"]),
    (
        "prior not among the options",
        "c: {choice: [relu, gelu], prior: ▸rleu}",
        ["the prior rleu is not an option", "'relu'", "one of relu, gelu"],
    ),
    ("prior true among numbers", "c: {choice: [1, 2], prior: ▸true}", ["the prior true is not an option"]),
    (
        "prior not among the branches",
        "c: {choice: {adam: {}, sgd: {}}, prior: ▸adm}",
        ["the prior adm is not an option", "'adam'"],
    ),
    ("branch called float", "c: {choice: {▸float: {}, int8: {}}}", ["a branch can't be called 'float'"]),
    ("optional of nothing", "a: {optional: ▸{}}", ["a.optional", "nothing stands under it"]),
    ("optional of a fixed null", "a: {optional: ▸{const: null}}", ["nothing stands under it"]),
    ("optional is null", "a: {optional:▸ }", ["nothing stands under it"]),
    ("prior of optional is a number", "a: {optional: {b: 1}, prior: ▸0.5}", ["expected true or false", "received 0.5"]),
    ("repeat without each", "l: {▸repeat: [1, 3]}", ["'each' is missing"]),
    ("each is null", "l: {repeat: [1, 3], ▸each: }", ["'each' is missing"]),
    ("repeat is a number", "l: {repeat: ▸3, each: {u: 1}}", ["how often is missing", "received 3"]),
    ("repeat below zero", "l: {repeat: ▸[-1, 3], each: {u: 1}}", ["low is below 0"]),
    ("reversed repeat", "l: {repeat: ▸[4, 2], each: {u: 1}}", ["low is above high", "write [2, 4]"]),
    ("repeat of fractions", "l: {repeat: [1, ▸2.5], each: {u: 1}}", ["2.5 is not a whole number"]),
    ("repeat never", "l: {repeat: ▸[0, 0], each: {u: 1}}", ["high is 0", "leave l out"]),
    ("repeat explodes", "l: {repeat: ▸[0, 1000000], each: {u: 1}}", ["more than 10000 parameters"]),
    (
        "nested repeats explode",
        "l: {repeat: ▸[0, 200], each: {repeat: [0, 200], each: {u: 1}}}",
        ["more than 10000 parameters"],
    ),
    ("prior of repeat outside", "l: {repeat: [1, 3], each: {u: 1}, prior: ▸4}", ["the prior 4 is outside of [1, 3]"]),
    ("misspelt each", "l: {repeat: [1, 3], each: {u: 1}, ▸eech: 1}", ["'eech' is not an option of repeat", "'each'"]),
    ("bare list", "kernel: ▸[3, 5]", ["kernel: a list could be", "{choice: [3, 5]}", "{const: [3, 5]}"]),
    ("bare list under a misspelt kind", "lr: {flaot: ▸[1e-5, 1e-1]}", ["did you mean 'float'?"]),
    ("bare list of maps", "l: ▸[{u: 1}]", ["write {choice: [{u: 1}]} to search it or {const: [{u: 1}]} to fix it"]),
    ("NaN below const", "k: {const: [1, {a: ▸.nan}]}", [".nan is not a usable number"]),
    ("fixed NaN", "k: ▸.nan", [".nan is not a usable number"]),
    ("key with a dot", "▸a.b: 1", ["'a.b' has a dot", "nest it"]),
    ("empty key", '▸"": 1', ["a key is empty"]),
    ("key with a blank at its end", '▸"a ": 1', ['"a " has spaces around it']),
    ("no blank after the colon", "lr: {▸a:1}", ["'a:1' has a colon", "put a space after the colon"]),
    ("key is a number", "▸1: {float: [0.1, 0.2]}", ["a key must be text", 'write "1"']),
    ("key is true", "c: {choice: {▸true: {}, b: {}, d: {}}}", ["a key must be text", 'write "true"']),
    ("key is a list", "▸[a, b]: 1", ["a list or map can't be a key"]),
    ("same key twice", "lr: 1\n  ▸lr: 2", ["'lr' stands twice", "line 7"]),
    ("same option twice in a parameter", "lr: {float: [0.1, 1.0], log: true, ▸log: true}", ["'log' stands twice"]),
    ("merge key", "a: &a {u: 1}\n  b: {▸<<: *a}", ["'<<' (merge)", "write the keys out"]),
    ("python tag", "a: ▸!!python/object/apply:os.system ls", ["'!!python/object/apply:os.system' is a tag"]),
    ("str tag", "a: ▸!!str 1", ["'!!str' is a tag", "take it out"]),
    ("unknown alias", "a: ▸*nobody", ["'*nobody' repeats a value that has no anchor"]),
    ("alias inside itself", "a: &a {b: ▸*a}", ["'*a' stands inside the value '&a'"]),
    ("nothing searched", "a: 1", []),
]

# What is wrong · the whole file · words of the message.
WHOLE: list[tuple[str, str, list[str]]] = [
    ("empty file", "▸", ["a space file is a map", "an empty file", "init"]),
    ("only a comment", "▸# nothing\n", ["an empty file"]),
    ("a list", "▸- a\n- b\n", ["a space file is a map", "received a list"]),
    ("only a text", "▸hello\n", ["a space file is a map", "received hello"]),
    ("second document", HEAD + "space: {a: {choice: [1, 2]}}\n▸---\nstudy: b\n", ["a second document starts here"]),
    ("tab as indentation", HEAD + "space:\n▸\tlr: 1\n", ["a tab stands where YAML needs spaces", "indent with spaces"]),
    (
        "list not closed",
        HEAD + "space:\n  lr: {float: ▸[1, 2}\n",
        ["the list that opens here is not closed", "close it with ']'"],
    ),
    (
        "map not closed",
        HEAD + "space:\n  lr: ▸{float: [1, 2]\n  b: 1\n",
        ["the map that opens here is not closed", "close it with '}'"],
    ),
    ("quotes not closed", HEAD + 'space:\n  lr: ▸"abc\n', ["the quotes that open here are not closed"]),
    ("two keys on a line", HEAD + "space:\n  lr: a▸: 1\n", ["a second 'key:' on this line"]),
    ("crooked indentation", HEAD + "space:\n  lr: {choice: [1, 2]}\n ▸ds: 1\n", ["doesn't fit the indentation"]),
    ("no colon", HEAD + "space:\n  ▸lr\n  b: 1\n", ["no ':' after this"]),
    ("text that starts with @", HEAD + "space:\n  a: ▸@b\n", ["'@' can't start a value", "quotes"]),
    ("text that starts with *", HEAD + "space:\n  a: ▸* b\n", ["'*' must be quoted"]),
    ("unknown escape", HEAD + 'space:\n  a: "\\▸d"\n', ["no escape of YAML"]),
    ("control character", HEAD + "space:\n  a: ▸\x07\n", ["U+0007", "take it out"]),
    ("NUL by escape", HEAD + 'space:\n  a: {choice: [▸"\\0", b]}\n', ["can't be stored"]),
    ("unknown key", HEAD + "▸spaces: {}\n", ["'spaces' is not a key of a space file", "'space'"]),
    ("space missing", "▸" + HEAD, ["'space' is missing"]),
    ("space is a list", HEAD + "space: ▸[1, 2]\n", ["space: not a map", "received [1, 2]"]),
    ("space is a parameter", HEAD + "space: {▸float: [1, 2]}\n", ["'float' needs a name above it"]),
    (
        "parameter name too long",
        HEAD + "space:\n  " + "a" * 500 + ": {" + "b" * 20 + ": ▸{choice: [1, 2]}}\n",
        ["longer than 512"],
    ),
]

# What is wrong · the section · what stands in its place, nothing if it is missing · words of the message.
SECTIONS: list[tuple[str, str, str, list[str]]] = [
    ("study is a number", "study", "study: ▸2024", ["study: not a text", 'write "2024"']),
    ("study is empty", "study", 'study: ▸""', ["study: not a text"]),
    ("study is too long", "study", "study: ▸" + "a" * 201, ["1 to 200 characters"]),
    ("study has a line break", "study", 'study: ▸"a\\nb"', ["not a name"]),
    ("no trainer", "trainer", "", ["lacks trainer or model"]),
    ("trainer and model", "trainer", "trainer: image\n▸model: a.py:b", ["'model' can't stand beside 'trainer'"]),
    ("misspelt trainer key", "trainer", "▸trainr: image", ["'trainr' is not a key", "'trainer'"]),
    ("trainer file without function", "trainer", "trainer: ▸train.py", ["no function", "write train.py:train"]),
    ("model without function", "trainer", "model: ▸my_net", ["model: no function", "write my_net:build"]),
    ("trainer is a map", "trainer", "trainer: ▸{image: 1}", ["trainer: not a text"]),
    ("no data", "data", "", ["'data' is missing"]),
    ("data is a word", "data", "data: ▸digits", ["data: not a map", "received digits"]),
    (
        "no source",
        "data",
        "data: ▸{validation: 0.2}",
        ["data lacks source, npz, csv, parquet, images, texts, dataset, tfrecord or keras"],
    ),
    ("two sources", "data", "data: {source: digits, ▸npz: a.npz}", ["'npz' can't stand beside 'source'"]),
    ("source is a file", "data", "data: {source: ▸a.csv}", ["neither a set nor a function", "write csv: a.csv"]),
    ("validation of 20", "data", "data: {source: digits, validation: ▸20}", ["20.0 is no fraction"]),
    ("csv without label", "data", "data: ▸{csv: a.csv}", ["'label' is missing"]),
    ("text is ignored", "data", "data: {csv: a.csv, label: y, text: t, ignore: [▸t]}", ["'t' is under text already"]),
    ("a label among weights", "data", "data: {csv: a.csv, label: [y, z], weights: ▸z}", ["'z' is the label"]),
    ("a label twice", "data", "data: {csv: a.csv, label: [y, ▸y]}", ["'y' is there twice"]),
    ("unknown padding", "data", "data: {source: a.py:f, padding: ▸past}", ["did you mean 'post'?"]),
    ("no length", "data", "data: {texts: a, length: ▸0}", ["0 is outside of the range"]),
    ("source is a table", "data", "data: {source: ▸a.parquet}", ["write parquet: a.parquet"]),
    ("dataset is no function", "data", "data: {dataset: ▸a.tfrecord}", ["data.dataset: no function"]),
    ("cache without stream", "data", "data: {csv: a.csv, label: y, ▸cache: true}", ["add stream: true"]),
    ("cache is a number", "data", "data: {dataset: 'a.py:f', cache: ▸3}", ["cache: not a text"]),
    ("shape of a word", "data", "data: {tfrecord: a, shape: ▸3}", ["not a shape", "a list of whole numbers"]),
    ("label is ignored", "data", "data: {csv: a.csv, label: y, ignore: [a, ▸y]}", ["'y' is the label"]),
    ("columns are a word", "data", "data: {csv: a.csv, label: y, categorical: ▸a}", ["not a list", "write [a]"]),
    ("option of another source", "data", "data: {npz: a.npz, ▸label: y}", ["'label' is not a key of data"]),
    ("unknown task", "data", "data: {npz: a.npz, task: ▸clasification}", ["did you mean 'classification'?"]),
    ("size of one number", "data", "data: {images: a, size: ▸32}", ["[height, width]"]),
    ("two channels", "data", "data: {images: a, channels: ▸2}", ["neither 1 (grey) nor 3 (colour)"]),
    ("no objective", "objective", "", ["'objective' is missing"]),
    ("objective is a word", "objective", "objective: ▸val_loss", ["no direction", "write {minimize: val_loss}"]),
    ("misspelt direction", "objective", "objective: {▸maximise: a}", ["'maximise'", "'maximize'"]),
    ("both directions", "objective", "objective: {maximize: a, ▸minimize: b}", ["can't stand beside"]),
    ("no objectives", "objective", "objective: ▸[]", ["the list is empty"]),
    ("same metric twice", "objective", "objective: [{maximize: a}, ▸{minimize: a}]", ["'a' is there twice"]),
    ("constraints are a list", "constraints", "constraints: ▸[parameters]", ["constraints: not a map"]),
    ("no constraints", "constraints", "constraints: ▸{}", ["the map is empty", "{metric: {min"]),
    ("a constraint is a number", "constraints", "constraints: {a: ▸3}", ["constraints.a: not a map", "write {max: …}"]),
    ("a constraint without ends", "constraints", "constraints: {a: ▸{}}", ["neither min nor max"]),
    ("a constraint's other key", "constraints", "constraints: {a: {▸mox: 3}}", ["'mox'", "did you mean 'max'"]),
    ("min above max", "constraints", "constraints: {a: ▸{min: 2, max: 1}}", ["min is above max", "received min 2.0"]),
    ("an end in words", "constraints", "constraints: {a: {max: ▸many}}", ["constraints.a.max", "a number"]),
    ("an end without end", "constraints", "constraints: {a: {max: ▸.inf}}", ["not a finite number"]),
    ("a constraint twice", "constraints", "constraints: {a: {max: 1}, ▸a: {min: 0}}", ["'a' stands twice"]),
    ("not a metric", "constraints", 'constraints: {▸"a b": {max: 1}}', ["not a metric"]),
    ("no budget", "budget", "", ["'budget' is missing"]),
    ("budget is a number", "budget", "budget: ▸50", ["budget: not a map", "received 50"]),
    ("no trials", "budget", "budget: ▸{epochs: 5}", ["'trials' is missing"]),
    ("zero trials", "budget", "budget: {trials: ▸0}", ["budget.trials: 0 is outside"]),
    ("epochs a fraction", "budget", "budget: {trials: 5, epochs: ▸1.5}", ["1.5 is not a whole number"]),
    ("time in words", "budget", "budget: {trials: 5, time: ▸2 hours}", ["not a time", "2h, 90m, 1h30m"]),
    ("time of zero", "budget", "budget: {trials: 5, trial_time: ▸0s}", ["budget.trial_time: not a time"]),
    ("seed too large", "algorithm", "algorithm: {seed: ▸2147483648}", ["algorithm.seed", "0 to 2147483647"]),
    (
        "two samplers",
        "algorithm",
        "algorithm: {sampler: ▸{tpe: {}, gp: {}}}",
        ["not a sampler", "one word with its options"],
    ),
    ("sampler is a list", "algorithm", "algorithm: {sampler: ▸[tpe]}", ["not a sampler", "received [tpe]"]),
    (
        "search in the sampler",
        "algorithm",
        "algorithm: {sampler: {tpe: {n_startup_trials: {▸int: [1, 2]}}}}",
        ["nothing is searched outside of space"],
    ),
    (
        "unknown key of algorithm",
        "algorithm",
        "algorithm: {▸sampeler: tpe}",
        ["'sampeler' is not a key of algorithm", "'sampler'"],
    ),
]


def _in_space(body: str) -> str:
    # The one file in which the key `space` itself is what the message points at.
    space = "▸space" if "▸" not in body else "space"
    return f"{HEAD}{space}:\n  {body}\n"


def _with_section(name: str, section: str) -> str:
    lines = dict(zip(("study", "trainer", "data", "objective", "budget"), HEAD.splitlines(), strict=True))
    lines |= {name: section, "space": "space: {a: {choice: [1, 2]}}"}
    # What is missing is missing in the file as a whole: the message points at its start.
    return ("" if section else "▸") + "\n".join(line for line in lines.values() if line) + "\n"


CASES = [pytest.param(_in_space(body), words, id=what) for what, body, words in IN_SPACE]
CASES += [pytest.param(text, words, id=what) for what, text, words in WHOLE]
CASES += [pytest.param(_with_section(name, section), words, id=what) for what, name, section, words in SECTIONS]


@pytest.mark.parametrize(("text", "words"), CASES)
def test_broken_file_is_told_once_at_the_exact_spot(text: str, words: list[str]) -> None:
    before, _, after = text.partition("▸")
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1

    with pytest.raises(SpaceError) as caught:
        parse(before + after, "space.yaml", Path("."))

    message = str(caught.value)
    assert len(caught.value.problems) == 1, message
    assert message.startswith(f"space.yaml:{line}:{column}: ")
    assert [word for word in words if word not in message] == []


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    text = "studdy: a\nobjective: loss\nspace:\n  lr: {float: [2, 1], lgo: true}\n  k: [1]\n  lr: 3\n"
    with pytest.raises(SpaceError) as caught:
        parse(text, "s.yaml", Path("."))
    spots = [(problem.place.line, problem.place.column) for problem in caught.value.problems]
    assert spots == [(1, 1), (1, 1), (1, 1), (1, 1), (2, 12), (4, 15), (4, 23), (5, 6), (6, 3)]


def test_message_shows_the_line_a_caret_what_was_received_and_the_way_out() -> None:
    text = HEAD + "space:\n  learning_rate: {float: [1e-1, 1e-5], log: true}\n"
    with pytest.raises(SpaceError) as caught:
        parse(text, "space.yaml", Path("."))
    assert str(caught.value).splitlines() == [
        "space.yaml:7:26: learning_rate.float: low is above high",
        "      learning_rate: {float: [1e-1, 1e-5], log: true}",
        "                             ^",
        "  received [0.1, 1e-05]; expected [low, high] with low < high",
        "  write [1e-05, 0.1]",
    ]


@pytest.mark.parametrize("levels", [30, 100_000])
def test_deep_nesting_is_refused_without_a_traceback(levels: int) -> None:
    depth = "[" * levels + "]" * levels
    with pytest.raises(SpaceError):
        parse(f"{HEAD}space:\n  a: {depth}\n", "space.yaml", Path("."))


def test_aliases_that_explode_are_refused_quickly() -> None:
    lines = ["  a0: &a0 {const: [x, x, x, x, x, x, x, x, x]}"]
    lines += [f"  a{n}: &a{n} {{const: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 12)]
    with pytest.raises(SpaceError, match="grows beyond 10000 values"):
        parse(HEAD + "space:\n" + "\n".join(lines), "space.yaml", Path("."))


def test_invalid_escape_code_is_a_problem_of_the_file() -> None:
    with pytest.raises(SpaceError, match="no character"):
        parse(HEAD + 'space:\n  a: "\\U00110000"\n', "space.yaml", Path("."))

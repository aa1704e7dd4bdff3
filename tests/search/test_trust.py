"""What stands in a database becomes an import or an open file only where the worker's own operator allows it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from claimers import spec_of

from search import trust
from search.errors import InputError
from spaces.errors import SpaceError
from spaces.kinds import Either, Kind, Listed, Many, OneWord, Options, Text
from spaces.sources import SOURCES
from spaces.spec import StudySpec
from trainers.named import WORDS, named
from trainers.words.builtin import BUILTIN
from trainers.words.training import TRAINING

LOOP = "trainer: train.py:train"
DIGITS = "trainer: image\ndata: {source: digits}"
LR = "  learning_rate: {float: [0.1, 1.0]}\n"


def spec(head: str = LOOP, space: str = LR, folder: Path | None = None) -> StudySpec:
    text = f"study: s\n{head}\nobjective: {{maximize: val_accuracy}}\nbudget: {{trials: 2}}\nspace:\n{space}"
    return spec_of(text, folder)


def names(given: StudySpec) -> list[tuple[str, str, str]]:
    return [(name.kind, name.word, name.reference) for name in named(given)]


# --- what a file names


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (DIGITS, []),
        ("trainer: image\ndata: {keras: cifar10}", []),
        (LOOP, [("code", "trainer", "train.py:train")]),
        ("model: pkg.net:build\ndata: {source: digits}", [("code", "model", "pkg.net:build")]),
        ("trainer: image\ndata: {source: 'os:getcwd'}", [("code", "data.source", "os:getcwd")]),
        ("trainer: image\ndata: {dataset: 'd.py:sets'}", [("code", "data.dataset", "d.py:sets")]),
        ("trainer: image\ndata: {npz: /etc/x.npz}", [("file", "data.npz", "/etc/x.npz")]),
        ("trainer: image\ndata: {images: pictures}", [("file", "data.images", "pictures")]),
        ("trainer: text\ndata: {texts: ../texts}", [("file", "data.texts", "../texts")]),
        ("trainer: tabular\ndata: {parquet: 'p/*.parquet', label: y}", [("file", "data.parquet", "p/*.parquet")]),
        ("trainer: image\ndata: {tfrecord: t.tfrecord}", [("file", "data.tfrecord", "t.tfrecord")]),
        (
            "trainer: tabular\ndata: {csv: t.csv, label: y, stream: true, cache: ../../c}",
            [("file", "data.csv", "t.csv"), ("file", "data.cache", "../../c")],
        ),
    ],
)
def test_trainer_and_data_name_code_and_files(head: str, found: list[tuple[str, str, str]]) -> None:
    assert names(spec(head)) == found


@pytest.mark.parametrize(
    ("space", "found"),
    [
        ("  backbone: {resnet50: {weights: imagenet}}\n", []),
        ("  backbone: {resnet50: {weights: w.h5}}\n", [("file", "backbone.resnet50.weights", "w.h5")]),
        (
            "  backbone: {choice: {vgg16: {weights: {choice: [none, /a.h5, b.h5]}}, xception: {}}}\n",
            [
                ("file", "backbone.choice.vgg16.weights", "/a.h5"),
                ("file", "backbone.choice.vgg16.weights", "b.h5"),
            ],
        ),
        ("  callbacks: {csv_log: {folder: /etc}}\n", [("file", "callbacks.csv_log.folder", "/etc")]),
        (
            "  callbacks: {tensorboard: {optional: {folder: t}}}\n",
            [("file", "callbacks.tensorboard.optional.folder", "t")],
        ),
        (
            "  callbacks: {own: {class: 'subprocess:Popen', options: {args: [rm]}}}\n".replace("[rm]", "rm"),
            [("code", "callbacks.own.class", "subprocess:Popen")],
        ),
        (
            "  callbacks: {own: {const: [{class: 'a.py:A'}, {class: 'b:B'}]}}\n",
            [("code", "callbacks.own.const.class", "a.py:A"), ("code", "callbacks.own.const.class", "b:B")],
        ),
        (
            "  callbacks: {own: {choice: {class: 'a:A', other: 1}}}\n",
            [("code", "callbacks.own.choice.class", "a:A")],
        ),
    ],
)
@pytest.mark.parametrize("head", [DIGITS, "model: n:b\ndata: {source: digits}"])
def test_words_of_the_space_name_code_and_files_in_whichever_branch(
    head: str, space: str, found: list[tuple[str, str, str]]
) -> None:
    ours = head is DIGITS or "callbacks" in space  # beside a model of the user's, `backbone` is the user's own word
    model = [] if head is DIGITS else [("code", "model", "n:b")]
    assert names(spec(head, LR + space)) == model + (found if ours else [])


def test_every_option_that_is_a_text_is_known_to_be_a_name_or_no_name() -> None:
    """A new option with a path or a function in it must be told to `trainers.named`."""
    harmless = {"monitor", "separator", "exclude_layers", "log"}  # of preprocessing: columns

    def texts(kind: Kind, name: str) -> set[str]:
        match kind:
            case Text():
                return {name}
            case Listed(inner):
                return texts(inner, name)
            case Either(kinds):
                return set().union(*(texts(one, name) for one in kinds))
            case Many(inner):
                return texts(inner, name)
            case OneWord(words):
                return set().union(*(texts(word.kind, word.name) for word in words if word.kind is not None))
            case Options(options):
                return set().union(*(texts(option.kind, option.name) for option in options))
        return set()

    found = set().union(*(texts(options, "") for options in BUILTIN.values()), texts(Options(TRAINING), ""))
    assert set(WORDS) <= found
    assert found - set(WORDS) - harmless == set()
    of_data = {option.name for source in SOURCES for option in source.options if texts(option.kind, option.name)}
    assert of_data - {"cache"} == {"label", "text", "categorical", "ignore", "weights", "separator", "x", "y"}


# --- what is let through


def test_a_study_of_words_alone_needs_nobodys_leave() -> None:
    given = spec(DIGITS)
    assert trust.admitted(given, (), Path("/here")) == replace(given, folder=Path("/here"))


def test_what_run_vouches_for_is_used_as_it_is_and_nothing_else(tmp_path: Path) -> None:
    mine = spec(folder=tmp_path)
    vouched = (trust.fingerprint(mine),)
    assert trust.admitted(mine, vouched, Path("/here")) is mine
    changed = [
        spec(folder=tmp_path / "elsewhere"),
        spec("trainer: evil.py:train", folder=tmp_path),
        spec(space="  learning_rate: {float: [0.1, 2.0]}\n", folder=tmp_path),
    ]
    for other in changed:
        with pytest.raises(InputError, match="nobody has allowed here"):
            trust.admitted(other, vouched, tmp_path)
    streamed = "trainer: tabular\ndata: {csv: t.csv, label: y, stream: true, cache: CACHE}"
    mine = spec(streamed.replace("CACHE", "kept"), folder=tmp_path)
    with pytest.raises(InputError, match=r"data\.cache: '/etc/kept'"):
        trust.admitted(
            spec(streamed.replace("CACHE", "/etc/kept"), folder=tmp_path), (trust.fingerprint(mine),), tmp_path
        )


@pytest.mark.parametrize(
    ("head", "allowed"),
    [
        (LOOP, "train.py"),
        (LOOP, "."),
        (LOOP, "HERE/train.py"),
        ("trainer: sub/../train.py:train", "train.py"),
        ("trainer: pkg.sub.loops:train", "pkg"),
        ("trainer: pkg.sub.loops:train", "pkg.sub.loops"),
        ("trainer: image\ndata: {npz: data/a.npz}", "data"),
        ("trainer: tabular\ndata: {csv: 'data/*.csv', label: y}", "data"),
    ],
)
def test_what_the_operator_names_is_allowed(head: str, allowed: str, tmp_path: Path) -> None:
    given = spec(head, folder=Path("/somebody/elses"))
    admitted = trust.admitted(given, (allowed.replace("HERE", str(tmp_path)),), tmp_path)
    assert admitted.folder == tmp_path


@pytest.mark.parametrize(
    ("head", "allowed"),
    [
        (LOOP, "other.py"),
        (LOOP, "train"),
        ("trainer: /elsewhere/train.py:train", "train.py"),
        ("trainer: ../train.py:train", "train.py"),
        ("trainer: data/../../train.py:train", "data"),
        ("trainer: link/train.py:train", "link/../train.py"),
        ("trainer: outside/train.py:train", "inside"),
        ("trainer: pkgevil:train", "pkg"),
        ("trainer: os:system", "train.py"),
        ("trainer: image\ndata: {npz: /etc/a.npz}", "data"),
        ("trainer: tabular\ndata: {csv: '/etc/*.csv', label: y}", "data"),
        ("trainer: tabular\ndata: {csv: 'data/../*', label: y}", "data"),
    ],
)
def test_what_the_operator_did_not_name_is_refused_with_the_flag_that_would_allow_it(
    head: str, allowed: str, tmp_path: Path
) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "outside").mkdir()
    with pytest.raises(InputError) as refused:
        trust.admitted(spec(head, folder=tmp_path), (allowed,), tmp_path)
    told = str(refused.value)
    reference = head.splitlines()[-1].removeprefix("trainer: ")
    assert "whoever can write to the database can write a study" in told
    assert "your own copy of its space file" in told
    assert f"--allow {reference.rpartition(':')[0]}" in told or "--allow" in told


def test_a_link_inside_an_allowed_folder_does_not_lead_out_of_it(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "secret.py").touch()
    (tmp_path / "mine" / "train.py").symlink_to(tmp_path / "secret.py")
    with pytest.raises(InputError):
        trust.admitted(spec("trainer: mine/train.py:train"), ("mine",), tmp_path)


def test_a_file_may_be_allowed_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("def train(params, run): pass")
    content = hashlib.sha256((tmp_path / "train.py").read_bytes()).hexdigest()
    assert trust.admitted(spec(), (f"sha256:{content}",), tmp_path).folder == tmp_path
    (tmp_path / "train.py").write_text("import os")
    with pytest.raises(InputError):
        trust.admitted(spec(), (f"sha256:{content}",), tmp_path)


def test_a_stored_study_is_checked_word_by_word_before_it_reaches_keras() -> None:
    with pytest.raises(SpaceError, match="optimiser"):
        trust.admitted(spec(DIGITS, LR + "  optimiser: adam\n"), (), Path("/here"))

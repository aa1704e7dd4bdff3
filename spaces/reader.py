"""What does a space file say? Reads it whole, and tells everything that is wrong with it at once."""

from __future__ import annotations

from pathlib import Path

from spaces.data_section import read_data
from spaces.document import Entries, Items, Leaf, Tree, compose, plain
from spaces.errors import Place, Problem, Problems, SpaceError, nearest
from spaces.parameters import Fixed, Map, Node, names, searched
from spaces.scalars import written
from spaces.section import Section
from spaces.sections import read_budget, read_constraints, read_objectives, read_trainer
from spaces.spec import AlgorithmSpec, StudySpec
from spaces.tree import KINDS, LONGEST_NAME, check_key, read_map

LARGEST_FILE = 1_000_000
"""In bytes."""

_KEYS = ("study", "trainer", "model", "data", "objective", "constraints", "budget", "algorithm", "space")
_LARGEST_SEED = 2**31 - 1


def read(path: Path) -> StudySpec:
    """Return what the file at `path` says; paths in it will be relative to its folder.

    Raises SpaceError with every problem of the file, one that can't be opened included.
    """
    return parse(_text(path), str(path), path.absolute().parent)


def parse(text: str, file: str, folder: Path) -> StudySpec:
    """Return what `text` says; `file` is what messages call it, `folder` what paths in it are relative to.

    Raises SpaceError with every problem of the text.
    """
    problems = Problems()
    text = text.removeprefix("\ufeff")
    tree = compose(text, file, problems)
    if not isinstance(tree, Entries):
        place = Place(file, 1, 1) if tree is None else tree.place
        received = "an empty file" if tree is None else "a list" if isinstance(tree, Items) else written(plain(tree))
        hint = "python -m search init writes a file to start from"
        raise SpaceError(
            [*problems, Problem(place, "a space file is a map", received, "study:, trainer:, …, space:", hint)]
        )
    spec = _study(tree, text, file, folder, problems)
    if spec is None or problems:
        raise SpaceError(problems, spec)
    return spec


def _text(path: Path) -> str:
    """Return the text of a file, or raise SpaceError with a way out."""
    place = Place(str(path), 1, 1)
    try:
        if path.exists() and not path.is_file() and not path.is_dir():  # opening a pipe would wait for ever
            raise SpaceError([Problem(place, "expected a file; this is a pipe or a device")])
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        beside = [str(path.parent / known.name) for known in path.parent.glob("*.y*ml")]
        near = nearest(str(path), beside)
        hint = f"did you mean '{near}'?" if near else None
        raise SpaceError([Problem(place, "there is no such file", hint=hint)]) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SpaceError([Problem(place, f"the file can't be read: {reason}")]) from None
    if len(content) > LARGEST_FILE:
        raise SpaceError([Problem(place, "the file is larger than 1 MB", hint="data belongs in a file of its own")])
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8").removeprefix("\ufeff")
        place = Place(str(path), before.count("\n") + 1, len(before) - before.rfind("\n"))
        hint = "save the file as UTF-8"
        raise SpaceError(
            [Problem(place, "the file is not UTF-8", f"byte 0x{content[error.start]:02x}", hint=hint)]
        ) from None


def _study(tree: Entries, text: str, file: str, folder: Path, problems: Problems) -> StudySpec | None:
    """Read every section; None where one of them leaves nothing to go on with."""
    top = Section(tree, "a space file", problems, _KEYS)
    top.check_keys()
    study = _name(top, Path(file).stem)
    trainer = read_trainer(top)
    loop = trainer is not None and trainer.kind == "loop"
    data = read_data(top, required=not loop)
    objectives = read_objectives(top)
    constraints = read_constraints(top)
    budget = read_budget(top)
    algorithm = _algorithm(top)
    space = _space(top, 0 if budget is None else budget.trials)
    if trainer is None or budget is None or space is None or not objectives:
        return None
    return StudySpec(study, trainer, data, objectives, budget, algorithm, space, text, folder, file, constraints)


def _name(top: Section, stem: str) -> str:
    """Read `study:`; without it the file's name is the study's."""
    entry = top.get("study")
    if entry is None:
        return stem
    name = top.text("study")
    if name is None:
        return stem
    if not 1 <= len(name) <= 200 or not name.isprintable() or name != name.strip():
        top.problems.add(entry.value.place, "study: not a name", expected="1 to 200 characters that can be seen")
    return name


def _algorithm(top: Section) -> AlgorithmSpec:
    """Read `algorithm:`; whether sampler and pruner exist is judged by whoever knows them."""
    section = top.section("algorithm", ("sampler", "pruner", "seed"))
    if section is None:
        return AlgorithmSpec()
    section.check_keys()
    seed = section.whole("seed", 0, _LARGEST_SEED)
    return AlgorithmSpec(_word(section, "sampler"), _word(section, "pruner"), seed)


def _word(section: Section, key: str) -> Node | None:
    """Read one word, or one word with its options."""
    entry = section.get(key)
    if entry is None:
        return None
    tree = entry.value
    if isinstance(tree, Leaf) and isinstance(tree.value, str):
        return Fixed(tree.value, tree.place)
    if isinstance(tree, Entries) and len(tree.entries) == 1:
        return _plain_node(tree, section.problems)
    expected = "a word, or one word with its options: {word: {option: value}}"
    section.problems.add(tree.place, f"algorithm.{key}: not a {key}", written(plain(tree)), expected)
    return None


def _plain_node(tree: Tree, problems: Problems) -> Node:
    """Return values as a node; nothing is searched in it."""
    if not isinstance(tree, Entries):
        return Fixed(plain(tree), tree.place)
    for key, entry in tree.entries.items():
        check_key(key, entry.place, problems)
        if key in KINDS:
            problems.add(entry.place, f"'{key}' has no meaning here: nothing is searched outside of space")
    items = {key: _plain_node(entry.value, problems) for key, entry in tree.entries.items()}
    return Map(items, tree.place, {key: entry.place for key, entry in tree.entries.items()})


def _space(top: Section, trials: int) -> Map | None:
    """Read `space:`; more than one trial needs something to search."""
    entry = top.required("space", "what is searched: a map of parameters")
    if entry is None:
        return None
    problems, found = top.problems, len(top.problems)
    if not isinstance(entry.value, Entries):
        problems.add(entry.value.place, "space: not a map", written(plain(entry.value)), "a map of parameters")
        return None
    if kinds := [key for key in entry.value.entries if key in KINDS]:
        first = entry.value.entries[kinds[0]].place
        problems.add(first, f"space: '{kinds[0]}' needs a name above it", hint=f"write name: {{{kinds[0]}: …}}")
        return None
    space = read_map(entry.value, "", problems)
    if len(problems) > found:
        return space
    below_it = any(problem.place.line >= entry.place.line for problem in problems)
    if not names(space) and trials > 1 and not below_it:
        hint = "write a parameter such as learning_rate: {float: [1e-4, 1e-1], log: true}, or budget: {trials: 1}"
        problems.add(entry.place, "space: nothing is searched", hint=hint)
    for name, node in searched(space):
        if len(name) > LONGEST_NAME:
            message = f"the name of a parameter is longer than {LONGEST_NAME} characters here"
            problems.add(node.place, message, f"{name[:20]}…{name[-20:]}", hint="shorten the keys above it")
            break
    return space

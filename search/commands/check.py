"""Read a space file and check every word of it; nothing is started and no database is needed."""

from __future__ import annotations

import argparse
import json

from search.commands import arguments as common
from search.errors import InputError
from search.plan import checked, summary
from search.settings import Settings
from spaces.parameters import names
from spaces.spec import StudySpec

MODELS = 3  # how many sampled models `--build` builds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the file, and whether to build models."""
    common.space_file(parser)
    parser.add_argument("--build", action="store_true", help=f"also load the data and build {MODELS} sampled models")
    common.json_output(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Check the file; problems are raised as SpaceError."""
    spec = checked(arguments.file)
    lines = _built(spec) if arguments.build else []
    if settings.json:
        print(json.dumps({"study": spec.study, "parameters": list(names(spec.space)), "models": lines}))
        return 0
    print("\n".join([f"{spec.file}: fine", *(f"  {line}" for line in [*summary(spec), *lines])]))
    return 0


def _built(spec: StudySpec) -> list[str]:
    if spec.trainer.kind == "loop":
        raise InputError(f"{spec.file}: --build builds models, but this trainer is a loop of your own", "leave it out")
    from search.study.preview import first
    from trainers import data, find, runtime, words
    from trainers.user_code import FindError

    runtime.prepare()
    seed = spec.algorithm.seed or 0
    assert spec.data is not None  # the reader demands it of all but loops
    try:
        loaded = data.load(spec.data, spec.folder, seed, words.fills_missing(spec))
        drawn = first(spec, seed, MODELS)
        previews = [find.build_only(spec.trainer, spec.folder, parameters, loaded) for parameters in drawn]
    except (data.DataError, FindError) as error:
        raise InputError(str(error)) from error
    return [f"model {number}    {preview.summary}" for number, preview in enumerate(previews) if preview]

"""The sampler and the pruner of a study, built from the words of its file."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import optuna

from search.errors import InputError
from search.study.cmaes import CmaEsSampler
from search.study.tpe import TPESampler
from search.study.words import named, word_and_options
from spaces.parameters import Branches, Choice, Float, Int, Map, Node, Optional, Repeat
from spaces.spec import StudySpec

HYPERBAND_FROM = 50  # trials; below it, hyperband's brackets are too thin to compare within


def sampler(spec: StudySpec, seed: int, started: int) -> optuna.samplers.BaseSampler:
    """Build the study's sampler for the trial that follows `started` others.

    The seed is mixed with the trial's place in the study, so that no two workers draw the same, whoever asks.
    Raises InputError if the sampler needs a package that isn't installed.
    """
    mixed = (seed + started * 7919) % 2**31
    word, options = named(spec.algorithm.sampler) if spec.algorithm.sampler is not None else ("tpe", {})
    if word == "tpe":
        options.setdefault("group", _branches(spec.space) and options.get("multivariate") is not False)
        if options["group"] and len(spec.objectives) > 1:
            options.setdefault("multivariate", True)
    elif word == "cmaes":
        options["warn_independent_sampling"] = False
    elif word == "qmc":
        options |= {"warn_independent_sampling": False, "warn_asynchronous_seeding": False}
        # One sequence for the whole study; what stands under a branch is drawn beside it.
        options["independent_sampler"] = optuna.samplers.RandomSampler(seed=mixed)
        mixed = seed
    build: dict[str, Callable[..., optuna.samplers.BaseSampler]] = {
        "tpe": TPESampler,
        "random": optuna.samplers.RandomSampler,
        "qmc": optuna.samplers.QMCSampler,
        "gp": optuna.samplers.GPSampler,
        "cmaes": CmaEsSampler,
        "nsga2": optuna.samplers.NSGAIISampler,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            return build[word](seed=mixed, **options)
        except ImportError as error:
            raise InputError(
                f"the sampler {word!r} needs a package that isn't installed ({error.name}): "
                f"pip install 'search[{word}]', or choose another sampler"
            ) from error


def pruner(spec: StudySpec) -> optuna.pruners.BasePruner:
    """Build the study's pruner. Steps are 1-based epochs."""
    if len(spec.objectives) > 1:
        return optuna.pruners.NopPruner()
    if spec.algorithm.pruner is None:
        default = "hyperband" if spec.budget.trials >= HYPERBAND_FROM else "median"
        return _pruner(default, {}, spec.budget.epochs)
    return _pruner(*named(spec.algorithm.pruner), spec.budget.epochs)


def _pruner(word: str, options: dict[str, Any], epochs: int) -> optuna.pruners.BasePruner:
    least = max(1, epochs // 9)  # one epoch alone misjudges: two eta-3 rungs below a full trial
    if word == "hyperband":
        settings = {"min_resource": least, **options}
        settings["min_resource"] = min(settings["min_resource"], epochs)
        return optuna.pruners.HyperbandPruner(max_resource=epochs, **settings)
    if word == "asha":
        return optuna.pruners.SuccessiveHalvingPruner(**{"min_resource": least, "reduction_factor": 3, **options})
    if word == "median":
        return optuna.pruners.MedianPruner(**{"n_warmup_steps": least, **options})
    if word == "percentile":
        return optuna.pruners.PercentilePruner(**{"percentile": 25.0, "n_warmup_steps": least, **options})
    if word == "patient":
        inner = word_and_options(options.pop("pruner", "none"))
        wrapped = None if inner[0] == "none" else _pruner(*inner, epochs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.pruners.PatientPruner(wrapped, **options)
    return optuna.pruners.NopPruner()


def _branches(node: Node) -> bool:
    """Say whether the space has conditions: then TPE models each branch on its own."""
    match node:
        case Branches() | Optional() | Repeat():
            return True
        case Map(items=items):
            return any(_branches(item) for item in items.values())
        case Choice() | Float() | Int() | _:
            return False

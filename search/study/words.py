"""The samplers and pruners that a space file may name, with their options. Imports no Optuna.

Options and their meaning are those of https://optuna.readthedocs.io/en/stable/reference/samplers/index.html and
https://optuna.readthedocs.io/en/stable/reference/pruners.html; defaults differ where said.
"""

from __future__ import annotations

from typing import Any, cast

from spaces.errors import Problem
from spaces.parameters import Node, Suggest, draw
from spaces.spec import StudySpec
from spaces.vocabulary import Flag, OneOf, OneWord, Option, Options, Real, Whole, Word, check

STARTUP = Option("n_startup_trials", Whole(0), 10, "trials drawn at random before the sampler models anything")
REDUCTION = Option("reduction_factor", Whole(2), 3, "only one in so many trials goes on after a rung")

SAMPLERS = OneWord(
    (
        Word(
            "tpe",
            Options(
                (
                    STARTUP,
                    Option("n_ei_candidates", Whole(1), 24, "candidates that the expected improvement picks from"),
                    Option("multivariate", Flag(), None, "model parameters jointly (default: true for one objective)"),
                    Option("group", Flag(), None, "model each branch on its own (default: true if the space branches)"),
                    Option("constant_liar", Flag(), True, "keep parallel workers from trying the same region"),
                )
            ),
            "optuna.samplers.TPESampler",
            "tree-structured Parzen estimator; the default",
        ),
        Word("random", Options(), "optuna.samplers.RandomSampler", "independent random draws"),
        Word(
            "qmc",
            Options((Option("qmc_type", OneOf(("sobol", "halton")), "sobol", "the low-discrepancy sequence"),)),
            "optuna.samplers.QMCSampler",
            "quasi-random draws that fill the space evenly",
        ),
        Word(
            "gp",
            Options(
                (
                    STARTUP,
                    Option("deterministic_objective", Flag(), False, "the same parameters always give the same value"),
                )
            ),
            "optuna.samplers.GPSampler",
            "Gaussian process; for at most about 200 trials without pruning; needs `pip install 'search[gp]'`",
        ),
        Word(
            "cmaes",
            Options(
                (
                    Option("n_startup_trials", Whole(0), 1, "trials drawn at random first"),
                    Option("popsize", Whole(2), None, "population size"),
                )
            ),
            "optuna.samplers.CmaEsSampler",
            "CMA-ES over the numeric parameters; needs `pip install 'search[cmaes]'`",
        ),
        Word(
            "nsga2",
            Options(
                (
                    Option("population_size", Whole(2), 50, "trials in a generation"),
                    Option("mutation_prob", Real(0.0, 1.0), None, "probability that a parameter mutates"),
                    Option("crossover_prob", Real(0.0, 1.0), 0.9, "probability that two parents cross"),
                    Option("swapping_prob", Real(0.0, 1.0), 0.5, "probability that a parameter is swapped"),
                )
            ),
            "optuna.samplers.NSGAIISampler",
            "genetic algorithm for several objectives",
        ),
    )
)

MEDIAN_OPTIONS = (
    Option("n_startup_trials", Whole(0), 5, "complete trials before anything is pruned"),
    Option(
        "n_warmup_steps", Whole(0), None, "epochs of a trial that are never pruned (default: a ninth of the epochs)"
    ),
    Option("interval_steps", Whole(1), 1, "epochs between two looks"),
    Option("n_min_trials", Whole(1), 1, "values that an epoch needs before it is judged"),
)
HALVING_OPTIONS = (
    Option("min_resource", Whole(1), None, "epochs before the first rung (default: a ninth of the epochs)"),
    REDUCTION,
    Option("bootstrap_count", Whole(0), 0, "values that a rung needs before it prunes"),
)
ASHA_OPTIONS = (*HALVING_OPTIONS, Option("min_early_stopping_rate", Whole(0), 0, "the first rung to prune at"))
PERCENTILE_OPTIONS = (Option("percentile", Real(0.0, 100.0), 25.0, "the best share that goes on"), *MEDIAN_OPTIONS)

PLAIN_PRUNERS = (
    Word("hyperband", Options(HALVING_OPTIONS), "optuna.pruners.HyperbandPruner", "default from 50 trials on"),
    Word("asha", Options(ASHA_OPTIONS), "optuna.pruners.SuccessiveHalvingPruner", "asynchronous successive halving"),
    Word("median", Options(MEDIAN_OPTIONS), "optuna.pruners.MedianPruner", "default below 50 trials"),
    Word("percentile", Options(PERCENTILE_OPTIONS), "optuna.pruners.PercentilePruner", "keeps the best share"),
    Word("none", Options(), "optuna.pruners.NopPruner", "every trial trains all its epochs"),
)
PATIENT_OPTIONS = (
    Option("patience", Whole(0), None, "epochs without improvement that are put up with", required=True),
    Option("min_delta", Real(0.0), 0.0, "the least change that counts as improvement"),
    Option("pruner", OneWord(PLAIN_PRUNERS), "none", "who decides once patience is over (none: prune at once)"),
)
PRUNERS = OneWord(
    (
        *PLAIN_PRUNERS,
        Word(
            "patient", Options(PATIENT_OPTIONS), "optuna.pruners.PatientPruner", "waits for a trial to stop improving"
        ),
    )
)


def check_algorithm(spec: StudySpec) -> list[Problem]:
    """Return what is wrong with the file's sampler and pruner."""
    problems: list[Problem] = []
    if spec.algorithm.sampler is not None:
        problems += check(SAMPLERS, spec.algorithm.sampler, "algorithm.sampler")
    if spec.algorithm.pruner is not None:
        problems += check(PRUNERS, spec.algorithm.pruner, "algorithm.pruner")
    if not problems and len(spec.objectives) > 1:
        problems += _several_objectives(spec)
    sampler = spec.algorithm.sampler
    if not problems and spec.constraints and sampler is not None and named(sampler)[0] == "cmaes":
        message = "algorithm.sampler: cmaes knows no constraints"
        problems.append(Problem(sampler.place, message, hint="write `sampler: tpe`, or take `constraints` out"))
    return problems


def _several_objectives(spec: StudySpec) -> list[Problem]:
    received = f"{len(spec.objectives)} objectives"
    problems = []
    pruner, sampler = spec.algorithm.pruner, spec.algorithm.sampler
    if pruner is not None and named(pruner)[0] != "none":
        message = "algorithm.pruner: pruning needs a single objective"
        problems.append(Problem(pruner.place, message, received, hint="write `pruner: none` or leave it out"))
    if sampler is not None and named(sampler)[0] == "cmaes":
        message = "algorithm.sampler: cmaes needs a single objective"
        problems.append(Problem(sampler.place, message, received, hint="write `sampler: tpe` or `sampler: nsga2`"))
    return problems


def named(node: Node) -> tuple[str, dict[str, Any]]:
    """Return the word and the options of a fixed node: of `tpe`, or of `{tpe: {…}}`."""
    return word_and_options(draw(node, cast(Suggest, None)))  # nothing is searched in `algorithm:`


def word_and_options(value: Any) -> tuple[str, dict[str, Any]]:
    """Return the word and the options of a drawn value: of `"tpe"`, or of `{"tpe": {…}}`."""
    if isinstance(value, dict):
        word, options = next(iter(value.items()))
        return word, dict(options or {})
    return str(value), {}

from __future__ import annotations

from pathlib import Path

import pytest

from search.study.words import check_algorithm
from spaces.reader import parse

FILE = """study: toy
trainer: train.py:train
objective: {{minimize: loss}}
budget: {{trials: 4, epochs: 4}}
algorithm: {{{algorithm}}}
space: {{x: {{float: [0.0, 1.0]}}}}
"""

WRONG = [
    ("sampler: tpee", "5:22", "did you mean 'tpe'"),
    ("sampler: {tpe: {n_startup_trial: 3}}", "5:29", "did you mean 'n_startup_trials'"),
    ("sampler: {tpe: {n_startup_trials: -1}}", "5:47", "below 0"),
    ("sampler: {tpe: {n_startup_trials: many}}", "5:47", "whole number"),
    ("sampler: {tpe: {multivariate: 1}}", "5:43", "true or false"),
    ("sampler: {qmc: {qmc_type: sobel}}", "5:39", "did you mean 'sobol'"),
    ("sampler: {nsga2: {mutation_prob: 1.5}}", "5:46", "above 1"),
    ("sampler: {random: {seed: 1}}", "5:32", "seed"),
    ("pruner: hyperbnd", "5:21", "did you mean 'hyperband'"),
    ("pruner: {asha: {reduction_factor: 1}}", "5:47", "below 2"),
    ("pruner: {percentile: {percentile: 101}}", "5:47", "above 100"),
    ("pruner: {patient: {min_delta: 0.1}}", "5:31", "patience"),
    ("pruner: {patient: {patience: 1, pruner: medin}}", "5:53", "did you mean 'median'"),
    ("pruner: {none: {x: 1}}", "5:29", "x"),
]


@pytest.mark.parametrize(("algorithm", "place", "told"), WRONG)
def test_a_wrong_word_or_option_is_told_at_its_place(algorithm: str, place: str, told: str) -> None:
    problems = check_algorithm(parse(FILE.format(algorithm=algorithm), "space.yaml", Path("/")))
    assert [str(problem).split(": ")[0] for problem in problems] == [f"space.yaml:{place}"]
    assert told in str(problems[0])


@pytest.mark.parametrize(
    ("algorithm", "told"),
    [
        ("pruner: median", "pruning needs a single objective"),
        ("sampler: cmaes", "cmaes needs a single objective"),
    ],
)
def test_what_needs_one_objective_is_refused_with_several(algorithm: str, told: str) -> None:
    text = FILE.format(algorithm=algorithm).replace("{minimize: loss}", "[{minimize: loss}, {maximize: speed}]")
    [problem] = check_algorithm(parse(text, "space.yaml", Path("/")))
    assert told in str(problem)
    assert "write `" in str(problem)


def test_cmaes_is_refused_with_constraints() -> None:
    text = FILE.format(algorithm="sampler: cmaes") + "constraints: {size: {max: 3}}\n"
    [problem] = check_algorithm(parse(text, "space.yaml", Path("/")))
    assert str(problem).startswith("space.yaml:5:22: algorithm.sampler: cmaes knows no constraints")
    assert check_algorithm(parse(text.replace("cmaes", "gp"), "space.yaml", Path("/"))) == []


@pytest.mark.parametrize("algorithm", ["", "sampler: gp, pruner: none", "pruner: {patient: {patience: 3}}", "seed: 3"])
def test_what_is_right_or_left_out_is_fine(algorithm: str) -> None:
    assert check_algorithm(parse(FILE.format(algorithm=algorithm), "space.yaml", Path("/"))) == []

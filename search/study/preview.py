"""The first configurations of a study, as its sampler will draw them; nothing is stored."""

from __future__ import annotations

import warnings
from typing import Any

import optuna

from search.study import algorithms
from spaces.parameters import draw, priors
from spaces.spec import StudySpec


def first(spec: StudySpec, seed: int, amount: int) -> list[dict[str, Any]]:
    """Draw the first nested configurations. They are those of a run as long as the sampler's start-up is random."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(directions=[objective.direction for objective in spec.objectives])
    if baseline := priors(spec.space):
        study.enqueue_trial(baseline)
    drawn = []
    for started in range(min(amount, spec.budget.trials)):
        study.sampler = algorithms.sampler(spec, seed, started)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            drawn.append(draw(spec.space, study.ask()))
    return drawn

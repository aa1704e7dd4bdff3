"""Which trials of a study hold in another space, and copying them there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import optuna

from search.study.constraints import ENDED, STORED, broken, judged_anew
from spaces.parameters import Scalar, draw
from spaces.spec import StudySpec, difference

FINISHED = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)


def copy_compatible(origin: optuna.Study, old: StudySpec, study: optuna.Study, new: StudySpec) -> int:
    """Copy the finished trials of `origin` whose parameters the new space holds; return how many.

    None is copied if anything but the space or the constraints differs: the values would mean something else. Other
    constraints are judged by what is stored; a trial that lacks what they ask for is not copied.
    """
    if any(not line.startswith(("space.", "constraints.")) for line in difference(old, new)):
        return 0
    copied = 0
    for trial in origin.get_trials(deepcopy=False, states=FINISHED):
        distributions = _distributions(new, trial.params)
        judged = judged_anew(new.constraints, trial)
        if distributions is not None and judged is not None:
            study.add_trial(
                optuna.trial.create_trial(
                    state=trial.state,
                    values=trial.values,
                    params=trial.params,
                    distributions=distributions,
                    user_attrs={**trial.user_attrs, **_end(new, trial), "copied_from": trial.number},
                    system_attrs=judged,
                    intermediate_values=trial.intermediate_values,
                )
            )
            copied += 1
    return copied


def _end(spec: StudySpec, trial: optuna.trial.FrozenTrial) -> dict[str, str]:
    """Return how the copy of a complete trial has ended, which may be another end under other constraints."""
    if trial.state != optuna.trial.TrialState.COMPLETE:
        return {}
    return {ENDED: "infeasible" if broken(spec.constraints, trial.user_attrs.get(STORED, {})) else "complete"}


def _distributions(spec: StudySpec, params: dict[str, Any]) -> dict[str, optuna.distributions.BaseDistribution] | None:
    """Return the new space's distributions of a trial's parameters; None if it doesn't hold them."""
    replay = _Replay(params)
    try:
        draw(spec.space, replay)
    except (KeyError, ValueError):
        return None
    return replay.distributions if not replay.values else None


class _Replay:
    """Suggests a finished trial's own values; raises KeyError where the new space doesn't hold them."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = dict(values)
        self.distributions: dict[str, optuna.distributions.BaseDistribution] = {}

    def _value(self, name: str, distribution: optuna.distributions.BaseDistribution) -> Any:
        value = self.values.pop(name)
        if not distribution._contains(distribution.to_internal_repr(value)):
            raise KeyError(name)
        self.distributions[name] = distribution
        return value

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None, log: bool) -> float:
        return float(self._value(name, optuna.distributions.FloatDistribution(low, high, log=log, step=step)))

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        return int(self._value(name, optuna.distributions.IntDistribution(low, high, log=log, step=step)))

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        chosen: Scalar = self._value(name, optuna.distributions.CategoricalDistribution(choices))
        return chosen

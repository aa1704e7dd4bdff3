"""Which constraints of the file does a trial break, and by how much? Told to samplers as Optuna's constraints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from spaces.spec import Constraint

ENDED = "ended"  # user attribute: complete, infeasible, pruned, oom, nan, timeout, user, crashed or time
STORED = "constraints"  # user attribute: {metric: value} of the metrics that the file constrains
# Optuna's system attribute: a number for each end, at most 0 where it is kept. `Trial.set_constraint` would write one
# attribute each, which samplers read as well, but optuna-dashboard (0.21) doesn't.
TOLD = "constraints"
ROUNDING = 1e-7  # share of an end: metrics are computed in float32, where 0.9 is a little less
# Samplers that are told of a trial which was never trained, or that learn of none; the others take complete ones alone.
UNTRAINED = ("tpe", "random", "qmc")


def violations(constraints: Sequence[Constraint], values: Mapping[str, float]) -> list[float]:
    """Return by how much each end is missed, in shares of the end, so that ends of different units compare."""
    return [missed for constraint in constraints for missed, _ in _ends(constraint, values[constraint.metric])]


def broken(constraints: Sequence[Constraint], values: Mapping[str, float]) -> tuple[str, ...]:
    """Return each end that is missed in words; what has no value yet is not judged."""
    ends = [end for each in constraints if each.metric in values for end in _ends(each, values[each.metric])]
    return tuple(told for missed, told in ends if missed > 0.0)


def _ends(constraint: Constraint, value: float) -> Iterator[tuple[float, str]]:
    """Give for each end by how much it is missed, and that in words."""
    for end, sign, where in ((constraint.least, -1.0, "below"), (constraint.most, 1.0, "above")):
        if end is not None:
            missed = sign * (value - end) / (abs(end) or 1.0)
            told = f"{constraint.metric} {_shown(value, end)} is {where} {_shown(end, value)}"
            yield missed if missed > ROUNDING else min(missed, 0.0), told


def _shown(value: float, other: float) -> str:
    """Return a number as briefly as still tells it from the other."""
    return next((text for digits in range(4, 17) if (text := f"{value:.{digits}g}") != f"{other:.{digits}g}"), "")


def keeps_all(trial: FrozenTrial) -> bool:
    """Say whether a trial breaks none of its study's constraints."""
    return all(missed <= 0.0 for missed in trial.constraints.values())


def judged_anew(constraints: Sequence[Constraint], trial: FrozenTrial) -> dict[str, Any] | None:
    """Return the system attributes of a finished trial's copy under other constraints; None if it can't be judged."""
    values, complete = trial.user_attrs.get(STORED, {}), trial.state == TrialState.COMPLETE
    if not constraints:
        return {} if complete or keeps_all(trial) else None  # else it was never trained
    known = all(constraint.metric in values for constraint in constraints)
    if complete:
        return {TOLD: violations(constraints, values)} if known else None
    if keeps_all(trial):
        return {}  # the pruner's, before anything was measured
    still = [constraint for constraint in constraints if constraint.metric in values]
    return {TOLD: violations(still, values)} if broken(still, values) else None

"""What a worker spares the database: Optuna's own storage, with one transaction for what is one thought.

Plain Optuna reads the whole study again for every `should_prune`, and takes a transaction for every parameter. A worker
needs neither: it alone writes its trial, so it knows it; and a pruner judges well by what others did two seconds ago.

This is built upon `_CachedStorage`, which is not public: its trials by study and number (`_studies`, and
`_trial_id_to_study_id_and_number`) and `_read_trials_from_remote_storage`. Look here first at Optuna's next release.
"""

from __future__ import annotations

import copy
import gc
import json
import time
from collections.abc import Container, Sequence
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.trial import FrozenTrial, TrialState

from search.postgres import records
from search.postgres.records import Parameter

FRESH = 2.0  # seconds for which what other workers did is taken as known
MANY = 1000  # trials from which on a study's are left out of Python's looking for garbage
LIAR = "tpe:relative_params"  # a sample before it is a trial's parameters; ours are stored in the next moment


class LeanStorage(_CachedStorage):
    """A cached storage for one worker and one study at a time.

    `own` is the trial that this process owns: read once, kept up to date here, never read again.
    """

    def __init__(self, backend: RDBStorage) -> None:
        super().__init__(backend)
        self.own: FrozenTrial | None = None
        self._seen: dict[int, float] = {}
        self._lists: dict[tuple[int, Any], list[FrozenTrial]] = {}
        self._ids: dict[str, int] = {}
        self._parameters: list[Parameter] = []

    def refresh(self) -> None:
        """Read the study anew at the next look."""
        self._seen.clear()

    def adopt(self, trial_id: int) -> FrozenTrial:
        """Take a trial as our own, with all that is stored of it."""
        self._parameters.clear()
        self.own = self._backend.get_trial(trial_id)
        return self.own

    def forget(self) -> None:
        """Own nothing."""
        self._parameters.clear()
        self.own = None

    def flush(self) -> None:
        """Store the parameters that were drawn since the last time, all in one statement."""
        if self.own is not None and self._parameters:
            records.record_parameters(self._backend.engine, self.own._trial_id, self._parameters)
        self._parameters.clear()

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the trials as they were at most `FRESH` seconds ago."""
        now = time.monotonic()
        if now - self._seen.get(study_id, -FRESH) >= FRESH:
            self._read_trials_from_remote_storage(study_id)
            self._seen[study_id] = now
            self._lists.clear()
        found = self._list(study_id, None if states is None else tuple(one for one in TrialState if one in states))
        return copy.deepcopy(found) if deepcopy else list(found)

    def _read_trials_from_remote_storage(self, study_id: int) -> None:
        """Read what is new in a study.

        The first time, Python would look for garbage among the trials again and again, which takes as long as reading
        them; and of many it would do so ever after, though they stay.
        """
        known = study_id in self._studies and self._studies[study_id].trials
        if known or not gc.isenabled():
            super()._read_trials_from_remote_storage(study_id)
            return
        gc.disable()
        try:
            super()._read_trials_from_remote_storage(study_id)
            if len(self._studies[study_id].trials) >= MANY:
                gc.freeze()
        finally:
            gc.enable()

    def _list(self, study_id: int, states: tuple[TrialState, ...] | None) -> list[FrozenTrial]:
        """Return the trials of these states by number, from a list that is kept until something changes."""
        if (study_id, states) not in self._lists:
            trials = self._studies[study_id].trials
            if states is None:
                self._lists[study_id, states] = [trials[number] for number in sorted(trials)]
            else:
                self._lists[study_id, states] = [one for one in self._list(study_id, None) if one.state in states]
        return self._lists[study_id, states]

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Return a trial; our own one from memory."""
        own = self._own(trial_id)
        return own if own is not None else super().get_trial(trial_id)

    def get_trial_system_attrs(self, trial_id: int) -> dict[str, Any]:
        """Return a trial's system attributes; our own one's from memory."""
        return self.get_trial(trial_id).system_attrs

    def get_study_id_from_name(self, study_name: str) -> int:
        """Return a study's id, asked for once."""
        if study_name not in self._ids:
            self._ids[study_name] = super().get_study_id_from_name(study_name)
        return self._ids[study_name]

    def delete_study(self, study_id: int) -> None:
        """Delete a study; its name is free for another one."""
        super().delete_study(study_id)
        self._ids = {name: known for name, known in self._ids.items() if known != study_id}

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Create a trial; a RUNNING one is our own."""
        trial_id = super().create_new_trial(study_id, template_trial)
        self._lists.clear()
        created = self._studies[study_id].trials[self._trial_id_to_study_id_and_number[trial_id][1]]
        if created.state == TrialState.RUNNING:
            self.own = copy.deepcopy(created)
            self._parameters.clear()
        return trial_id

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Keep a parameter of our own trial for `flush`."""
        own = self._own(trial_id)
        if own is None:
            super().set_trial_param(trial_id, param_name, param_value_internal, distribution)
            return
        self._parameters.append(Parameter(param_name, param_value_internal, distribution_to_json(distribution)))
        own.params[param_name] = distribution.to_external_repr(param_value_internal)
        own.distributions[param_name] = distribution

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Store a system attribute; our own trial's is known here too."""
        if key.startswith(LIAR):
            return
        super().set_trial_system_attr(trial_id, key, value)
        if (own := self._own(trial_id)) is not None:
            own.system_attrs[key] = json.loads(json.dumps(value))

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Set a trial's state. That our own one is finished already means that an outage swallowed the answer."""
        own = self._own(trial_id)
        try:
            done = super().set_trial_state_values(trial_id, state, values)
        except UpdateFinishedTrialError:
            if own is None:
                raise
            done = True
        if own is not None and done:
            own.state = state
            if values is not None:
                own.values = list(values)
        return done

    def _own(self, trial_id: int) -> FrozenTrial | None:
        return self.own if self.own is not None and self.own._trial_id == trial_id else None

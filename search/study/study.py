"""A study in PostgreSQL: made from a space file, continued, branched, loaded by its name."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy

from search.errors import InputError
from search.postgres import records
from search.postgres.connection import is_outage
from search.study import algorithms
from search.study.branch import copy_compatible
from search.study.code import CODE, Code, changes, elsewhere, has_values, refusal
from search.study.storage import Storage
from spaces.errors import nearest
from spaces.parameters import priors
from spaces.reader import parse
from spaces.spec import StudySpec, difference, digest

SPEC = "search:spec"  # {text, file, folder, digest, seed, split}: what a worker needs to join
BUDGET = "search:budget"  # {trials, time}: read at every claim, so that it may grow; there from the first moment
DATA = "search:data"  # the fingerprint of the data that the values belong to
UNREAD = "search:unread"  # parameters that the trainer was seen not to read
BRANCH = "-branch-"
COPIED = "search:copied"  # how many trials came from the study that this one branched off
Making = Callable[[str], object]


@dataclass(frozen=True)
class Study:
    """A study that this process has opened. `told` says in a sentence how `open_study` came to it.

    `seed` is that of its draws and trainings, `split` the one that its data is divided by.
    """

    storage: Storage = field(repr=False)
    spec: StudySpec = field(repr=False)
    handle: optuna.Study = field(repr=False)
    seed: int
    split: int
    told: str = ""

    @property
    def name(self) -> str:
        """The study's name."""
        return self.handle.study_name

    @property
    def id(self) -> int:
        """The study's id in the database."""
        return self.handle._study_id

    def attributes(self) -> dict[str, Any]:
        """Return what is stored with the study."""
        return self.storage.backend.get_study_user_attrs(self.id)

    def join(self) -> None:
        """Be counted as one of the study's workers; the first one starts the clock anew."""
        alone = self.storage.ownership.join(self.id)
        records.tick(self.storage.engine, self.id, fresh=alone)

    def with_spec(self, spec: StudySpec) -> Study:
        """Return the study as `spec` says it here: the same identity, perhaps in another folder."""
        return replace(self, spec=spec)

    def same_code(self, code: Code) -> None:
        """Raise InputError if the user's own code here is not what the study's values were made with."""
        if changed := changes(self.handle, code):
            raise InputError(elsewhere(self.name, changed))

    def same_data(self, fingerprint: str) -> None:
        """Remember the data's fingerprint. Raises InputError if the study's values belong to other data."""
        with self.storage.ownership.asking(self.id):
            known = self.attributes().get(DATA)
            if known is None:
                self.handle.set_user_attr(DATA, fingerprint)
        if known not in (None, fingerprint):
            raise InputError(
                f"study {self.name!r}: the data has changed since the study began (fingerprint {known[:12]}, now "
                f"{fingerprint[:12]}), so new values could not be compared with the old ones\n"
                "  put the old data back, or start afresh: give `study:` another name"
            )


def open_study(
    storage: Storage,
    spec: StudySpec,
    branch: bool = False,
    code: Code | None = None,
    accept_code: bool = False,
    making: Making = str,
) -> Study:
    """Create the study of a space file, or continue it. `code` holds the hashes of the user's own files.

    making: called with the name of a study that isn't there yet, before it is made and while nobody else makes one.

    Raises InputError, with the differences, if a study of that name has another space or was made with other code, and
    neither `branch` nor, for the code, `accept_code` says what to do. One in which no trial ever began is replaced.
    """
    with storage.ownership.asking(0):  # nobody else creates a study meanwhile
        study = _made_or_found(storage, spec, branch, code, accept_code, making)
        storage.ownership.open(study.id)
        return study


def _made_or_found(
    storage: Storage, spec: StudySpec, branch: bool, code: Code | None, accept_code: bool, making: Making
) -> Study:
    existing = _existing(storage, spec.study)
    if existing is None or _half_made(existing):
        if existing is not None and _directions(existing) != [o.direction for o in spec.objectives]:
            raise _foreign(spec.study)
        return _create(storage, spec, code, making, existing)
    storage.backend.refresh()
    same = _same(storage, existing, spec, code)
    changed = changes(same if same is not None else existing, code)
    if same is not None and (not changed or accept_code or not has_values(same)):
        return _continue(storage, spec, same, code, changed)
    if same is None and _never_begun(storage, existing) and _deleted(storage, existing):
        afresh = f"new study {spec.study!r}: nothing had begun in the one of this name, which had another space"
        return replace(_create(storage, spec, code, making, None), told=afresh)
    if not branch:
        raise InputError(refusal(same.study_name, changed) if same is not None else _refusal(existing, spec))
    return _branch(storage, existing, spec, code, not changed, making)


def load(storage: Storage, name: str) -> Study:
    """Open an existing study by its name alone. Raises InputError if there is none, or if it isn't one of ours."""
    existing = _existing(storage, name)
    if existing is None or _half_made(existing):
        raise InputError(_unknown(storage, name))
    return _opened(storage, existing)


def load_of(storage: Storage, spec: StudySpec, code: Code | None = None) -> Study:
    """Open the study of a space file, without changing it: the one of its name, or the branch that has its space."""
    existing = _existing(storage, spec.study)
    same = None if existing is None or _half_made(existing) else _same(storage, existing, spec, code)
    return load(storage, spec.study) if same is None else _opened(storage, same)


def load_as(storage: Storage, spec: StudySpec, code: Code) -> Study:
    """Open the study of a space file to work in it as this copy says it; budget and algorithm are the study's.

    Raises InputError, with the differences, if the study has another space.
    """
    found = load_of(storage, spec, code)
    if lines := difference(found.spec, spec):
        told = [f"{spec.file}: study {spec.study!r} has another space:", *(f"    {line}" for line in lines)]
        raise InputError("\n".join(told), "use the file that the study was made from")
    return found.with_spec(replace(spec, budget=found.spec.budget, algorithm=found.spec.algorithm))


def newest(storage: Storage) -> str | None:
    """Return the name of the study that was made from a space file last; None without one."""
    ours = [study for study in storage.backend.get_all_studies() if SPEC in study.user_attrs]
    return max(ours, key=lambda study: study._study_id).study_name if ours else None


def names(storage: Storage) -> list[str]:
    """Return the names of all studies in the storage, the newest last."""
    studies = sorted(storage.backend.get_all_studies(), key=lambda study: study._study_id)
    return [study.study_name for study in studies]


def _existing(storage: Storage, name: str) -> optuna.Study | None:
    try:
        study = optuna.load_study(study_name=name, storage=storage.backend)
    except KeyError:
        return None
    if SPEC not in study.user_attrs and not _half_made(study):
        raise _foreign(name)
    return study


def _foreign(name: str) -> InputError:
    return InputError(
        f"study {name!r} exists in this storage but was not made from a space file, so it can't be continued",
        "give `study:` another name; look at it, or delete it, with: python -m search dashboard --allow-edit",
    )


def _directions(study: optuna.Study) -> list[str]:
    return [direction.name.lower() for direction in study.directions]


def _half_made(study: optuna.Study) -> bool:
    """Say whether it is one of ours, but its maker was killed before it was complete: nobody has joined it."""
    return SPEC not in study.user_attrs and BUDGET in study.user_attrs


def _never_begun(storage: Storage, study: optuna.Study) -> bool:
    """Say whether nobody works in a study or is about to, and nobody ever has."""
    waiting = all(trial.state == optuna.trial.TrialState.WAITING for trial in study.get_trials(deepcopy=False))
    return waiting and not storage.ownership.in_use(study._study_id)


def _deleted(storage: Storage, study: optuna.Study) -> bool:
    """Delete a study, if this account may."""
    try:
        storage.backend.delete_study(study._study_id)
    except (sqlalchemy.exc.DBAPIError, optuna.exceptions.StorageInternalError) as error:
        if is_outage(error):
            raise
        return False
    return True


def _unknown(storage: Storage, name: str) -> str:
    known = names(storage)
    if not known:
        return f"there is no study {name!r}: the storage is empty\n  start one with: python -m search run space.yaml"
    close = nearest(name, known)
    return (
        f"there is no study {name!r}"
        + (f"; did you mean {close!r}?" if close else "")
        + f"\n  studies here: {', '.join(known[-10:])}"
    )


def _opened(storage: Storage, study: optuna.Study, spec: StudySpec | None = None, told: str = "") -> Study:
    stored = study.user_attrs[SPEC]
    spec = spec or _stored_spec(stored)
    study.pruner = algorithms.pruner(spec)
    return Study(storage, spec, study, stored["seed"], _split(study), told)


def _stored_spec(stored: dict[str, Any]) -> StudySpec:
    folder = Path(stored["folder"])
    return parse(stored["text"], stored["file"], folder if folder.is_dir() else Path.cwd())


def _create(
    storage: Storage, spec: StudySpec, code: Code | None, making: Making, half_made: optuna.Study | None
) -> Study:
    study = _make(storage, spec, spec.study, making, half_made)
    seed = _seed(spec)
    _remember(study, spec, seed, seed, code)
    return _opened(storage, study, spec, f"new study {spec.study!r}")


def _make(
    storage: Storage, spec: StudySpec, name: str, making: Making, half_made: optuna.Study | None = None
) -> optuna.Study:
    study = half_made  # its maker was killed
    if study is None:
        making(name)
        directions = [objective.direction.upper() for objective in spec.objectives]
        records.make_study(storage.engine, name, directions, (BUDGET, _budget(spec)))
        study = optuna.load_study(study_name=name, storage=storage.backend)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([objective.metric for objective in spec.objectives])
    if baseline := priors(spec.space):
        study.enqueue_trial(baseline, skip_if_exists=True)
    return study


def _budget(spec: StudySpec) -> dict[str, Any]:
    return {"trials": spec.budget.trials, "time": spec.budget.time}


def _seed(spec: StudySpec) -> int:
    return spec.algorithm.seed if spec.algorithm.seed is not None else secrets.randbelow(2**31)


def _split(study: optuna.Study) -> int:
    stored = study.user_attrs[SPEC]
    return int(stored.get("split", stored["seed"]))  # studies had one seed for both


def _remember(study: optuna.Study, spec: StudySpec, seed: int, split: int, code: Code | None) -> None:
    if code is not None:
        study.set_user_attr(CODE, dict(code))
    study.set_user_attr(BUDGET, _budget(spec))
    study.set_user_attr(  # last: it is what makes the study one of ours
        SPEC,
        {
            "text": spec.text,
            "file": spec.file,
            "folder": str(spec.folder),
            "digest": digest(spec),
            "seed": seed,
            "split": split,
        },
    )


def _same(storage: Storage, study: optuna.Study, spec: StudySpec, code: Code | None = None) -> optuna.Study | None:
    """Return the study with the file's space: the one of its name, or one that branched off it; if it can be, with the
    same code.
    """
    wanted = digest(spec)
    candidates = [study.study_name, *(name for name in names(storage) if name.startswith(study.study_name + BRANCH))]
    found = [optuna.load_study(study_name=name, storage=storage.backend) for name in candidates]
    found = [candidate for candidate in found if candidate.user_attrs.get(SPEC, {}).get("digest") == wanted]
    return next((candidate for candidate in found if not changes(candidate, code)), next(iter(found), None))


def _continue(
    storage: Storage, spec: StudySpec, study: optuna.Study, code: Code | None, changed: Sequence[str]
) -> Study:
    _remember(study, spec, study.user_attrs[SPEC]["seed"], _split(study), code)
    told = f"; {', '.join(changed)} since it began" if changed else ""
    return _opened(storage, study, spec, f"study {study.study_name!r} continues{told}")


def _refusal(study: optuna.Study, spec: StudySpec) -> str:
    lines = difference(_stored_spec(study.user_attrs[SPEC]), spec)
    return "\n".join(
        [
            f"{spec.file}: study {spec.study!r} exists with another space, so its values could not be compared:",
            *(f"    {line}" for line in lines),
            "  give `study:` another name, or run with --branch to start a new study with the compatible trials copied",
        ]
    )


def _branch(
    storage: Storage, origin: optuna.Study, spec: StudySpec, code: Code | None, comparable: bool, making: Making
) -> Study:
    taken = names(storage)
    name = next(name for n in range(2, 10**6) if (name := f"{spec.study}{BRANCH}{n}") not in taken)
    study = _make(storage, spec, name, making)
    storage.backend.refresh()
    old = _stored_spec(origin.user_attrs[SPEC])
    copied = copy_compatible(origin, old, study, spec) if comparable else 0
    study.set_user_attr(COPIED, copied)
    if copied and DATA in origin.user_attrs:
        study.set_user_attr(DATA, origin.user_attrs[DATA])
    # Values on data that is divided otherwise could not be compared; draws should be others than the copied ones.
    seed = _seed(spec)
    _remember(study, spec, seed, _split(origin) if copied else seed, code)
    return _opened(
        storage, study, spec, f"new study {name!r}: {spec.study!r} branched, {copied} compatible trials copied"
    )

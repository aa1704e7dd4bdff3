"""What the dashboard shows beside the trials: a note about the study, and its best model to download."""

from __future__ import annotations

import contextlib
import filecmp
import json
import logging
import re
import tempfile
from functools import partial
from pathlib import Path

from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from optuna.artifacts.exceptions import ArtifactNotFound

from search.postgres.places import locked
from search.study.study import Study

log = logging.getLogger(__name__)

NOTE_VERSION = "dashboard:note_ver"
NOTE_PIECE = "dashboard:note_str:"  # numbered: a text is the sum of its pieces
PREFIX = "artifacts:"  # of the study's attributes that describe artifacts
OFFERED = re.compile(r"trial-\d+\.keras")
MODEL_TYPE = "application/octet-stream"  # never a type that a browser would run
OURS = "*Written by `search` when a run ends; what stands above this line is yours and is kept.*"


def note(study: Study, lines: list[str]) -> None:
    """Write our part of the study's note: how it is going, and its space file. What people wrote above it is kept.

    It is stored as optuna-dashboard's `save_note` does, whose import would take longer than all else at a run's end.
    """
    ours = [OURS, "", *lines, "", f"`{study.spec.file}`", "", *_fenced(study.spec.text)]

    def write() -> None:
        attributes = study.storage.backend.get_study_system_attrs(study.id)
        pieces = [key for number in range(len(attributes)) if (key := f"{NOTE_PIECE}{number}") in attributes]
        theirs = "".join(attributes[key] for key in pieces).partition(OURS)[0].rstrip()
        body = "\n".join([theirs, "", *ours] if theirs else ours)
        # A page that is being edited meanwhile sees by the version that the text has changed below it.
        for key, value in {
            NOTE_VERSION: attributes.get(NOTE_VERSION, 0) + 1,
            **dict.fromkeys(pieces, ""),
            f"{NOTE_PIECE}0": body,
        }.items():
            study.storage.backend.set_study_system_attr(study.id, key, value)

    study.storage.again(write)


def offer_model(study: Study, number: int, model: Path, folder: Path) -> None:
    """Offer the best trial's model as the study's artifact, in place of the one before.

    It is only an extra: a full disk, or a model that somebody removes just now, is a warning in the log.
    """
    name = f"trial-{number}.keras"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder.with_suffix(".lock")):  # another run may end just now
            _replace(study, name, model, folder)
    except OSError as error:
        log.warning("the dashboard can't offer the best model: %s", error)


def _replace(study: Study, name: str, model: Path, folder: Path) -> None:
    before = study.storage.again(partial(_offered, study))
    kept = [artifact for artifact in before if before[artifact] == name and _same(folder / artifact, model)][:1]
    if not kept:
        study.storage.again(partial(_upload, study, name, model, folder))
    for artifact in before.keys() - kept:
        study.storage.again(partial(_withdraw, study, folder, artifact))


def _fenced(text: str) -> list[str]:
    """Return a file's text as a Markdown code block that nothing inside it can end."""
    fence = "`" * max(3, 1 + max((len(ticks) for ticks in re.findall("`+", text)), default=0))
    return [f"{fence}yaml", text.rstrip(), fence]


def _offered(study: Study) -> dict[str, str]:
    """Return the file names of the models that are offered now, by artifact id; what people uploaded is not ours."""
    attributes = study.storage.backend.get_study_system_attrs(study.id)
    found = [json.loads(value) for key, value in attributes.items() if key.startswith(PREFIX)]
    return {
        meta["artifact_id"]: meta["filename"]
        for meta in found
        if meta is not None and meta["mimetype"] == MODEL_TYPE and OFFERED.fullmatch(meta["filename"])
    }


def _same(artifact: Path, model: Path) -> bool:
    # Optuna describes an artifact before it writes it: a process that was killed in between leaves none, or half of it.
    try:
        return filecmp.cmp(artifact, model, shallow=False)
    except OSError:
        return False


def _upload(study: Study, name: str, model: Path, folder: Path) -> None:
    store = FileSystemArtifactStore(folder)
    with tempfile.TemporaryDirectory() as aside:
        named = Path(aside) / name  # an artifact is called as its file is
        named.symlink_to(model.absolute())
        upload_artifact(artifact_store=store, file_path=str(named), study_or_trial=study.handle, mimetype=MODEL_TYPE)


def _withdraw(study: Study, folder: Path, artifact: str) -> None:
    # Optuna has no call for it; optuna-dashboard deletes an artifact in the same way: an empty record, then the file.
    study.storage.backend.set_study_system_attr(study.id, PREFIX + artifact, json.dumps(None))
    with contextlib.suppress(ArtifactNotFound):
        FileSystemArtifactStore(folder).remove(artifact)

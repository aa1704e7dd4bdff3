"""What the dashboard shows beside the trials: a note about the study, and its best model to download."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from optuna.artifacts.exceptions import ArtifactNotFound

from search.study.study import Study

PREFIX = "artifacts:"  # of the study's attributes that describe artifacts
OFFERED = re.compile(r"trial-\d+\.keras")
MODEL_TYPE = "application/octet-stream"  # never a type that a browser would run


def note(study: Study, lines: list[str]) -> None:
    """Write the study's note: how it is going, and its space file."""
    from optuna_dashboard import save_note

    body = "\n".join([*lines, "", f"`{study.spec.file}`", "", "```yaml", study.spec.text.rstrip(), "```"])
    study.storage.again(lambda: save_note(study.handle, body))


def offer_model(study: Study, number: int, model: Path, folder: Path) -> None:
    """Offer the best trial's model as the study's artifact, in place of the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    store = FileSystemArtifactStore(folder)
    name = f"trial-{number}.keras"
    before = _offered(study)
    if name in before.values():
        return
    aside = folder / name
    aside.write_bytes(model.read_bytes())
    try:
        upload_artifact(artifact_store=store, file_path=str(aside), study_or_trial=study.handle, mimetype=MODEL_TYPE)
    finally:
        aside.unlink()
    for artifact in before:
        _withdraw(study, store, artifact)


def _offered(study: Study) -> dict[str, str]:
    """Return the file names of the models that are offered now, by artifact id; what people uploaded is not ours."""
    attributes = study.storage.backend.get_study_system_attrs(study.id)
    found = [json.loads(value) for key, value in attributes.items() if key.startswith(PREFIX)]
    return {
        meta["artifact_id"]: meta["filename"]
        for meta in found
        if meta is not None and meta["mimetype"] == MODEL_TYPE and OFFERED.fullmatch(meta["filename"])
    }


def _withdraw(study: Study, store: FileSystemArtifactStore, artifact: str) -> None:
    # Optuna has no call for it; optuna-dashboard deletes an artifact in the same way: an empty record, then the file.
    study.storage.backend.set_study_system_attr(study.id, PREFIX + artifact, json.dumps(None))
    with contextlib.suppress(ArtifactNotFound):
        store.remove(artifact)

"""What was learned of a stream is kept beside its cache: as long as the files are the same, nobody reads them again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from spaces.spec import DataSpec
from trainers.data.data import Array, Column, Data
from trainers.data.moments import Moments
from trainers.data.stream import PREFETCH, Stream
from trainers.data.stream_store import place_of, reading
from trainers.data.table import files_of

VERSION = 1
"""Counts up whenever other things are kept."""

_ARRAYS = ("x_train", "y_train", "x_validation", "y_validation", "mean", "variance")
_PLAIN = ("task", "classes", "class_names", "feature_names", "minimum", "maximum", "target_mean", "target_deviation")


def stamp(spec: DataSpec, folder: Path, seed: int, missing: bool) -> str | None:
    """Return what changes when a file does: names, sizes and times of change; None for a function. Raises DataError."""
    if spec.kind == "dataset":
        return None
    path = folder / spec.location
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else files_of(path)
    seen = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.exists()]
    return hashlib.sha256(repr((VERSION, seed, missing, seen)).encode()).hexdigest()


def remember(cache: Path, source: str, mark: str, data: Data) -> None:
    """Keep what is known of a data set whose stream is kept in `cache`."""
    place, known = place_of(cache, source, data.fingerprint), data.stream
    assert known is not None
    plain = {name: getattr(data, name) for name in (*_PLAIN, "fingerprint", "missing")}
    plain["columns"] = None if data.columns is None else [asdict(column) for column in data.columns]
    plain["stream"] = {"examples": known.examples, "held": known.held, "weighted": known.weighted}
    arrays: dict[str, Array | None] = {name: getattr(data, name) for name in _ARRAYS}
    arrays |= {"counts": known.counts, **{f"moments.{name}": value for name, value in vars(known.moments).items()}}
    aside = place / "known.part"
    with aside.open("wb") as file:
        np.savez(file, about=np.array(json.dumps(plain)), **{k: v for k, v in arrays.items() if v is not None})  # type: ignore[arg-type]
    aside.rename(place / f"known-{mark}.npz")


def recall(cache: Path, source: str, mark: str, options: Any) -> Data | None:
    """Return the data set that was kept with this stamp, if there is one."""
    found = next(iter(cache.glob(f"{source}-*/known-{mark}.npz")), None)
    if found is None:
        return None
    with np.load(found, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    plain = json.loads(str(arrays.pop("about")))
    moments = Moments(**{name.removeprefix("moments."): arrays[name] for name in arrays if name.startswith("moments.")})
    stream = Stream(
        *reading(found.parent, options),
        prefetch=options.get("prefetch", PREFETCH),
        counts=arrays.get("counts"),
        moments=moments,
        **plain.pop("stream"),
    )
    columns = plain.pop("columns")
    for name in ("class_names", "feature_names"):
        plain[name] = None if plain[name] is None else tuple(plain[name])
    for array in arrays.values():
        array.flags.writeable = False
    return Data(
        **{name: arrays.get(name) for name in _ARRAYS},  # type: ignore[arg-type]
        **plain,
        columns=columns and tuple(Column(one["name"], one["kind"], tuple(one["categories"])) for one in columns),
        stream=stream,
    )

"""Where examples and labels come from: one function per kind of source in the space file."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spaces.errors import did_you_mean
from spaces.spec import DataSpec
from trainers import user_code
from trainers.data.data import DataError, Examples, Raw
from trainers.data.documentation import read_documentation
from trainers.data.sequences import are_sequences
from trainers.data.table import of_one_kind, read_csv, read_parquet, told
from trainers.words.datasets import KERAS_SETS, SETS

IMAGE_SIZE = (32, 32)


def read(spec: DataSpec, folder: Path) -> Raw:
    """Return what the source gives; relative paths are relative to `folder`. Raises DataError."""
    options = dict(spec.options)
    readers: dict[str, Callable[[], Raw]] = {
        "set": lambda: replace(read_set(spec.location), **options),
        "keras": lambda: replace(read_keras(spec.location), **options),
        "npz": lambda: read_npz(existing(folder / spec.location), options),
        "csv": lambda: read_csv(existing(folder / spec.location), options),
        "parquet": lambda: read_parquet(existing(folder / spec.location), options),
        "texts": lambda: read_texts(existing(folder / spec.location), options),
        "images": lambda: read_images(existing(folder / spec.location), options),
        "function": lambda: read_function(spec.location, folder, options),
    }
    return readers[spec.kind]()


def _near(word: str, known: Iterable[str]) -> str:
    known = list(known)
    return did_you_mean(word, known) or f"; expected one of {', '.join(known)}"


def existing(path: Path) -> Path:
    """Return the path, if something is there, or it is a pattern. Raises DataError with the nearest name."""
    if path.is_file() or path.is_dir() or ("*" in path.name and path.parent.is_dir()):
        return path
    if path.exists():  # reading it would wait for ever, or never end
        raise DataError(f"{path} is a pipe or a device; expected a file")
    siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    raise DataError(f"no such file: {path}{did_you_mean(path.name, siblings)}")


def read_set(name: str) -> Raw:
    """Return one of the sets that are always there.

    All but SciPy's docstrings are scikit-learn's: https://scikit-learn.org/stable/datasets/toy_dataset.html.
    """
    known = [entry.name for entry in SETS]
    if name not in known:
        raise DataError(f"no data set '{name}'{_near(name, known)}")
    if name == "scipy_docs":
        return read_documentation()
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name.replace('digit_rows', 'digits')}")()
    if name in ("digits", "digit_rows"):
        images = bunch.images.astype(np.float32)
        x = images if name == "digit_rows" else images[..., None]
        return Raw(x, bunch.target, class_names=tuple("0123456789"))
    names = tuple(str(value) for value in bunch.target_names) if "target_names" in bunch else None
    features = tuple(str(value) for value in bunch.feature_names)
    return Raw(bunch.data, bunch.target, class_names=names, feature_names=features)


def read_keras(name: str) -> Raw:
    """Return the training part of a set of https://keras.io/api/datasets/; its test part is left alone."""
    known = {entry.name: entry for entry in KERAS_SETS}
    if name not in known:
        raise DataError(f"no Keras data set '{name}'{_near(name, known)}")
    import keras

    try:
        (x, y), _ = getattr(keras.datasets, name).load_data()
    except Exception as error:
        cache = Path(os.environ.get("KERAS_HOME", "~/.keras")) / "datasets"
        raise DataError(
            f"could not be downloaded ({error}). On a machine without a network, copy the files of "
            f"{cache.expanduser()} from one that has loaded it with keras.datasets.{name}.load_data()"
        ) from error
    if known[name].form == "image" and x.ndim == 3:
        x = x[..., None]
    return Raw(x, y, task=known[name].task)


def read_npz(path: Path, options: Mapping[str, Any]) -> Raw:
    """Return the arrays `x` and `y` of a NumPy archive; `x_validation` and `y_validation` if it has them.

    `x_train` and `y_train` are understood where there is no `x` and `y`.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, MemoryError) as error:
        raise DataError(f"{path} can't be read as a NumPy archive without pickled objects: {error}") from error

    def array(name: str) -> Any:
        found = arrays.get(name, arrays.get(f"{name}_train"))
        if found is None:
            raise DataError(f"{path} has no array '{name}'{_near(name, arrays)}")
        return found

    return Raw(
        array(options.get("x", "x")),
        array(options.get("y", "y")),
        *_validation(arrays),
        task=options.get("task"),
        weights=array(options["weights"]) if options.get("weights") else None,
    )


def _validation(arrays: Mapping[str, Any]) -> tuple[Any, Any]:
    x, y = arrays.get("x_validation", arrays.get("x_val")), arrays.get("y_validation", arrays.get("y_val"))
    if (x is None) != (y is None):
        raise DataError(f"has {'y' if x is None else 'x'}_validation alone; expected both or neither")
    return x, y


def read_images(path: Path, options: Mapping[str, Any]) -> Raw:
    """Return the pictures below a folder per class, as bytes, resized: (n, height, width, channels)."""
    import keras

    if not any(entry.is_dir() for entry in path.iterdir() if path.is_dir()):
        raise DataError(f"{path} has no folders; expected one folder of pictures per class")
    try:
        pictures = keras.utils.image_dataset_from_directory(
            str(path),
            label_mode="int",
            color_mode="grayscale" if options.get("channels") == 1 else "rgb",
            image_size=tuple(options.get("size", IMAGE_SIZE)),
            crop_to_aspect_ratio=options.get("crop", False),
            shuffle=False,
            batch_size=64,
            verbose=False,
        )
        names = tuple(pictures.class_names)
        batches = [(np.rint(x.numpy()).astype(np.uint8), y.numpy()) for x, y in pictures]
    except Exception as error:
        raise DataError(f"{path} can't be read as a folder of pictures per class: {error}") from error
    x, y = (np.concatenate(part) for part in zip(*batches, strict=True))
    empty = [name for number, name in enumerate(names) if not (y == number).any()]
    if empty:
        raise DataError(f"{path}: no pictures (png, jpg, bmp, gif) in {', '.join(empty[:10])}")
    return Raw(x, y, class_names=names)


def read_texts(path: Path, options: Mapping[str, Any]) -> Raw:
    """Return the texts (UTF-8) below a folder per class, in the order of the files' names."""
    folders = sorted(entry for entry in path.iterdir() if entry.is_dir()) if path.is_dir() else []
    if not folders:
        raise DataError(f"{path} has no folders; expected one folder of text files per class")
    files = [(file, number) for number, folder in enumerate(folders) for file in sorted(folder.rglob("*.txt"))]
    empty = [folder.name for number, folder in enumerate(folders) if number not in {owner for _, owner in files}]
    if empty:
        raise DataError(f"{path}: no text files (txt) in {', '.join(empty[:10])}")
    try:
        texts = [file.read_text(encoding="utf-8") for file, _ in files]
    except (UnicodeDecodeError, OSError) as error:
        raise DataError(f"{path}: a file can't be read as UTF-8 text: {told(error)}") from error
    names = tuple(folder.name for folder in folders)
    y = np.array([number for _, number in files])
    return Raw(np.array(texts, object), y, class_names=names, length=options.get("length"))


def called(reference: str, folder: Path) -> Any:
    """Return what the user's function gives, called without arguments. Raises DataError."""
    try:
        function = user_code.function(reference, folder, ())
    except user_code.FindError as error:
        raise DataError(str(error)) from error
    try:
        return function()
    except (Exception, SystemExit) as error:
        raise DataError(f"the function failed {user_code.told(error)}") from error


def read_function(reference: str, folder: Path, options: Mapping[str, Any]) -> Raw:
    """Return what the user's function does: (x, y), with (…, x_validation, y_validation) or not, or a dict of these.

    x: an array, texts, a pandas DataFrame, or a list of sequences (arrays of different lengths). The dict may also hold
    class_names and sample_weight (n,).
    """
    given = called(reference, folder)
    if isinstance(given, tuple) and len(given) in (2, 4):
        given = dict(zip(("x", "y", "x_validation", "y_validation"), given, strict=False))
    if not isinstance(given, Mapping):
        raise DataError(
            f"the function returned a {type(given).__name__}; "
            "expected (x, y), (x_train, y_train, x_validation, y_validation), or a dict with x and y"
        )
    x, y = (given.get(name, given.get(f"{name}_train")) for name in ("x", "y"))
    if x is None or y is None:
        raise DataError(f"the function returned a dict of {sorted(given)}; expected x and y")
    x_validation, y_validation = _validation(given)
    names, weights = given.get("class_names"), given.get("sample_weight")
    return Raw(
        _examples(x),
        np.asarray(y),
        None if x_validation is None else _examples(x_validation),
        None if y_validation is None else np.asarray(y_validation),
        class_names=tuple(names) if names else None,
        feature_names=tuple(map(str, x.columns)) if isinstance(x, pd.DataFrame) else None,
        weights=None if weights is None else np.asarray(weights),
        **options,
    )


def _examples(x: Any) -> Examples:
    """Return what can be an array as one, and tables and sequences of different lengths as they are."""
    if isinstance(x, pd.DataFrame):
        table: Examples = of_one_kind(x.rename(columns=str))
        return table
    if are_sequences(x) and len({_length(item) for item in x}) > 1:
        return list(x)
    if not isinstance(x, np.ndarray) and hasattr(x, "to_list"):  # tf.RaggedTensor
        return list(x.to_list())
    try:
        return np.asarray(x)
    except ValueError as error:
        raise DataError(f"x can't be made an array ({error}); expected examples of one shape") from error


def _length(item: Any) -> int:
    return len(item) if hasattr(item, "__len__") else 0

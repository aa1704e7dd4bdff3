"""How CSV and Parquet files of any size come in: chunk by chunk of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from trainers.data.data import DataError
from trainers.data.table import check_column, told

CHUNK = 50_000
"""Rows that are in memory at a time."""

Chunks = Callable[[], Iterator[pd.DataFrame]]


def chunks(kind: str, files: list[Path], options: Mapping[str, Any], texts: frozenset[str]) -> Chunks:
    """Return what reads the files from their start, in chunks; columns in `texts` as the texts that they are."""
    return lambda: _parquet(files, options) if kind == "parquet" else _csv(files, options, texts)


def _named(options: Mapping[str, Any]) -> Iterator[str]:
    label = options["label"]
    yield from [label] if isinstance(label, str) else label
    for word in ("categorical", "ignore"):
        yield from options.get(word, ())
    if options.get("weights"):
        yield options["weights"]


def _csv(files: list[Path], options: Mapping[str, Any], texts: frozenset[str]) -> Iterator[pd.DataFrame]:
    ignored = list(options.get("ignore", ()))
    for file in files:
        try:
            header = list(pd.read_csv(file, sep=options.get("separator", ","), nrows=0).columns)
            for name in _named(options):
                check_column(name, header, file)
            types = dict.fromkeys(texts & set(header), str)
            with pd.read_csv(
                file, sep=options.get("separator", ","), dtype=types, chunksize=CHUNK, low_memory=False
            ) as reader:
                for chunk in reader:
                    yield chunk.drop(columns=ignored)
        except (ValueError, OSError) as error:
            raise DataError(f"{file} can't be read as CSV: {told(error)}") from error


def _parquet(files: list[Path], options: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise DataError("reading Parquet needs pyarrow: pip install 'search[parquet]'") from error
    for file in files:
        try:
            with parquet.ParquetFile(file, pre_buffer=False) as opened:
                for name in _named(options):
                    check_column(name, opened.schema_arrow.names, file)
                for batch in opened.iter_batches(CHUNK):
                    chunk = batch.to_pandas().drop(columns=list(options.get("ignore", ())))
                    for name in options.get("categorical", ()):
                        chunk[name] = chunk[name].where(chunk[name].isna(), chunk[name].astype(str)).astype(object)
                    yield chunk
        except (ValueError, OSError) as error:
            raise DataError(f"{file} can't be read as Parquet: {error}") from error

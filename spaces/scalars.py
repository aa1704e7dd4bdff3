"""How is a value written in YAML 1.2, and what does a written scalar mean?

The core schema (https://yaml.org/spec/1.2.2/#103-core-schema): `1e-5` is a number, `on` a word, `010` is ten.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from spaces.parameters import Scalar

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"([-+]?)(\.inf|\.Inf|\.INF)")
_NAN = frozenset({".nan", ".NaN", ".NAN"})

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*(:[A-Za-z0-9_./-]+)*")
# YAML 1.1 reads these as true, false or null: quoted, they mean the same to every reader.
_ELSEWHERE = re.compile(r"y|n|yes|no|on|off|true|false|null", re.IGNORECASE)
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_LONGEST_NUMBER = 400


def resolve(text: str) -> Scalar:
    """Return what the unquoted scalar `text` means.

    Raises ValueError for a number with more than 400 digits.
    """
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    for pattern, base in ((_INT, 10), (_OCTAL, 8), (_HEXADECIMAL, 16)):
        if pattern.fullmatch(text):
            _check_length(text)
            return int(text.replace("0o", ""), base)
    if _FLOAT.fullmatch(text):
        _check_length(text)
        return float(text)
    if infinite := _INFINITE.fullmatch(text):
        return -math.inf if infinite[1] == "-" else math.inf
    return math.nan if text in _NAN else text


def written(value: Any) -> str:
    """Return `value` (scalars, and lists and maps of them) on one line, as flow-style YAML that reads back the same."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{written(key)}: {written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(written(item) for item in value) + "]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _written_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    return repr(value)


def _written_text(text: str) -> str:
    """Return `text` bare where no YAML reader could take it for anything else, otherwise in double quotes."""
    if _PLAIN.fullmatch(text) and not _ELSEWHERE.fullmatch(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _check_length(text: str) -> None:
    """Keep Python's own limit on the digits of a number (and its traceback) out of sight."""
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("a number with more than 400 digits")

"""How does a JSON Schema say each thing only once? What stands in it several times moves to `$defs`."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

Schema = dict[str, Any]

_LEAST = 60
"""Characters below which a `$ref` is no shorter than what it stands for."""


def compact(schema: Schema) -> Schema:
    """Return a schema that accepts the same, in which what stands several times is a `$ref` into `$defs`.

    The time it takes is that of the objects in `schema`: one that is shared (the same Python object) is looked at once.
    """
    shared = _Shared()
    top = shared.number(schema)
    uses = Counter(child for form in shared.forms for child in _children(form))
    sizes = _sizes(shared.forms, shared.texts)
    numbers = [n for n in range(len(shared.forms)) if uses[n] > 1 and sizes[n] > _LEAST]
    often = {n: f"s{at}" for at, n in enumerate(numbers)}
    whole: Schema = shared.written(top, often)
    whole["$defs"] = whole.get("$defs", {}) | {name: shared.written(n, often) for n, name in often.items()}
    return whole


@dataclass(frozen=True)
class _Number:
    """Stands for a schema inside another one."""

    n: int


@dataclass
class _Shared:
    """Gives equal schemas the same number."""

    forms: list[Schema] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    _by_text: dict[str, int] = field(default_factory=dict)
    _by_object: dict[int, int] = field(default_factory=dict)

    def number(self, schema: Schema) -> int:
        """Return the number of a schema."""
        if id(schema) not in self._by_object:
            form = _mapped(schema, lambda inner: _Number(self.number(inner)))
            text = json.dumps(form, sort_keys=True, default=lambda inner: f"#{inner.n}")
            if text not in self._by_text:
                self._by_text[text] = len(self.forms)
                self.forms.append(form)
                self.texts.append(text)
            self._by_object[id(schema)] = self._by_text[text]
        return self._by_object[id(schema)]

    def written(self, n: int, often: dict[int, str]) -> Schema:
        """Return a schema in full, but for what is used often, which has a name."""

        def inner(child: _Number) -> Schema:
            return {"$ref": f"#/$defs/{often[child.n]}"} if child.n in often else self.written(child.n, often)

        return _mapped(self.forms[n], inner)


def _sizes(forms: list[Schema], texts: list[str]) -> list[int]:
    """Return how long each schema is in full, about; what stands inside another one has the smaller number."""
    sizes: list[int] = []
    for form, text in zip(forms, texts, strict=True):
        sizes.append(len(text) + sum(sizes[child] for child in _children(form)))
    return sizes


def _mapped(schema: Schema, change: Any) -> Schema:
    """Return a schema with `change` applied to the schemas right inside it, wherever JSON Schema has them."""
    changed: Schema = {}
    for key, value in schema.items():
        if key in ("anyOf", "oneOf"):
            changed[key] = [change(inner) for inner in value]
        elif key in ("properties", "$defs"):
            changed[key] = {name: change(inner) if _is_inner(inner) else inner for name, inner in value.items()}
        elif key in ("items", "additionalProperties", "propertyNames", "not") and _is_inner(value):
            changed[key] = change(value)
        else:
            changed[key] = value
    return changed


def _is_inner(value: Any) -> bool:
    """Tell a schema from the `true` or `false` that may stand in its place."""
    return isinstance(value, dict | _Number)


def _children(form: Schema) -> list[int]:
    """Return the numbers of the schemas right inside one."""
    found: list[int] = []
    _mapped(form, lambda inner: found.append(inner.n))
    return found

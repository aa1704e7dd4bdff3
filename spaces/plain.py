"""How does a space look as plain data, in the form of the file?"""

from __future__ import annotations

from typing import Any

from spaces.parameters import Branches, Choice, Fixed, Float, Int, Map, Node, Optional, Repeat, Scalar


def plain(node: Node, priors: bool = True) -> Any:
    """Return `node` as dicts, lists and scalars that read back as it, with or without its priors."""
    form: dict[str, Any]
    match node:
        case Fixed(value):
            return {"const": value} if isinstance(value, dict | list) else value
        case Map():
            return {key: plain(item, priors) for key, item in node.items.items()}
        case Float():
            form = {"float": [node.low, node.high]} | ({"log": True} if node.log else {})
            form |= {} if node.step is None else {"step": node.step}
        case Int():
            form = {"int": [node.low, node.high]} | ({"log": True} if node.log else {})
            form |= {} if node.step == 1 else {"step": node.step}
        case Choice():
            form = {"choice": list(node.values)}
        case Branches():
            form = {"choice": {word: _body(body, priors) for word, body in node.branches.items()}}
        case Optional():
            form = {"optional": plain(node.body, priors)}
        case Repeat():
            form = {"repeat": [node.low, node.high], "each": _body(node.each, priors)}
    if priors and (node.prior is not None or (isinstance(node, Choice) and node.has_prior)):
        form["prior"] = _prior(node)
    return form


def _body(body: Node, priors: bool) -> Any:
    """Return what stands under a branch or `each`, where a bare null would be an empty map or a mistake."""
    return {"const": None} if body == Fixed(None, body.place) else plain(body, priors)


def _prior(node: Float | Int | Choice | Branches | Optional | Repeat) -> Scalar | list[Any]:
    """Return the prior as a value: a choice keeps a list under its text."""
    if isinstance(node, Choice) and node.prior in node.options:
        value: Scalar | list[Any] = node.values[node.options.index(node.prior)]
        return value
    return node.prior

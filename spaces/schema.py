"""What does the JSON Schema of a space file look like, with which editors complete and check it?

Draft 2020-12, https://json-schema.org/draft/2020-12. It is a help while typing: the reader has the last word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spaces.compact import compact
from spaces.kinds import Anything, Either, Flag, Kind, Listed, Many, OneOf, OneWord, Option, Options, Real, Text, Whole
from spaces.sources import SOURCES, VALIDATION, Source

Schema = dict[str, Any]


def schema(kind: Kind) -> Schema:
    """Return the JSON Schema of what `kind` accepts in the file, searched forms (`float`, `choice`, …) included."""
    forms: Schema = {"anyOf": _forms(kind)}
    return {"anyOf": [forms, parameter("optional", {"anyOf": [forms]}, {"prior": {"type": "boolean"}})]}


def parameter(word: str, value: Schema, options: Schema | None = None, required: tuple[str, ...] = ()) -> Schema:
    """Return the schema of a map whose key makes it a parameter."""
    return {
        "type": "object",
        "properties": {word: {"description": DESCRIPTIONS[word], **value}, **(options or {})},
        "required": [word, *required],
        "additionalProperties": False,
    }


DESCRIPTIONS = {
    "float": "Search real numbers from low to high, both inclusive: {float: [1e-5, 1e-1], log: true, prior: 1e-3}",
    "int": "Search whole numbers from low to high, both inclusive: {int: [16, 128], log: true}",
    "choice": "Search between values ([32, 64]), or between branches (a map: what stands under a word belongs to it)",
    "optional": "Search whether this is used at all: null, or what stands under it",
    "repeat": "Search how often `each` is repeated, [low, high]: a list",
    "const": "Fix a list or map, as it stands",
}


def _forms(kind: Kind) -> list[Schema]:
    """Return the schema of each way in which a value of this kind can be written, `optional` left out."""
    fixed = _plain(kind)
    const = parameter("const", fixed)
    prior: Schema = {"prior": True}
    # null among the options is as good as leaving the key out, as with `optional`.
    options = {"type": "array", "minItems": 2, "items": {"anyOf": [fixed, {"type": "null"}]}}
    choice = parameter("choice", options, prior)
    match kind:
        case Real() | Whole():
            ranges = [_range("int", kind)] if isinstance(kind, Whole) else [_range("float", kind), _range("int", kind)]
            return [fixed, *ranges, choice, const]
        case Flag() | Text() | OneOf():
            return [fixed, choice, const]
        case Listed():
            return [_repeat(kind.item), choice, const]
        case Many():
            return [_repeat(kind.item), const]
        case Options():
            return [_map(kind, schema), const]
        case OneWord():
            bare, one = _words(kind, schema)
            branches = {**one, "minProperties": 2}
            del branches["maxProperties"]
            return [bare, one, choice, parameter("choice", branches, prior), const]
        case Either():
            return [choice, *(form for each in kind.kinds for form in _forms(each))]
        case Anything():
            return [{"$ref": "#/$defs/node"}]


def _plain(kind: Kind) -> Schema:
    """Return the schema of a fixed value: what may stand below `const`, or as an option of a choice."""
    match kind:
        case Real():
            low = {} if kind.low is None else {"exclusiveMinimum" if kind.low_open else "minimum": kind.low}
            high = {} if kind.high is None else {"exclusiveMaximum" if kind.high_open else "maximum": kind.high}
            return {"type": "number", **low, **high}
        case Whole():
            low = {} if kind.low is None else {"minimum": kind.low}
            return {"type": "integer", **low, **({} if kind.high is None else {"maximum": kind.high})}
        case Flag():
            return {"type": "boolean"}
        case Text():
            return {"type": "string"}
        case OneOf():
            return {"enum": list(kind.values)}
        case Listed() | Many():
            least, most = (kind.least, kind.most) if isinstance(kind, Listed) else (0, None)
            most_items = {} if most is None else {"maxItems": most}
            item = _plain(kind.item)
            items = {"anyOf": [item, {"type": "null"}]} if isinstance(kind, Many) else item  # a block that isn't there
            return {"type": "array", "items": items, "minItems": least, **most_items}
        case Options():
            return _map(kind, _plain)
        case OneWord():
            return {"anyOf": _words(kind, _plain)}
        case Either():
            return {"anyOf": [_plain(each) for each in kind.kinds]}
        case Anything():
            return {}


def _range(word: str, kind: Real | Whole) -> Schema:
    """Return the schema of `{float: [low, high], …}` or of `{int: …}`, both ends within the kind."""
    end = _plain(Whole(None, None)) | {key: value for key, value in _plain(kind).items() if key != "type"}
    end["type"] = "integer" if word == "int" else "number"
    return parameter(word, {"type": "array", "items": end, "minItems": 2, "maxItems": 2}, _range_options(end))


def _range_options(end: Schema) -> Schema:
    """Return the options beside a range."""
    return {
        "log": {"type": "boolean", "description": "Search the orders of magnitude evenly; low must be above 0"},
        "step": {"type": end["type"], "exclusiveMinimum": 0, "description": "Only every step from low on"},
        "prior": {**end, "description": "Where a person would start: the first trial takes it"},
    }


def _repeat(item: Kind) -> Schema:
    """Return the schema of `{repeat: [low, high], each: …}`."""
    count = {"type": "integer", "minimum": 0}
    bounds = {"type": "array", "items": count, "minItems": 2, "maxItems": 2}
    return parameter("repeat", bounds, {"each": schema(item), "prior": count}, ("each",))


def _words(kind: OneWord, inner: Callable[[Kind], Schema]) -> list[Schema]:
    """Return the schemas of `word` and of `{word: body}`."""
    bare: Schema = {"oneOf": [{"const": word.name, "description": word.doc} for word in kind.words]}
    bodies = {word.name: _body(word.kind, word.doc, inner) for word in kind.words}
    one = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "properties": bodies,
        "additionalProperties": False,
    }
    return [bare, one]


def _body(kind: Kind, doc: str, inner: Callable[[Kind], Schema]) -> Schema:
    """Return the schema of what stands under a word; nothing is an empty map."""
    return {"description": doc, "anyOf": [inner(kind), {"type": "null"}]}


def _map(kind: Options, inner: Callable[[Kind], Schema]) -> Schema:
    """Return the schema of a map with these keys."""
    properties = {option.name: _property(option, inner) for option in kind.options}
    names = [option.name for option in kind.options if option.required]
    required: Schema = {"required": names} if names else {}
    other: Schema | bool = {"$ref": "#/$defs/node"} if inner is schema else {}
    return {
        "type": "object",
        "properties": properties,
        **required,
        "additionalProperties": other if kind.open else False,
    }


def _property(option: Option, inner: Callable[[Kind], Schema]) -> Schema:
    """Return the schema of one key, with what an editor shows; null is as good as leaving it out."""
    shown = {"description": option.doc} | ({} if option.default is None else {"default": option.default})
    if option.required:
        return {**shown, "anyOf": _forms(option.kind) if inner is schema else [inner(option.kind)]}
    return {**shown, "anyOf": [inner(option.kind), {"type": "null"}]}


_SCALAR: Schema = {"type": ["string", "number", "boolean", "null"]}
_NODE: Schema = {"$ref": "#/$defs/node"}


def _any_node() -> Schema:
    """Return the schema of whatever may stand under `space`, whoever the trainer is."""
    flat = {"type": "array", "items": _SCALAR}
    values = {"type": "array", "minItems": 2, "items": {"anyOf": [_SCALAR, flat]}}
    branches = {"type": "object", "minProperties": 2, "additionalProperties": _NODE}
    count = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 2, "maxItems": 2}
    nested = {"type": "object", "additionalProperties": _NODE, "propertyNames": {"not": {"enum": list(DESCRIPTIONS)}}}
    return {
        "anyOf": [
            _SCALAR,
            _range("float", Real()),
            _range("int", Whole()),
            parameter("choice", {"anyOf": [values, branches]}, {"prior": True}),
            parameter("optional", _NODE, {"prior": {"type": "boolean"}}),
            parameter("repeat", count, {"each": _NODE, "prior": {"type": "integer", "minimum": 0}}, ("each",)),
            parameter("const", {}),
            nested,
        ]
    }


def file_schema(space: Schema | None = None, sampler: Schema | None = None, pruner: Schema | None = None) -> Schema:
    """Return the JSON Schema of a whole space file.

    `space`, `sampler` and `pruner` are what `schema` gives for a trainer's, the samplers' and the pruners' words; None
    accepts whatever the format does.
    """
    node = _any_node()
    word: Schema = {"anyOf": [{"type": "string"}, {"type": "object", "minProperties": 1, "maxProperties": 1}]}
    function = r"^.+:[A-Za-z_]\w*$"
    metric = {"type": "string", "pattern": r"^\S+$"}
    objective = {
        "type": "object",
        "properties": {"maximize": metric, "minimize": metric},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }
    properties: dict[str, Schema] = {
        "study": _text("The name of the study; the file's name if left out", minLength=1, maxLength=200),
        "trainer": _text(
            "A built-in trainer (image, tabular), or your own loop: file.py:train or module:train", minLength=1
        ),
        "model": _text("Your own model, built by a function: file.py:build or module:build", pattern=function),
        "data": _data(),
        "objective": {
            "description": "What is better: {maximize: val_accuracy} or {minimize: val_loss}, or a list of them",
            "anyOf": [objective, {"type": "array", "minItems": 1, "items": objective}],
        },
        "constraints": _constraints(),
        "budget": _budget(),
        "algorithm": _closed(
            "How is searched; the defaults are good",
            {
                "sampler": {"description": "Who chooses the next configuration", **(sampler or word)},
                "pruner": {"description": "Who ends poor trials early", **(pruner or word)},
                "seed": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": 2**31 - 1,
                    "description": "The same seed, the same study",
                },
            },
        ),
        "space": {
            "description": "What is searched, and what is fixed",
            **(space or {"type": "object", "additionalProperties": _NODE}),
        },
    }
    return compact(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "A space file: what to search, how, and on which data",
            **_closed("", properties, ("objective", "budget", "space")),
            "oneOf": [{"required": ["trainer"]}, {"required": ["model"]}],
            "$defs": {"node": node},
        }
    )


def _text(description: str, **limits: Any) -> Schema:
    return {"type": "string", "description": description, **limits}


def _closed(description: str, properties: Schema, required: tuple[str, ...] = ()) -> Schema:
    """Return the schema of a map with these keys and no others."""
    shown = {"description": description} if description else {}
    return {
        **shown,
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _data() -> Schema:
    """Return the schema of `data:`, one alternative for each kind of source."""
    forms = [_source(source) for source in SOURCES]
    return {"description": "Where the data comes from: exactly one source, with its options", "anyOf": forms}


def _source(source: Source) -> Schema:
    """Return the schema of `data:` with this kind of source."""
    options = {option.name: _described(option) for option in (*source.options, VALIDATION)}
    required = tuple(option.name for option in source.options if option.required)
    return _closed("", {source.name: _text(source.doc), **options}, (source.name, *required))


def _described(option: Option) -> Schema:
    """Return the schema of a fixed option, with what an editor shows."""
    value = list(option.default) if isinstance(option.default, tuple) else option.default
    default = {} if value in (None, []) else {"default": value}
    return {"description": option.doc, **default, **_plain(option.kind)}


def _constraints() -> Schema:
    """Return the schema of `constraints:`."""
    ends: dict[str, Schema] = {
        "min": {"type": "number", "description": "The least that it may be, inclusive"},
        "max": {"type": "number", "description": "The most that it may be, inclusive"},
    }
    return {
        "description": "What a trial must keep to be the best: {parameters: {max: 100000}, val_recall: {min: 0.9}}",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {**_closed("", ends), "minProperties": 1},
    }


def _budget() -> Schema:
    """Return the schema of `budget:`."""
    time: Schema = {
        "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": r"^(\d+(\.\d+)?[dhms])+$"}]
    }
    whole = {"type": "integer", "minimum": 1}
    properties: dict[str, Schema] = {
        "trials": {**whole, "description": "How many configurations are tried, resumed ones counted once"},
        "epochs": {**whole, "default": 10, "description": "How long a trial trains that isn't ended early"},
        "time": {**time, "description": "Wall-clock time of the whole study: 2h, 90m, 1h30m, or seconds"},
        "trial_time": {**time, "description": "Wall-clock time of one trial"},
    }
    return _closed("How much is spent", properties, ("trials",))

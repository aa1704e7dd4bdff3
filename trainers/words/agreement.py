"""Do words that are right by themselves fit each other, the task and the metrics? Without Keras or the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from spaces.errors import Place, Problem, did_you_mean
from spaces.parameters import Branches, Choice, Fixed, Map, Node, Optional
from spaces.scalars import written
from trainers.words.losses import LOSSES, SMOOTHED
from trainers.words.metrics import METRICS, Task, known, reported
from trainers.words.training import CLIPPING

TASKS: Mapping[str, Sequence[Task]] = {
    "label_smoothing": ("classification", "multi_label"),
    "class_weight": ("classification",),
}
"""What certain words are for."""

OF_CLASSES = {word.name for task in TASKS["label_smoothing"] for word in LOSSES[task]}


def check_agreement(space: Map, task: Task | None) -> list[Problem]:
    """Return what is wrong between the words of training, each at its place; `task` None: it isn't known yet."""
    return [
        *_clipping(space),
        *_task(space, task),
        *_smoothing(space),
        *_monitors(space, task),
        *_levels(space),
    ]


def _clipping(space: Map) -> Iterator[Problem]:
    given = [name for name in space.items if name in CLIPPING]
    for name in given[1:]:
        yield Problem(
            space.places[name],
            f"space: '{name}' beside '{given[0]}'",
            ", ".join(given),
            f"at most one of {', '.join(CLIPPING)}",
            "take one out",
        )


def _task(space: Map, task: Task | None) -> Iterator[Problem]:
    if task is None:
        return
    losses, metrics = [word.name for word in LOSSES[task]], [word.name for word in METRICS[task]]
    every_loss = {word.name for words in LOSSES.values() for word in words}
    for name, place in _words(space, "loss"):
        if name in every_loss and name not in losses:
            yield Problem(place, f"space.loss: '{name}' is not for {task}", expected=f"one of {', '.join(losses)}")
    for name, place in _words(space, "metrics"):
        if name in known(None) and name not in metrics:
            yield Problem(place, f"space.metrics: '{name}' is not for {task}", expected=f"one of {', '.join(metrics)}")
    for name, tasks in TASKS.items():
        if name in space.items and task not in tasks:
            yield Problem(space.places[name], f"space: '{name}' is not for {task}", hint="take it out")


def _smoothing(space: Map) -> Iterator[Problem]:
    if all(isinstance(node, Fixed) and not node.value for node in nodes(space, ("label_smoothing",))):
        return
    for name, place in _words(space, "loss"):
        if name in OF_CLASSES and name not in SMOOTHED:
            message = f"space.loss: '{name}' beside label_smoothing"
            yield Problem(place, message, expected=f"one of {', '.join(SMOOTHED)}", hint="take one of both out")


def _monitors(space: Map, task: Task | None) -> Iterator[Problem]:
    metrics = reported(task)
    for path in (("schedule", "reduce_on_plateau", "monitor"), ("callbacks", "early_stopping", "monitor")):
        for name, place in _words(space, *path):
            if name not in metrics:
                where = ".".join(("space", *path))
                message = f"{where}: '{name}' is not a metric of this trainer{did_you_mean(name, metrics)}"
                yield Problem(place, message, expected=f"one of {', '.join(metrics)}")


def _levels(space: Map) -> Iterator[Problem]:
    """Look at a piecewise schedule: boundaries that rise, and one level more than there are boundaries."""
    for node in nodes(space, ("schedule", "piecewise")):
        if not isinstance(node, Map):
            continue
        boundaries, shares = (node.items.get(name) for name in ("boundaries", "shares"))
        first = boundaries.value if isinstance(boundaries, Fixed) else None
        second = shares.value if isinstance(shares, Fixed) else None
        if isinstance(first, list | tuple) and list(first) != sorted(set(first)):
            message = "space.schedule.piecewise.boundaries: they don't rise"
            yield Problem(node.places["boundaries"], message, written(list(first)), "fractions of the steps that rise")
        if isinstance(first, list | tuple) and isinstance(second, list | tuple) and len(second) != len(first) + 1:
            message = "space.schedule.piecewise.shares: not one more than boundaries"
            yield Problem(node.places["shares"], message, f"{len(second)} shares", f"{len(first) + 1}")


def nodes(node: Node | None, path: tuple[str, ...]) -> Iterator[Node]:
    """Give whatever may stand at a path of keys, in every branch."""
    match node:
        case Optional(body):
            yield from nodes(body, path)
        case Branches() if path:
            yield from nodes(node.branches.get(path[0]), path[1:])
        case Map() if path:
            yield from nodes(node.items.get(path[0]), path[1:])
        case Fixed(value) if path and isinstance(value, Mapping) and path[0] in value:
            yield from nodes(Fixed(value[path[0]], node.place), path[1:])
        case _ if node is not None and not path:
            yield node


def _words(space: Map, *path: str) -> Iterator[tuple[str, Place]]:
    """Give each word that may stand at a path, with its place: `a`, `{a: …}`, and those of a choice or a list."""
    for node in nodes(space, path):
        match node:
            case Choice():
                values = list(zip(node.values, node.places or (node.place,) * len(node.values), strict=True))
            case Fixed(value):
                values = [(value, node.place)]
            case Map():
                values = [(name, node.places.get(name, node.place)) for name in node.items]
            case Branches():
                values = [(name, node.places.get(name, node.place)) for name in node.branches]
            case _:
                values = []
        for value, place in values:
            words = value if isinstance(value, list | tuple | Mapping) else [value]
            yield from ((word, place) for word in words if isinstance(word, str))

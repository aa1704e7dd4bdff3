"""Say what a run would do: how much, on which devices, with which first configurations, and where results go."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from search.commands import arguments as common
from search.devices import Place, describe, share, visible
from search.machine import cores, memory
from search.plan import checked, summary
from search.postgres.connection import hidden, normalise
from search.settings import Settings
from search.study.preview import first
from spaces.spec import StudySpec
from spaces.writer import fragment

SHOWN = 3  # first configurations


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the file, the storage and the devices."""
    common.space_file(parser)
    common.storage(parser)
    common.devices(parser)
    common.json_output(parser)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the plan. Nothing is started and nothing is written."""
    spec = checked(arguments.file)
    devices = visible(settings.environment, settings.devices.value)
    places = share(devices, settings.per_gpu.value, settings.workers.value, cores(), memory())
    seed = spec.algorithm.seed
    drawn = first(spec, seed if seed is not None else 0, SHOWN)
    where, told = _where(settings), _examples(spec, places)
    if settings.json:
        budget = {"trials": spec.budget.trials, "epochs": spec.budget.epochs, "time": spec.budget.time}
        workers = [str(place.device) if place.device else "cpu" for place in places]
        plan = {"study": spec.study, "budget": budget, "data": told, "workers": workers, "first": drawn, "where": where}
        print(json.dumps(plan))
        return 0
    print("\n".join(summary(spec)))
    if told:
        print(f"examples   {told}")
    print("\n".join(f"           {line}" for line in describe(places, devices.notes)))
    print("\n".join(where))
    note = "" if seed is not None else " (an example: the file has no seed, so each new study draws its own)"
    for number, parameters in enumerate(drawn):
        print(f"trial {number}{note if number == 0 else ''}")
        print(fragment(parameters).rstrip())
    return 0


def _examples(spec: StudySpec, places: Sequence[Place]) -> str | None:
    """Return how much data there is, and whether it stays on the device."""
    if spec.data is None:
        return None
    from trainers.data.placing import foretold  # scikit-learn and pandas

    device = places[0].device if places else None
    return foretold(spec.data, spec.folder, device.memory if device else None)


def _where(settings: Settings) -> list[str]:
    storage, state = settings.storage, settings.state
    if storage.value is not None:
        lines = [f"results    {hidden(normalise(storage.value))} ({storage.source})"]
    else:
        lines = [f"results    the embedded PostgreSQL in {state.value} ({state.source})"]
    return [*lines, f"files      checkpoints, models and logs in {state.value} ({state.source})"]

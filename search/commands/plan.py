"""Say what a run would do: how much, on which devices, with which first configurations, and where results go."""

from __future__ import annotations

import argparse
import json

from search.commands import arguments as common
from search.devices import describe, share, visible
from search.machine import cores, memory
from search.plan import checked, summary
from search.postgres.connection import hidden, normalise
from search.settings import Settings
from search.study.preview import first
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
    where = _where(settings)
    if settings.json:
        budget = {"trials": spec.budget.trials, "epochs": spec.budget.epochs, "time": spec.budget.time}
        workers = [str(place.device) if place.device else "cpu" for place in places]
        print(json.dumps({"study": spec.study, "budget": budget, "workers": workers, "first": drawn, "where": where}))
        return 0
    print("\n".join(summary(spec)))
    print("\n".join(f"           {line}" for line in describe(places, devices.notes)))
    print("\n".join(where))
    note = "" if seed is not None else " (an example: the file has no seed, so each new study draws its own)"
    for number, parameters in enumerate(drawn):
        print(f"trial {number}{note if number == 0 else ''}")
        print(fragment(parameters).rstrip())
    return 0


def _where(settings: Settings) -> list[str]:
    storage, state = settings.storage, settings.state
    if storage.value is not None:
        lines = [f"results    {hidden(normalise(storage.value))} ({storage.source})"]
    else:
        lines = [f"results    the embedded PostgreSQL in {state.value} ({state.source})"]
    return [*lines, f"files      checkpoints, models and logs in {state.value} ({state.source})"]

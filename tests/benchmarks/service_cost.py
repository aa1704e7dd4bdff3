"""What the service itself costs for a trial without any training, beside plain Optuna: milliseconds and transactions.

    python tests/benchmarks/service_cost.py [--quick]

A trial has 10 parameters and reports 10 epochs, with the pruner asked after each. Both sides use the same sampler
(TPE), the same pruner (median) and the same embedded PostgreSQL, in studies that already hold 100, 1,000 or 10,000
finished trials, with 1, 2 and 8 workers. The sides take turns, and the ratio is that of the medians. What the sampler
computes is the same on both sides, and grows with the study: it is shown beside, and left out of the last ratio.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy

from search.postgres import server
from search.postgres.connection import connect
from search.study.claim import Claims
from search.study.storage import open_storage
from search.study.study import load, open_study
from search.study.trial import OwnedTrial
from spaces.reader import parse

PARAMETERS = [f"p{number}" for number in range(10)]
EPOCHS = 11  # the last one is never pruned, so ten are judged
SPACE = """
study: {name}
trainer: train.py:train
objective: {{minimize: loss}}
budget: {{trials: 1000000, epochs: 11}}
algorithm: {{sampler: tpe, pruner: {{median: {{n_warmup_steps: 1}}}}, seed: 1}}
space:
"""

# Finished trials, without the time of making them one by one: what Optuna's own storage writes, a statement a table.
HISTORY = """
INSERT INTO trials (number, study_id, state, datetime_start, datetime_complete)
SELECT n, :study, 'COMPLETE', now(), now() FROM generate_series(0, :amount - 1) AS n;
INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json)
SELECT trial_id, 'p' || p, random(), :distribution FROM trials, generate_series(0, 9) AS p WHERE study_id = :study;
INSERT INTO trial_values (trial_id, objective, value, value_type)
SELECT trial_id, 0, random(), 'FINITE' FROM trials WHERE study_id = :study;
INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type)
SELECT trial_id, step, random() + 1.0 / step, 'FINITE' FROM trials, generate_series(1, 10) AS step
WHERE study_id = :study;
"""


def ours(url: str, name: str) -> Callable[[], None]:
    """Return one trial of ours as a function."""
    study = load(open_storage(url, "benchmark"), name)
    study.join()
    claims = Claims(study)

    def trial() -> None:
        owned = claims.next()
        assert isinstance(owned, OwnedTrial)
        for epoch in range(1, EPOCHS):
            owned.record(epoch, {"loss": owned.parameters["p0"] + 1 / epoch})
            owned.should_prune()
        owned.complete([owned.parameters["p0"]])

    return trial


def plain(url: str, name: str) -> Callable[[], None]:
    """Return one trial of plain Optuna as a function."""
    pruner = optuna.pruners.MedianPruner(n_warmup_steps=1)
    study = optuna.load_study(study_name=name, storage=url, pruner=pruner, sampler=optuna.samplers.TPESampler())

    def trial() -> None:
        asked = study.ask()
        first, *_ = [asked.suggest_float(parameter, 0.0, 1.0) for parameter in PARAMETERS]
        for epoch in range(1, EPOCHS):
            asked.report(first + 1 / epoch, epoch)
            asked.should_prune()
        study.tell(asked, first)

    return trial


HEAD = (
    "history  workers  plain ms  ours ms  ratio (min-max)"
    "  sampler: plain  ours      ratio without it  plain tx  ours tx"
)
SIDES = {"plain": plain, "ours": ours}


def work(side: str, url: str, name: str, amount: int) -> None:
    """Be one worker: load the study with a first trial, wait for the word, run trials, print their seconds."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    trial = SIDES[side](url, name)
    trial()
    sampler = sampling()
    print("ready", flush=True)
    sys.stdin.readline()
    start = time.perf_counter()
    for _ in range(amount):
        trial()
    print(time.perf_counter() - start, sampler[0], flush=True)


def sampling() -> list[float]:
    """Return a list of the seconds that TPE has spent sampling from now on."""
    spent, inner = [0.0], optuna.samplers.TPESampler.sample_relative

    def timed(*arguments: Any) -> Any:
        start = time.perf_counter()
        try:
            return inner(*arguments)
        finally:
            spent[0] += time.perf_counter() - start

    optuna.samplers.TPESampler.sample_relative = timed  # type: ignore[method-assign]
    return spent


@dataclass(frozen=True)
class Cost:
    """Of one trial: milliseconds of its worker, those of the sampler among them, and transactions of the server."""

    all: float
    sampler: float
    transactions: float


def measure(side: str, url: str, name: str, workers: int, amount: int) -> Cost:
    """Run `amount` trials in each of so many workers at once."""
    command = [sys.executable, __file__, "--work", side, url, name, str(amount)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    processes = [subprocess.Popen(command, text=True, **pipes) for _ in range(workers)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    before = transactions(url)
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    seconds = [[float(word) for word in process.communicate()[0].split()] for process in processes]
    time.sleep(1.1)  # the server's counters lag by up to a second
    everything, sampler = (statistics.mean(values) / amount * 1000 for values in zip(*seconds, strict=True))
    return Cost(everything, sampler, (transactions(url) - before) / (amount * workers))


def transactions(url: str) -> int:
    """Return how many transactions the server has committed."""
    engine = connect(url, "benchmark-counter")
    with engine.begin() as connection:
        found = connection.execute(
            sqlalchemy.text("SELECT sum(xact_commit) FROM pg_stat_database WHERE datname = current_database()")
        )
        counted = int(found.scalar_one())
    engine.dispose()
    return counted


def prepare(url: str, side: str, history: int) -> str:
    """Make a study of that many finished trials; return its name."""
    name = f"{side}-{history}-{time.time_ns()}"
    if side == "ours":
        space = SPACE.format(name=name) + "".join(f"  {name}: {{float: [0.0, 1.0]}}\n" for name in PARAMETERS)
        storage = open_storage(url, "benchmark")
        study_id = open_study(storage, parse(space, "space.yaml", Path.cwd())).id
        storage.close()
    else:
        study_id = optuna.create_study(study_name=name, storage=url)._study_id
    distribution = optuna.distributions.distribution_to_json(optuna.distributions.FloatDistribution(0.0, 1.0))
    engine = connect(url, "benchmark-history")
    with engine.begin() as connection:
        for statement in HISTORY.strip().split(";\n"):
            given = {"study": study_id, "amount": history, "distribution": distribution}
            wanted = {key: value for key, value in given.items() if f":{key}" in statement}
            connection.execute(sqlalchemy.text(statement.rstrip(";")), wanted)
    engine.dispose()
    return name


def main() -> None:
    """Measure both sides in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a short form: 100 trials of history, 1 and 2 workers")
    parser.add_argument("--work", nargs=4, metavar=("SIDE", "URL", "STUDY", "AMOUNT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        side, url, name, amount = arguments.work
        work(side, url, name, int(amount))
        return
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sizes, workers, rounds, amount = (
        ([100], [1, 2], 3, 10) if arguments.quick else ([100, 1000, 10000], [1, 2, 8], 3, 20)
    )
    with tempfile.TemporaryDirectory(prefix="search-benchmark-") as folder:
        Path(folder).chmod(0o755)
        embedded = server.ensure(Path(folder))
        try:
            open_storage(embedded.url, "benchmark").close()
            print(HEAD)
            for size in sizes:
                names = {side: prepare(embedded.url, side, size) for side in SIDES}
                for count in workers:
                    row(embedded.url, names, size, count, rounds, amount)
        finally:
            embedded.release()


def row(url: str, names: dict[str, str], size: int, workers: int, rounds: int, amount: int) -> None:
    """Measure one line of the table."""
    found: dict[str, list[Cost]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side, name in names.items():
            found[side].append(measure(side, url, name, workers, amount))
    plain, mine = found["plain"], found["ours"]
    print(
        f"{size:7d}  {workers:7d}  {median(plain, 'all'):8.1f}  {median(mine, 'all'):7.1f}  {ratio(mine, plain, False)}"
        f"  {median(plain, 'sampler'):10.1f}  {median(mine, 'sampler'):9.1f}  {ratio(mine, plain, True)}"
        f"  {median(plain, 'transactions'):8.1f}  {median(mine, 'transactions'):7.1f}",
        flush=True,
    )


def median(costs: list[Cost], what: str) -> float:
    """Return the median of one figure."""
    return statistics.median(getattr(cost, what) for cost in costs)


def ratio(mine: list[Cost], plain: list[Cost], without_sampler: bool) -> str:
    """Return the ratio of the medians, with the lowest and the highest of the rounds."""
    values = [[cost.all - without_sampler * cost.sampler for cost in side] for side in (mine, plain)]
    rounds = [one / other for one, other in zip(*values, strict=True)]
    middle = statistics.median(values[0]) / statistics.median(values[1])
    return f"{middle:.2f} ({min(rounds):.2f}-{max(rounds):.2f})"


if __name__ == "__main__":
    main()

"""A study with many workers, a random fault every second, and everything exact at the end. By hand, for a long one:

PYTHONPATH=.:tests python tests/faults/soak.py --workers 8 --trials 2000 --seed 1
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import commands
import psutil
import psycopg2
import warm
from claimers import CONTEXT
from stage import Stage, stage
from toys import rows, soon

from search import places, processes
from search.postgres import server

EPOCHS = 4
SCRIPT = "* * sleep 0.05"
INTERRUPTED, UNAVAILABLE = 130, 75
GOES_ON = (-signal.SIGKILL, INTERRUPTED, UNAVAILABLE, 1)  # ends of a run after which the same command must go on

CUT = "SELECT count(pg_terminate_backend(pid)) FROM ({}) AS victims"
WORKERS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'search-worker'"


@dataclass
class Soak:
    """A study that is disturbed. `counts`: the faults that hit somebody; `ends`: how its runs ended."""

    stage: Stage
    url: str
    workers: int
    chance: random.Random
    run: BaseProcess | None = None
    stopped: list[tuple[float, psutil.Process]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    ends: Counter[int] = field(default_factory=Counter)

    def survive(self, every: float, patience: float) -> None:
        """Run until the budget is spent, with a fault every so many seconds."""
        deadline, due = time.monotonic() + patience, time.monotonic() + 4.0
        faults = self._faults()
        while not self._over():
            assert time.monotonic() < deadline, (
                f"not done after {patience:.0f} s; {self.done()} trials are; {self.counts}"
            )
            self._wake(by=time.monotonic())
            if time.monotonic() >= due:
                due = time.monotonic() + every
                fault = next(faults)
                with suppress(psutil.NoSuchProcess, psycopg2.OperationalError):  # it has ended; the server is away
                    if fault(self):
                        self.counts[(fault.__doc__ or "").rstrip(".")] += 1
            time.sleep(0.02)
        self._wake(by=float("inf"))

    def done(self) -> int:
        """The number of trials that have ended."""
        return len(self.stage.ends(self.url))

    def _over(self) -> bool:
        """Start the run, and again whenever it has ended; say whether it ended well."""
        told = self.stage.folder / "told"
        if self.run is not None and self.run.exitcode is not None:
            self.ends[self.run.exitcode] += 1
            if self.run.exitcode == 0:
                return True
            assert self.run.exitcode in GOES_ON, f"exit code {self.run.exitcode}: {told.read_text()[-3000:]}"
            self.run = None
        if self.run is None:
            words = ["run", "space.yaml", "--workers", str(self.workers)]
            given = (words, self.stage.folder, commands.environment(self.stage.env), told)
            self.run = CONTEXT.Process(target=warm.command, args=given)
            self.run.start()
        return False

    def _faults(self) -> Iterator[Callable[[Soak], bool]]:
        """Give all faults again and again, each as often as it is worth, in an order of chance."""
        while True:
            round_of = [fault for fault, times in FAULTS.items() for _ in range(times)]
            self.chance.shuffle(round_of)
            yield from round_of

    def _wake(self, by: float) -> None:
        for due, process in list(self.stopped):
            if due <= by:
                self.stopped.remove((due, process))
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    def victims(self, most: int = 1) -> list[psutil.Process]:
        living = [process for process, verb in processes.running(self.stage.state) if verb == "worker"]
        return self.chance.sample(living, min(most, len(living)))

    def stop(self) -> bool:
        victims = self.victims()
        for victim in victims:
            victim.suspend()
            self.stopped.append((time.monotonic() + self.chance.uniform(0.5, 6.0), victim))
        return bool(victims)

    def postmaster(self) -> psutil.Process | None:
        return postmaster(self.stage.folder)

    def newest_trial(self, victim: psutil.Process) -> int | None:
        """The trial that a worker has begun an epoch of last."""
        numbers = [json_line["number"] for json_line in self.stage.trained(pid=victim.pid)]
        return numbers[-1] if numbers else None


def kill(soak: Soak) -> bool:
    """SIGKILL of a worker."""
    victims = soak.victims()
    for victim in victims:
        victim.kill()
    return bool(victims)


def kill_two(soak: Soak) -> bool:
    """SIGKILL of two workers at once."""
    victims = soak.victims(2)
    for victim in victims:
        victim.kill()
    return len(victims) == 2


def terminate(soak: Soak) -> bool:
    """SIGTERM of a worker."""
    victims = soak.victims()
    for victim in victims:
        victim.terminate()
    return bool(victims)


def stop(soak: Soak) -> bool:
    """SIGSTOP of a worker, SIGCONT up to 6 s later."""
    return soak.stop()


def stop_and_cut(soak: Soak) -> bool:
    """SIGSTOP of a worker while all connections are cut."""
    return soak.stop() and bool(rows(soak.url, CUT.format(WORKERS))[0][0])


def cut(soak: Soak) -> bool:
    """pg_terminate_backend of a worker's connection."""
    return bool(rows(soak.url, CUT.format(f"{WORKERS} ORDER BY random() LIMIT 1"))[0][0])


def kill_server(soak: Soak) -> bool:
    """SIGKILL of the postmaster."""
    found = soak.postmaster()
    if found is not None:
        found.kill()
    return found is not None


def restart_server(soak: Soak) -> bool:
    """clean end of the server."""
    found = soak.postmaster()
    if found is not None:
        found.send_signal(signal.SIGINT)
    return found is not None


def damage(soak: Soak) -> bool:
    """SIGKILL of a worker and its newest checkpoint damaged."""
    for victim in soak.victims():
        number = soak.newest_trial(victim)
        victim.kill()
        if number is not None:
            folder = places.checkpoints(soak.stage.state, soak.stage.study, number)
            for newest in sorted(folder.glob("epoch-*.npz"))[-1:]:
                content = bytearray(newest.read_bytes())
                content[soak.chance.randrange(len(content))] ^= 1
                newest.write_bytes(content)
                return True
    return False


def kill_run(soak: Soak) -> bool:
    """SIGKILL of the launcher."""
    return _signal_run(soak, signal.SIGKILL)


def interrupt_run(soak: Soak) -> bool:
    """Ctrl-C of the launcher."""
    return _signal_run(soak, signal.SIGINT)


def _signal_run(soak: Soak, number: signal.Signals) -> bool:
    if soak.run is None or soak.run.pid is None or soak.run.exitcode is not None:
        return False
    os.kill(soak.run.pid, number)
    return True


# How often each comes in a round of forty. A process that ends costs a second of a core to begin anew.
FAULTS: dict[Callable[[Soak], bool], int] = {
    kill: 8, kill_two: 2, terminate: 2, damage: 2, stop: 8, stop_and_cut: 3, cut: 8, kill_server: 3, restart_server: 2,
    kill_run: 1, interrupt_run: 1,
}  # fmt: skip


def postmaster(folder: Path) -> psutil.Process | None:
    """The first process of the project's server, if it lives."""
    try:
        pid = int((commands.server_folder(folder) / "data" / "postmaster.pid").read_text().split()[0])
        process = psutil.Process(pid)
        return process if process.status() != psutil.STATUS_ZOMBIE else None
    except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        return None


@contextmanager
def soaked(folder: Path, workers: int, trials: int, every: float, seed: int, patience: float) -> Iterator[Soak]:
    """Disturb a study until it is done, and see that everything is exact and nothing is left."""
    with commands.project(folder), stage(folder, "soak") as made:
        made.play(SCRIPT, trials=trials, epochs=EPOCHS)
        held = server.ensure(made.state)
        held.release()
        soak = Soak(made, held.url, workers, random.Random(seed))
        try:
            soak.survive(every, patience)
            soon(lambda: made.processes() == [], patience=60)
            soon(lambda: postmaster(made.folder) is None, patience=30)
            commands.run(["stop"], made.folder)
            _is_exact(made, trials)
            yield soak
        finally:
            soak._wake(by=float("inf"))
            if soak.run is not None:
                soak.run.kill()
                soak.run.join()


def _is_exact(made: Stage, trials: int) -> None:
    held = server.ensure(made.state)
    try:
        # Whoever dies by chance at the same epoch three times is taken for the trial's fault.
        crashed = {number: end for number, end in made.ends(held.url).items() if end == "crashed"}
        assert len(crashed) <= trials // 100, f"given up: {crashed}"
        made.is_whole(held.url, crashed, trials, EPOCHS)
    finally:
        held.release()
    assert list(places.processes(made.state).glob("*")) == []
    assert list(made.state.rglob("*.part*")) == []
    assert not any((commands.server_folder(made.folder) / "socket").glob("*"))


def main() -> None:
    """Run a long one from the command line and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"workers": 8, "trials": 2000, "seed": 1, "minutes": 30}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two faults")
    given = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="search-soak-") as folder:
        limit = 60.0 * given.minutes
        with soaked(Path(folder), given.workers, given.trials, given.every, given.seed, limit) as soak:
            journal = soak.stage.journal()
            seconds = time.monotonic() - begun
            for fault, times in soak.counts.most_common():
                print(f"{times:>6}  {fault}")
            print(f"{soak.counts.total():>6}  faults in {seconds:.0f} s")
            print(
                f"{given.trials:>6}  trials, {given.trials * EPOCHS} epochs recorded, {len(journal)} begun; all exact"
            )
            print(f"{len({entry['pid'] for entry in journal}):>6}  worker processes that trained")
            print(f"        ends of runs by exit code: {json.dumps(dict(soak.ends))}")


if __name__ == "__main__":
    main()

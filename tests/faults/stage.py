"""A project whose trials follow a script, and what must hold of it at the end of every fault."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import scripted
import toys
from invariants import nobody_owns
from toys import SPACE, Toy, rows, soon

from search import places

ORDINARY = ("* * checkpoint", "* * report")  # what every epoch ends with

Injected = Callable[[str, int, str], None]  # notes a fault in the table: what, how often, what must come of it


LOSSES = """
SELECT number, epoch, value, param_value FROM search_epochs
JOIN trials USING (trial_id) JOIN studies USING (study_id) JOIN trial_params USING (trial_id)
WHERE study_name = %s AND metric = 'loss' ORDER BY number, epoch
"""
REASONS = """
SELECT number, value_json::json #>> '{}' FROM trial_user_attributes JOIN trials USING (trial_id)
JOIN studies USING (study_id) WHERE study_name = %s AND key = 'ended' ORDER BY number
"""


class Stage(Toy):
    """A project folder with a scripted trainer."""

    def play(self, *script: str, trials: int = 4, epochs: int = 3, space: str = SPACE) -> None:
        """Write the space file, the trainer and its script: these steps, then a checkpoint and a report."""
        self.write(trials=trials, epochs=epochs, space=space)
        shutil.copy(scripted.__file__, self.folder / "train.py")
        (self.folder / "script").write_text("\n".join((*script, *ORDINARY)))

    @property
    def state(self) -> Path:
        """The state folder."""
        return Path(self.env.get("SEARCH_STATE", self.folder / ".search"))

    def tell(self, event: str) -> None:
        """Let an event happen that trials wait for."""
        (self.folder / event).touch()

    def told(self, event: str) -> bool:
        """Say whether an event has happened."""
        return (self.folder / event).exists()

    def workers(self) -> list[psutil.Process]:
        """Return the living workers of this project."""
        return [process for process in self.processes() if _is_worker(process)]

    def ends(self, url: str) -> dict[int, str]:
        """Return how each trial ended, by its number."""
        return dict(map(tuple, rows(url, REASONS, self.study)))

    def left(self) -> list[Path]:
        """Return the files that a study leaves below the state folder besides its models and logs."""
        checkpoints = places.checkpoints(self.state, self.study, 0).parent
        partial = places.models(self.state, self.study).glob("*.partial.keras")
        return [*checkpoints.glob("*"), *partial]

    def is_whole(self, url: str, reasons: Mapping[int, str], trials: int, epochs: int = 3) -> None:
        """Everything is exact: trials numbered from 0, complete but for `reasons`, with every epoch once and right."""
        assert self.ends(url) == {number: reasons.get(number, "complete") for number in range(trials)}
        assert [number for number, _ in toys.trials(url, self.study)] == list(range(trials))
        assert {state for _, state in toys.trials(url, self.study)} <= {"COMPLETE", "FAIL", "PRUNED"}
        self.losses_are_right(url, [number for number in range(trials) if number not in reasons], epochs)
        soon(lambda: nobody_owns(url, [self.study]), patience=5)
        assert self.left() == []

    def losses_are_right(self, url: str, complete: list[int], epochs: int) -> None:
        """Each of these trials has every epoch exactly once, with the loss of an undisturbed one."""
        found: dict[int, list[tuple[int, float]]] = {number: [] for number in complete}
        drawn: dict[int, float] = {}
        for number, epoch, value, x in rows(url, LOSSES, self.study):
            if number in found:
                found[number].append((epoch, value))
                drawn[number] = x
        right = {number: list(enumerate(scripted.expected(drawn[number], epochs), 1)) for number in drawn}
        assert found == right


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "worker" in process.cmdline()[3:7]
    except psutil.Error:
        return False


@contextmanager
def stage(folder: Path, study: str, env: Mapping[str, str] | None = None) -> Iterator[Stage]:
    """Give a project; afterwards none of its processes is left."""
    with toys.toy(folder, study, env) as toy:
        yield Stage(toy.folder, toy.study, toy.env, toy.started)

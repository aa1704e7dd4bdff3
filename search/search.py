"""One run of a study from this terminal: open it, start workers, show progress, tell the result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from search import places
from search.deletion import ending_with
from search.errors import Aborted, InputError, Interrupted
from search.launcher import Launcher
from search.postgres.connection import is_outage
from search.postgres.failures import has_no_connection
from search.progress import Progress, headline
from search.reach import Reach
from search.report import best_lines, further
from search.settings import Settings
from search.shutdown import Shutdown
from search.study import showcase
from search.study.history import Snapshot, look
from search.study.storage import Storage, open_storage
from search.study.study import Study, open_study
from search.sweep import sweep
from search.text import count, duration
from spaces.spec import StudySpec
from trainers.code_files import code_files

POLL = 0.5  # seconds between two looks at the study
KILL_AFTER = 300.0  # seconds that workers get to checkpoint after the first signal
OTHERS = 4  # looks in a row that see others at work: the connection of a killed worker stays for a moment
LAST_CHANCE = 5.0  # seconds that the other workers get when the search ends for another reason


@dataclass
class Search:
    """A study that this terminal runs."""

    study: Study
    reached: Reach
    settings: Settings
    told: set[str] = field(default_factory=set)
    crowded: int = 0  # looks in a row that saw more workers than ours

    @staticmethod
    def open(
        spec: StudySpec,
        reached: Reach,
        settings: Settings,
        branch: bool,
        accept_code: bool,
        shutdown: Shutdown,
    ) -> Search:
        """Open the study of a space file, and the tables below it. Raises SearchError."""
        storage = open_storage(reached.url, "search-run", reached.restart, lambda: shutdown.asked)
        told: list[str] = []

        def making(name: str) -> None:
            if (aside := places.set_models_aside(settings.state.value, name)) is not None:
                told.append(f"models of an earlier study {name!r} were moved to {aside}")

        study = open_study(storage, spec, branch, code_files(spec), accept_code, making)
        return Search(replace(study, told="; ".join([study.told, *told])), reached, settings)

    @property
    def storage(self) -> Storage:
        """The storage that this process looks through."""
        return self.study.storage

    def run(self, launcher: Launcher, description: Sequence[str], shutdown: Shutdown) -> None:
        """Let the workers work until the budget is spent; raises Interrupted, or what ended a worker."""
        with ending_with(self.study, self.settings.state.value):
            self._run(launcher, description, shutdown)

    def _run(self, launcher: Launcher, description: Sequence[str], shutdown: Shutdown) -> None:
        before = self._look()
        showcase.note(self.study, [headline(before, None)])
        with Progress(before) as progress:
            progress.say([self.study.told, f"results: {self.reached.shown}; while it runs: {self.reached.psql}"])
            if _finished(before):
                progress.say([_nothing_to_add(before)])
            else:
                progress.say(description)
                self._watch(launcher, progress, shutdown)
            after = self._look()
            sweep(self.settings.state.value, after)
            self._show_result(progress, after)
        if not _finished(after):
            what = "interrupted" if shutdown.asked else "the workers were told to leave"
            raise Interrupted(f"{what}: what was trained is kept, and the same command continues")
        ended = [trial for trial in after.all if trial.ended]
        if ended and all(trial.state == "failed" for trial in ended):
            raise Aborted(f"study {self.study.name!r}: none of its {count(after.finished, 'trial')} came to a value")

    def _watch(self, launcher: Launcher, progress: Progress, shutdown: Shutdown) -> None:
        asked = 0.0
        try:
            launcher.start()
            while launcher.alive:
                progress.say(launcher.tend())
                if shutdown.asked and not launcher.stopping:
                    launcher.stop()
                    asked = time.monotonic()
                    progress.say(["stopping: running trials keep their last checkpoint and leave; Ctrl-C again kills"])
                if launcher.stopping and time.monotonic() - asked > KILL_AFTER:
                    launcher.kill()
                self._show(progress, len(launcher.pids()))
                launcher.wait(POLL)
        except KeyboardInterrupt:
            launcher.kill()
            raise
        except (Aborted, InputError):
            with suppress(Exception):
                progress.show(look(self.study))  # the trials that it comes from
            raise
        finally:
            _end(launcher)

    def _show(self, progress: Progress, own: int) -> None:
        try:
            now = look(self.study)
        except Exception as error:
            if not is_outage(error):
                raise
            what = "has no free connection" if has_no_connection(error) else "doesn't answer"
            self._say_once(progress, f"the storage {what}; the workers wait for it")
            self.storage.try_restart()
            return
        progress.show(now)
        self.crowded = self.crowded + 1 if now.workers > own else 0
        if self.crowded >= OTHERS:
            self._say_once(progress, "others train this study too; its budget is shared")
        if now.unread:
            self._say_once(progress, f"warning: the trainer never read {', '.join(now.unread)}: searched in vain")

    def _say_once(self, progress: Progress, line: str) -> None:
        if line not in self.told:
            self.told.add(line)
            progress.say([line])

    def _show_result(self, progress: Progress, now: Snapshot) -> None:
        state = self.settings.state.value
        lines = [headline(now, None)]
        for trial in now.best[:1]:
            lines += best_lines(self.study, now, trial, state)
            model = places.model(state, self.study.name, trial.number)
            if model.exists():
                showcase.offer_model(self.study, trial.number, model, places.artifacts(state))
        if len(now.best) > 1:
            lines.append(f"{len(now.best)} trials are on the Pareto front: python -m search best {now.study}")
        progress.say([*lines, *further(self.study.name)])
        showcase.note(self.study, [headline(now, None)])

    def _look(self) -> Snapshot:
        return self.storage.again(lambda: look(self.study))


def _finished(now: Snapshot) -> bool:
    """Say whether the budget is spent, and nothing is left half-trained."""
    resting = any(trial.epoch for trial in now.all if trial.state == "waiting")
    spent = now.finished >= now.trials or (now.time is not None and now.spent >= now.time)
    return spent and not resting and not now.running


def _nothing_to_add(now: Snapshot) -> str:
    if now.finished >= now.trials:
        return f"nothing to add: {now.finished} of {now.trials} trials are done; a larger budget.trials continues"
    return f"nothing to add: the time budget of {duration(now.time)} is spent; a larger budget.time continues"


def _end(launcher: Launcher) -> None:
    """Leave no worker behind: ask, wait a little, kill."""
    launcher.stop()
    deadline = time.monotonic() + LAST_CHANCE
    while launcher.pids() and time.monotonic() < deadline:
        launcher.tend()
        time.sleep(0.05)
    launcher.kill()

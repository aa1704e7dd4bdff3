"""What a trainer is given, what it gives back, and how a trial ends. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from trainers.data import Data


class TrialOver(Exception):  # noqa: N818 (the end of a trial is not an error)
    """Raised by `run.report` when the trial must end here: let it pass."""


class Diverged(Exception):  # noqa: N818
    """The loss or the objective is NaN or infinite; the trial fails with the reason `nan`."""


class DataLost(Exception):  # noqa: N818
    """The data could be read once and no more; no trial is to blame, and it goes on when that is put right."""


class Run(Protocol):
    """What a trainer is given besides its parameters."""

    @property
    def number(self) -> int:
        """The trial's number in its study, from 0."""

    @property
    def seed(self) -> int:
        """The trial's own seed, the same after a resume; 0 <= seed < 2**31."""

    @property
    def epochs(self) -> int:
        """The number of epochs that a full trial trains."""

    @property
    def folder(self) -> Path:
        """The trial's own folder for checkpoints; it exists, survives a crash, and goes when the trial ends."""

    @property
    def objectives(self) -> tuple[str, ...]:
        """The metrics that the file optimises: each is in every report, or, if it has no epochs, in the result."""

    @property
    def constraints(self) -> tuple[str, ...]:
        """The metrics that the file constrains: each is in the last report, the result, or told by `cost`."""

    @property
    def base(self) -> Path:
        """The folder of the space file, where relative paths in it start."""

    @property
    def data(self) -> Data:
        """The data set, loaded once per worker. Read-only."""

    def report(self, epoch: int, **metrics: float) -> None:
        """Record the metrics of `epoch` (1-based; a repeated epoch after a resume is fine).

        A trainer that goes on from a checkpoint reports its epoch again: it may be newer than what was recorded.
        Raises TrialOver when the trial is pruned, interrupted, out of time or no longer ours, and Diverged when the
        objective is NaN or infinite.
        """

    def cost(self, **metrics: float) -> None:
        """Tell what is known of the trial before it is trained, such as `parameters`, where a constraint asks for it.

        Raises TrialOver when that breaks a constraint of the file, so that nothing is trained in vain.
        """

    def tick(self) -> None:
        """Look, in the middle of a long epoch, whether the trial must end now; about once a second is often enough.

        Raises TrialOver when it is interrupted or out of time; what was not written to `folder` is trained again.
        """

    def keep(self, save: Callable[[Path], None]) -> None:
        """Hand over how the trained model is saved (`model.save`, to a path that ends in `.keras`).

        It is called later, before this worker's next trial, and only if the trial turns out to be worth it.
        """


Train = Callable[[Mapping[str, Any], Run], Mapping[str, float]]

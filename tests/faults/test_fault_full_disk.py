"""A disk is full: the trial waits where it is, the worker says so, and once there is room the trial goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from servers import Stay
from stage import Injected, Stage
from toys import ended, soon

from search import places


@dataclass(frozen=True)
class Disk:
    """A folder that can be full: a small disk; or, where nothing may be mounted, one file that finds no room."""

    folder: Path
    file: Path
    mounted: bool

    def fill(self) -> None:
        if not self.mounted:
            self.file.symlink_to("/dev/full")
            return
        with pytest.raises(OSError, match="No space left"), (self.folder / "ballast").open("wb", buffering=0) as file:
            while True:
                file.write(b"0" * 512)

    def make_room(self) -> None:
        (self.folder / "ballast" if self.mounted else self.file).unlink(missing_ok=True)


@contextmanager
def disk(folder: Path, file: Path) -> Iterator[Disk]:
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield Disk(folder, file, mounted)
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
def test_a_trial_that_meets_a_full_disk_goes_on_once_there_is_room(
    scene: Stage, stay: Stay, injected: Injected
) -> None:
    scene.play("1 2 tell there", "1 2 wait full", trials=3)
    trial = places.checkpoints(stay.state, scene.study, 1)
    with disk(trial.parent, trial / "epoch-000002.npz.part") as small:
        process = scene.start("run", "space.yaml", "--workers", "1")
        soon(lambda: scene.told("there"))
        small.fill()
        scene.tell("full")
        soon(lambda: "the disk is full" in scene.logs())
        if small.mounted:
            code, _, err = ended(scene.start("worker", "space.yaml"))
            assert code == 75
            assert "No space left on device" in err
            assert "Make room and give the same command again" in err
        assert scene.ends(stay.url) == {0: "complete"}, "no trial is lost"
        small.make_room()
        code, out, err = ended(process)
        assert code == 0, err
        assert "worker 0 ended (exit code 75: the disk is full" in out
        scene.is_whole(stay.url, {}, trials=3)
    assert [entry["epoch"] for entry in scene.trained(number=1)][:2] == [1, 2]
    assert len(scene.trained(number=1, epoch=1)) == 1, "it went on from its last checkpoint"
    injected("a full disk at the checkpoint", 1, "the worker leaves with code 75; with room the trial goes on")

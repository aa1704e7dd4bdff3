"""A trial of real Keras training that SIGKILL cuts in two ends like one that nobody disturbed, to the last digit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest
from servers import Stay
from stage import Injected, Stage
from toys import Toy, ended, rows, soon

from search import places

# All that remembers something from epoch to epoch: moments, rates, averages, random layers, the best epoch so far.
COMPILED = """
study: STUDY
trainer: image
data: {source: digits}
objective: {minimize: val_loss}
budget: {trials: TRIALS, epochs: EPOCHS}
algorithm: {sampler: random, pruner: none, seed: 7}
space:
  optimizer: adamw
  learning_rate: {float: [1e-3, 1e-2], prior: 3e-3}
  schedule: cosine
  ema: {momentum: 0.9}
  batch_size: 64
  augment: {rotation: 0.1, flip: horizontal, gaussian_noise: 0.05}
  callbacks: {early_stopping: {patience: 150, restore_best_weights: true}}
  layers: {repeat: [1, 1], each: {conv: {filters: 8, dropout: 0.2}}}
"""
STREAMED = """
study: STUDY
trainer: tabular
data: {csv: table.csv, label: y, stream: true, shuffle: 300, task: classification}
objective: {minimize: val_loss}
budget: {trials: TRIALS, epochs: EPOCHS}
algorithm: {sampler: random, pruner: none, seed: 7}
space:
  optimizer: {sgd: {momentum: 0.9}}
  learning_rate: {float: [1e-3, 1e-2], prior: 3e-3}
  schedule: cosine
  batch_size: 32
  augment: {gaussian_noise: 0.1}
  layers: {repeat: [1, 1], each: {units: 16, dropout: 0.2}}
"""

RECORDED = """
SELECT number, epoch, metric, value FROM search_epochs JOIN trials USING (trial_id) JOIN studies USING (study_id)
WHERE study_name = %s AND metric <> 'seconds'
"""
VALUES = """
SELECT number, 0, 'objective', value FROM trial_values JOIN trials USING (trial_id) JOIN studies USING (study_id)
WHERE study_name = %s
"""


def table(folder: Path) -> None:
    """Two thousand rows of two kinds."""
    lines = [f"{i % 97},{i * 31 % 89},{(i % 97 > 40) ^ (i % 7 == 0):d}" for i in range(2000)]
    (folder / "table.csv").write_text("\n".join(["a,b,y", *lines]))


def results(url: str, study: str) -> Mapping[tuple[int, int, str], float]:
    """Every metric of every epoch of every trial, and the trials' values as those of an epoch 0."""
    found = [row for query in (RECORDED, VALUES) for row in rows(url, query, study)]
    return {(number, epoch, metric): value for number, epoch, metric, value in found}


def checkpointed(project: Toy, state: Path, number: int) -> int:
    """The epoch of a trial's newest checkpoint, or 0."""
    found = places.checkpoints(state, project.study, number).glob("epoch-*.json")
    return max((int(path.stem.removeprefix("epoch-")) for path in found), default=0)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "space", "epochs"), [("compiled", COMPILED, 300), ("streamed", STREAMED, 120)])
def test_a_trial_that_was_killed_in_the_middle_ends_like_an_undisturbed_one(
    scene: Stage, stay: Stay, injected: Injected, kind: str, space: str, epochs: int
) -> None:
    """So many epochs that both trials have begun before the first one ends."""
    table(scene.folder)
    scene.write(trials=2, epochs=epochs, space=space)
    undisturbed = scene.run("--workers", "2", timeout=200)
    assert undisturbed.returncode == 0, undisturbed.stderr
    expected, scene.study = results(stay.url, scene.study), f"{scene.study}-killed"

    scene.write(trials=2, epochs=epochs, space=space)
    process = scene.start()
    soon(lambda: all(checkpointed(scene, stay.state, number) >= 2 for number in (0, 1)), patience=120)
    victims = scene.workers()
    for victim in victims:
        victim.kill()
    psutil.wait_procs(victims, timeout=10)
    code, _, err = ended(process, 200)
    assert code == 0, err + scene.logs()
    assert scene.logs().count(" resumed after epoch ") == 2
    found = results(stay.url, scene.study)
    assert len(found) > 2 * epochs
    assert found == pytest.approx(dict(expected), rel=1e-6, abs=1e-9)
    assert scene.left() == []
    injected(f"SIGKILL in the middle of {kind} training", 2, "every metric is that of an undisturbed trial, to 1e-6")

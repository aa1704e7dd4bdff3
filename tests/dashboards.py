"""A small study that ends in every way, a dashboard as a real process, and a browser's requests without a browser."""

from __future__ import annotations

import base64
import http.client
import json
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import commands

SPACE = """\
study: {name}
trainer: train.py:train
objective: {{minimize: loss}}
budget: {{trials: {trials}, epochs: 4}}
algorithm: {{seed: 7, pruner: median}}
space:
  x: {{float: [0.0, 1.0], prior: 0.5}}
  kind:
    choice:
      curved: {{power: {{int: [1, 4]}}}}
      flat: {{}}
"""

# Trial 2 fails, trials from 8 on are so bad that they are pruned, the last of them waits for a file named `go`; any
# trial from 12 on is the best.
TRAIN = """\
import time
from pathlib import Path

def train(params, run):
    kind = params["kind"]
    if run.number == 2:
        raise RuntimeError("this one was meant to fail")
    level = 5.0 if 8 <= run.number < 12 else 0.0 if run.number >= 12 else 1.0
    run.keep(lambda path: path.write_bytes(b"model of trial %d " % run.number * 5000))
    for epoch in range(1, run.epochs + 1):
        loss = level + (params["x"] - 0.3) ** 2 / epoch
        if run.number != 11:
            run.report(epoch, loss=loss)
        while run.number == 11 and not Path("go").exists():
            run.report(1, loss=0.5)
            time.sleep(0.05)
    return {"loss": loss}
"""


def write_study(folder: Path, name: str, trials: int) -> str:
    """Write the space file and its trainer; return the file's name."""
    (folder / f"{name}.yaml").write_text(SPACE.format(name=name, trials=trials))
    (folder / "train.py").write_text(TRAIN)
    return f"{name}.yaml"


def search(folder: Path, name: str, trials: int) -> None:
    """Run the study to its end."""
    done = commands.run(["run", write_study(folder, name, trials), "--workers", "1"], folder, timeout=120)
    assert done.returncode == 0, done.stderr + done.stdout


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Dashboard:
    process: Any
    url: str

    def ask(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
        """Send a request; underscores in the names of headers are hyphens."""
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(self.url).port, timeout=30)
        try:
            given = {"Content-Type": "application/json", **headers} if body is not None else headers
            connection.request(
                method,
                path,
                None if body is None else json.dumps(body),
                {name.replace("_", "-"): value for name, value in given.items()},
            )
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def change(self, path: str, method: str, body: Any = None, **headers: str) -> Answer:
        """Send a request as a page of the dashboard itself would."""
        host = urlsplit(f"//127.0.0.1:{urlsplit(self.url).port}").netloc
        return self.ask(path, method, {} if body is None else body, Origin=f"http://{host}", **headers)

    def study(self, name: str, **headers: str) -> dict[str, Any]:
        """Return a study as the page of a study gets it."""
        identity = self.identity(name, **headers)
        return dict(self.ask(f"/api/studies/{identity}", **headers).json)

    def identity(self, name: str, **headers: str) -> int:
        """Return the number that stands in a study's address."""
        listed = self.ask("/api/studies", **headers).json["study_summaries"]
        return int(next(study["study_id"] for study in listed if study["study_name"] == name))

    def end(self, number: signal.Signals) -> str:
        """Send a signal, wait, and return what was printed to stderr; the exit code must be 0."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=15)
        assert self.process.returncode == 0, err
        return str(err)


@contextmanager
def dashboard(folder: Path, *flags: str, env: Mapping[str, str] | None = None) -> Iterator[Dashboard]:
    """Start a dashboard on a free port and wait until it serves."""
    with commands.start(["dashboard", "--port", "0", *flags], folder, env) as process:
        try:
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found, process.stderr.read()  # it has ended
            yield Dashboard(process, found[0])
        finally:
            if process.poll() is None:
                process.terminate()
            process.communicate(timeout=15)


def basic(password: str, user: str = "anybody") -> str:
    """Return the Authorization header of a password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def states(study: Mapping[str, Any]) -> Sequence[str]:
    """Return the state of every trial, by number."""
    return [trial["state"] for trial in sorted(study["trials"], key=lambda trial: trial["number"])]

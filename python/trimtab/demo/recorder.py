"""Fills the Recording while the demo runs, from what the processes write and answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from trimtab.demo.load import Request
from trimtab.demo.plot import ARMS, SERVICES
from trimtab.demo.record import Recording, Served, Told, Weights
from trimtab.demo.stage import Stage
from trimtab.edges.records import from_json


class Tail:
    """The lines that were added to a file since the last look; only whole ones."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def lines(self) -> Iterator[str]:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._read += len(line)
                yield line.decode()


class Recorder:
    """Looks at the stage whenever it is told to."""

    def __init__(self, stage: Stage) -> None:
        self.recording = Recording(
            stage.world.name, {s.name: tuple(t.name for t in s.targets) for s in SERVICES}
        )
        self._stage = stage
        self._epoch = stage.epoch
        self._requests = Tail(stage.directory / "requests.csv")
        self._decisions = Tail(stage.directory / "decisions.jsonl")

    def look(self) -> None:
        """Take down what is new."""
        recording = self.recording
        for line in self._requests.lines():
            recording.add(Request.parse(line))
        for line in self._decisions.lines():
            report = from_json(json.loads(line))
            recording.told.append(Told(report.decision.at - self._epoch, report))
        at = self._stage.now()
        for service, weights in self._stage.world.weights().items():
            recording.weights.append(Weights(at, service, weights))
        for arm in ARMS:
            at = self._stage.now()
            for service, served in self._stage.served(arm).items():
                recording.served.append(Served(at, service, arm, served))

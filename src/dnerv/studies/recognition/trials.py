"""Trainings and tests on disk: weights of each classifier, and a JSON file for each of its tests."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from dnerv.encoding import EncodeListener
from dnerv.studies.recognition.conditions import Condition, Projector
from dnerv.studies.recognition.network import TemporalShiftNetwork
from dnerv.studies.recognition.training import Task, classify, train_classifier
from dnerv.video.store import write_atomically

_VERSION = 2  # raise it when the same job would give other figures


@dataclass(frozen=True)
class Trials:
    """Makes what is not there yet."""

    task: Task
    projector: Projector
    folder: Path
    listener: EncodeListener

    def accuracy(self, trained_on: Condition, tested_on: Condition, seed: int) -> float:
        """Top-1 in percent of a classifier with this seed."""
        job = self._job(trained_on, seed) | {"tested_on": self.projector.key(tested_on)}
        path = self._path(f"{trained_on.name}-on-{tested_on.name}", seed, job, ".json")
        found = _found(path, job)
        if found is None:
            found = self._tested(trained_on, tested_on, seed)
            write_atomically(path, json.dumps(found | {"job": job}).encode())
        return found["top1"]  # type: ignore[no-any-return]

    def _tested(self, trained_on: Condition, tested_on: Condition, seed: int) -> dict[str, Any]:
        network = self._classifier(trained_on, seed)
        logits = classify(self.task, network, self.projector.footage(tested_on))
        wanted = torch.tensor(self.task.split.numbers(self.task.split.test))
        top1 = 100 * (logits.argmax(1) == wanted).double().mean().item()
        return {"top1": top1, "classes": self.task.split.classes, "labels": wanted.tolist(), "logits": logits.tolist()}

    def _classifier(self, condition: Condition, seed: int) -> TemporalShiftNetwork:
        path = self._path(condition.name, seed, self._job(condition, seed), ".pt")
        network = _read_weights(self.task, path)
        if network is None:
            footage = self.projector.footage(condition)
            self.listener.stage(f"classifier on {condition.name}, seed {seed}", self.task.options.epochs)
            network = train_classifier(self.task, footage, seed, self.listener.advance)
            buffer = io.BytesIO()
            torch.save(network.state_dict(), buffer)
            write_atomically(path, buffer.getvalue())
        return network

    def _job(self, trained_on: Condition, seed: int) -> dict[str, Any]:
        """What a classifier depends on: JSON."""
        split = self.task.split
        parts = json.dumps([split.train, split.test, dict(split.labels)], sort_keys=True)
        return {
            "version": _VERSION,
            "trained_on": self.projector.key(trained_on),
            "content": self.projector.content.digest,
            "split": blake2b(parts.encode(), digest_size=16).hexdigest(),
            "classifier": asdict(self.task.options),
            "seed": seed,
            "device": self.task.device.type,
            "library": f"torch {torch.__version__}",
        }

    def _path(self, name: str, seed: int, job: Mapping[str, Any], suffix: str) -> Path:
        key = blake2b(json.dumps(job, sort_keys=True).encode(), digest_size=6).hexdigest()
        return self.folder / f"{name}-seed{seed}-{key}{suffix}"


def _found(path: Path, job: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
        return record if record["job"] == job and isinstance(record["top1"], float) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read_weights(task: Task, path: Path) -> TemporalShiftNetwork | None:
    """The classifier kept at `path`; None where there is none, or a damaged one."""
    try:
        weights = torch.load(path, map_location=task.device, weights_only=True)
        with torch.random.fork_rng():
            network = task.new_network()
        network.load_state_dict(weights)
    except (OSError, RuntimeError, EOFError, UnpicklingError, AttributeError):
        return None
    return network.eval()

"""Who listens hears what goes on, and nobody else does."""

from __future__ import annotations

from typing import Any

import pytest

from dnerv import progress
from dnerv.progress import Listener, TrainingProgress, listening

TRAINED = TrainingProgress(done=0.5, epoch=0, step=3, psnr=30.0, frames_per_second=9.0, seconds_left=1.0)


class Ear(Listener):
    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def stage(self, title: str, total: int | None = None) -> None:
        self.heard.append(("stage", title, total))

    def advance(self, units: int = 1) -> None:
        self.heard.append(("advance", units))

    def training(self, progress: TrainingProgress) -> None:
        self.heard.append(("training", progress))

    def note(self, text: str) -> None:
        self.heard.append(("note", text))

    def warning(self, text: str) -> None:
        self.heard.append(("warning", text))


def say_everything() -> None:
    progress.stage("one", 2)
    progress.advance(2)
    progress.training(TRAINED)
    progress.note("a")
    progress.warning("b")


EVERYTHING = [("stage", "one", 2), ("advance", 2), ("training", TRAINED), ("note", "a"), ("warning", "b")]


def test_nobody_listening_nothing_happens() -> None:
    say_everything()


def test_all_is_heard_inside_and_nothing_outside() -> None:
    ear = Ear()
    with listening(ear):
        say_everything()
    say_everything()
    assert ear.heard == EVERYTHING


def test_an_inner_listener_hears_in_place_of_the_outer_one_or_beside_it() -> None:
    outer, inner, beside = Ear(), Ear(), Ear()
    with listening(outer):
        with listening(inner):
            progress.note("for inner")
        with listening(beside, beside=True):
            progress.note("for both")
        progress.note("for outer")
    assert inner.heard == [("note", "for inner")]
    assert beside.heard == [("note", "for both")]
    assert outer.heard == [("note", "for both"), ("note", "for outer")]


def test_an_error_ends_the_listening() -> None:
    ear = Ear()
    with pytest.raises(KeyError), listening(ear):
        raise KeyError
    progress.note("late")
    assert ear.heard == []

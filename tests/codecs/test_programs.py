"""libaom and libvvenc through imageio-ffmpeg's program: how it fails."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dnerv.codecs import CODECS, programs
from dnerv.errors import InputError

Frames = list[np.ndarray]


def test_what_ffmpeg_says_is_passed_on(moving_frames: Callable[..., Frames], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs.Aom, "efforts", programs.Aom.efforts | {"fast": "no number"})
    with pytest.raises(InputError, match=r"libaom cannot code 64x64 frames: .*no number"):
        CODECS["aom"].encode(moving_frames(30, 64, 64), fps=25, crf=40, effort="fast")


def test_an_error_of_the_frames_ends_the_program(
    moving_frames: Callable[..., Frames], monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    popen = programs.subprocess.Popen
    monkeypatch.setattr(programs.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])

    def broken() -> object:
        yield from moving_frames(2, 64, 64)
        raise KeyError("from the source")

    with pytest.raises(KeyError, match="from the source"):
        CODECS["aom"].encode(broken(), fps=25, crf=40, effort="fast")
    assert [process.returncode for process in started] == [-9]


def test_a_missing_encoder_is_named(moving_frames: Callable[..., Frames], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "ffmpeg_names", lambda what: frozenset({"libaom-av1"}))
    assert CODECS["aom"].missing() is None
    assert "no libvvenc" in str(CODECS["vvc"].missing())
    with pytest.raises(InputError, match="no libvvenc"):
        CODECS["vvc"].encode(moving_frames(1, 64, 64), fps=25, crf=40)


def test_libraries_are_named_with_versions() -> None:
    assert CODECS["vvc"].library().startswith("libvvenc of ffmpeg ")
    assert "imageio-ffmpeg" in CODECS["aom"].library()

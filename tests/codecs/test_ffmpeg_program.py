"""The program itself."""

import sys
from pathlib import Path

import pytest

from dnerv.codecs import CODECS
from dnerv.codecs.ffmpeg_program import ffmpeg_names, ffmpeg_program, ffmpeg_version, run_ffmpeg
from dnerv.errors import InputError


def test_the_program_tells_what_it_is() -> None:
    assert "libaom-av1" in ffmpeg_names("encoders")
    assert ffmpeg_version().split()[0]
    assert "\n" not in ffmpeg_version()


def test_its_last_words_are_passed_on(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nonsense"):
        run_ffmpeg(["-v", "error", "-i", str(tmp_path / "nonsense")])


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    for cached in (ffmpeg_program, ffmpeg_names):
        cached.cache_clear()
    try:
        with pytest.raises(InputError, match=r"dnerv\[codecs\]"):
            ffmpeg_program()
        assert "dnerv[codecs]" in str(CODECS["aom"].missing())
    finally:
        for cached in (ffmpeg_program, ffmpeg_names):
            cached.cache_clear()

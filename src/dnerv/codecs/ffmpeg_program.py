"""The ffmpeg program that the package `imageio-ffmpeg` brings, where it is installed: libaom, libvvenc, libvmaf."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from functools import cache

from dnerv.errors import InputError

_LAST_WORDS = 300  # characters of what ffmpeg said that are passed on


@cache
def ffmpeg_program() -> str:
    """Path of the program. Raises InputError where there is none."""
    try:
        import imageio_ffmpeg
    except ImportError:
        raise InputError("imageio-ffmpeg is not installed: pip install 'dnerv[codecs]'") from None
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise InputError(f"imageio-ffmpeg has no program for this machine: {error}") from None


@cache
def ffmpeg_version() -> str:
    """Its version, as it says it."""
    return ask_ffmpeg("-version").split("Copyright")[0].removeprefix("ffmpeg version ").strip()


@cache
def ffmpeg_names(what: str) -> frozenset[str]:
    """Names of what it has: `encoders` or `filters`."""
    lines = ask_ffmpeg(f"-{what}").splitlines()
    return frozenset(words[1] for words in map(str.split, lines) if len(words) > 2)


def ask_ffmpeg(*words: str) -> str:
    """Run the program to its end and return what it prints. Raises InputError where it fails."""
    return run_ffmpeg(words).stdout.decode(errors="replace")


def run_ffmpeg(words: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    """Run it, without a terminal. Raises InputError with its own last words where it fails."""
    command = [ffmpeg_program(), "-hide_banner", "-nostdin", *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        raise InputError(f"ffmpeg {' '.join(words)}: {last_words(done.stderr)}")
    return done


def last_words(stderr: bytes) -> str:
    """One line out of what ffmpeg complained about: the first is the cause, what follows are consequences."""
    lines = stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
    return " / ".join(lines)[:_LAST_WORDS]

"""Text for people. All that is shown passes through `printable`: it does nothing to a terminal.

Names of videos, labels, paths and an archive's free text are other people's, and may hold escape sequences. In JSON and
in archives they stay as they are.
"""

from __future__ import annotations

from unicodedata import category

_JOINERS = "\u200c\u200d"  # of scripts and emoji


def printable(text: str) -> str:
    """What controls a terminal becomes `\\x1b`, `\\n`, `\\u202e`, `\\udcff`; all else stays."""
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(char: str) -> str:
    is_harmless = char.isprintable() or category(char) == "Zs" or char in _JOINERS
    return char if is_harmless else ascii(char)[1:-1]


def count(number: int, noun: str) -> str:
    """`1 video`, `2 videos`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"

"""The one family of errors that dnerv raises on purpose.

A message says what was given, what is allowed and what to do. The command line prints it as one line and exits 1.
"""

from collections.abc import Iterable


class DnervError(Exception):
    """Base of every error that a user can cause or mend."""


class InputError(DnervError):
    """A video, folder or option that cannot be used."""


class FrameIndexError(InputError, IndexError):
    """A frame that a video has not: also an `IndexError`, as Python's sequences raise."""


class ArgumentError(InputError, ValueError):
    """An argument outside of what is allowed: also a `ValueError`, as other readers of videos raise."""


class VideoNameError(InputError, KeyError):
    """A video that an archive has not: also a `KeyError`, as Python's mappings raise."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the representation


class ArchiveError(DnervError):
    """A `.dnerv` file that is damaged, truncated, of another version, or not an archive at all."""


class MissingPriorError(ArchiveError):
    """A `.dnerv` file that is whole, but names a prior that is not at hand."""


class OutputError(DnervError):
    """An output that cannot be written, or that exists and was not to be overwritten."""


def listed(values: Iterable[object]) -> str:
    """Values as they are typed on the command line, for messages."""
    return ",".join(map(str, values)) or "none"

"""The one family of errors that dnerv raises on purpose.

A message says what was given, what is allowed and what to do. The command line prints it as one line and exits 1.
"""


class DnervError(Exception):
    """Base of every error that a user can cause or mend."""


class InputError(DnervError):
    """A video, folder or option that cannot be used."""


class ArchiveError(DnervError):
    """A `.dnerv` file that is damaged, truncated, of another version, or not an archive at all."""


class OutputError(DnervError):
    """An output that cannot be written, or that exists and was not to be overwritten."""

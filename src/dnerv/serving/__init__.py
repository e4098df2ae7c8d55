"""An archive as pages for a browser, on this machine alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnerv.on_use import imports_on_use

if TYPE_CHECKING:
    from dnerv.serving.server import ArchiveServer

__all__ = ["ArchiveServer"]

__getattr__ = imports_on_use(__name__, {"ArchiveServer": "server"})

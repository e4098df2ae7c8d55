"""Files of weights that lie in other people's packages, which are read and not imported."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def packaged_file(package: str, path: str) -> Path | None:
    """The file at `path` in an installed package; None where there is no such package, or no such file in it."""
    spec = find_spec(package)
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    return next((file for folder in folders if (file := Path(folder) / path).exists()), None)

"""matplotlib, drawing into files; an extra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dnerv.errors import InputError, OutputError


def matplotlib_pyplot() -> Any:
    """matplotlib's pyplot. Raises InputError where it is not installed."""
    try:
        import matplotlib
    except ImportError:
        raise InputError("pictures need the extra: pip install 'dnerv[demo]'") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def check_drawing() -> None:
    """Raise InputError where nothing could be drawn, before hours of work."""
    matplotlib_pyplot()


def save_figure(figure: Any, path: Path, dpi: int) -> None:
    """Write `figure` and close it. Raises OutputError where it cannot be written."""
    try:
        figure.savefig(path, dpi=dpi)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        matplotlib_pyplot().close(figure)

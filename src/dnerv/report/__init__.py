"""All studies on one page: `dnerv report`.

results.json of each study ─┬─ the study's own tables ─ HTML ──────────────────────────┐
                            └─ charts: inline SVG ─────────────────────────────────────┤
archives and frames in the folders ─ decoded ─┬─ views of each video: frames, flow, ───┼─ one file, which needs no
          H.264 at the same bytes ─ decoded ──┘  differences, hidden pixels; AVIF      │  network: page.html with
                                                 page.css, player.js ──────────────────┘  its style and player inside

To show another study, add a row to `kinds.py` and its charts to `charts_of.py`.
"""

from typing import TYPE_CHECKING

from dnerv.on_use import imports_on_use
from dnerv.report.options import ReportOptions

if TYPE_CHECKING:
    from dnerv.report.report import Report, write_report

__all__ = [
    "Report",
    "ReportOptions",
    "write_report",
]

__getattr__ = imports_on_use(
    __name__,
    {
        "Report": "report",
        "write_report": "report",
    },
)

"""All studies on one page: `dnerv report`.

records ─ STUDIES[record["study"]] ─┬─ tables ─ HTML ───────────────────┐
                                    └─ charts ─ SVG ────────────────────┼─ one file, which needs no network:
the studies' folders ─┬─ their pictures ─ AVIF ─────────────────────────┤  page.html with its style and player inside
                      └─ the studies' views: decoded frames ─ AVIF ─────┘

Nothing here knows a study: what is shown of one is what `dnerv.studies.study.Study` has of it.
"""

from typing import TYPE_CHECKING

from dnerv.on_use import imports_on_use
from dnerv.report.options import ReportOptions

if TYPE_CHECKING:
    from dnerv.report.report import Report, write_report

__all__ = ["Report", "ReportOptions", "write_report"]

__getattr__ = imports_on_use(__name__, {"Report": "report", "write_report": "report"})

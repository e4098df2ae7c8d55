"""Tables as HTML."""

from __future__ import annotations

from dnerv.report.table_html import as_html
from dnerv.tables import table


def test_cells_sections_and_markup() -> None:
    one = table("name", ">dB")
    one.add_row("[bold]<one>", "1.00")
    one.add_section()
    one.add_row("two", "2.00")
    text = as_html([one, "", "a & b"], "x")
    assert '<th scope="row" class="left">[bold]&lt;one&gt;</th><td class="right">1.00</td>' in text
    assert text.index('class="section"') > text.index("1.00")
    assert text.endswith("<p>a &amp; b</p>")

"""The studies' own tables as HTML: figures are formatted where the tables are made, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from dnerv.tables import Table


def as_html(parts: Iterable[Table | str], name: str) -> str:
    """Tables and lines in their order; empty lines only part them. `name`: what the tables are of."""
    made = [table_html(part, name) if isinstance(part, Table) else _paragraph(part) for part in parts]
    return "\n".join(one for one in made if one)


def table_html(table: Table, name: str) -> str:
    """One table; it scrolls by itself where the page is narrower."""
    sides = ["right" if is_figures else "left" for is_figures in table.are_figures]
    head = "".join(
        f'<th scope="col" class="{side}">{escape(name)}</th>' for side, name in zip(sides, table.columns, strict=True)
    )
    body = list[str]()
    for number, cells in enumerate(table.rows):
        texts = zip(sides[1:], cells[1:], strict=True)
        rest = "".join(f'<td class="{side}">{escape(text)}</td>' for side, text in texts)
        start = ' class="section"' if number in table.sections else ""
        body.append(f'<tr{start}><th scope="row" class="{sides[0]}">{escape(cells[0])}</th>{rest}</tr>')
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(name)}: table">\n<table><thead><tr>{head}'
        f"</tr></thead>\n<tbody>{''.join(body)}</tbody></table></div>"
    )


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>" if text else ""

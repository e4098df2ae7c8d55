"""The form of the studies' tables."""

from __future__ import annotations

from rich.table import Table


def figures_table(first: str, *columns: str) -> Table:
    """A column of names, which may break, and columns of figures to the right of it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", overflow="fold")
    return table

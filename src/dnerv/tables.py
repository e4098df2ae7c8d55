"""Tables as data: commands and studies make them, the terminal and the report's page lay them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

LONGEST_LIST = 40  # rows of videos; more are summed up, --json has them all


@dataclass
class Table:
    """Rows of text, as they are to be read."""

    columns: tuple[str, ...]
    are_figures: tuple[bool, ...]  # by column: to the right, never broken
    rows: list[tuple[str, ...]] = field(default_factory=list)
    sections: list[int] = field(default_factory=list)  # rows before which a new part of the table begins

    def add_row(self, *cells: str) -> None:
        """One row; cells that are not given are empty."""
        self.rows.append((*cells, *[""] * (len(self.columns) - len(cells))))

    def add_section(self) -> None:
        """Part what follows from what is there."""
        self.sections.append(len(self.rows))

    def add_rest(self, all_of: Sequence[object]) -> None:
        """Say how many there are beyond the longest list that is shown."""
        if len(all_of) > LONGEST_LIST:
            self.add_row(f"... and {len(all_of) - LONGEST_LIST} more (--json lists all)")


Part = Table | str  # of what is shown: tables, and lines between them


def table(*columns: str) -> Table:
    """An empty table. A column called `>name` is one of figures."""
    return Table(tuple(name.removeprefix(">") for name in columns), tuple(name.startswith(">") for name in columns))

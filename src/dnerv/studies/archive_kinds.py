"""The kinds of archives that studies put side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from dnerv.encoding.options import EncodeOptions
    from dnerv.studies.study import Record, StudyOptions

KindName = Literal["nerv", "paper", "dnerv", "base", "every", "alone"]
_UNTRAINED = {"network": "none", "epochs": None, "budget_seconds": None}


@dataclass(frozen=True)
class ArchiveKind:
    """One of them."""

    title: str
    style: str  # of its lines in charts
    changes: Mapping[str, Any] = field(default_factory=dict)  # of `EncodeOptions`

    def encoding(self, options: StudyOptions, **more: Any) -> EncodeOptions:
        """How a study has it made; `more`: other options of all kinds."""
        return options.encoding(**{**more, **self.changes})


# In the order in which tables show them.
KINDS: Mapping[str, ArchiveKind] = {
    "nerv": ArchiveKind("NeRV", "nerv", {"model": "nerv"}),
    "paper": ArchiveKind("D-NeRV, as published", "paper", {"paper": True}),
    "dnerv": ArchiveKind("D-NeRV", "dnerv", {"model": "dnerv"}),
    "base": ArchiveKind("base layer", "base", _UNTRAINED),
    "every": ArchiveKind("every frame coded", "every", {**_UNTRAINED, "every": 1}),
    "alone": ArchiveKind("nothing shared", "alone", {**_UNTRAINED, "references": False}),
}


def in_order(names: Iterable[str]) -> list[str]:
    """Those of the kinds that are named."""
    named = set(names)
    return [name for name in KINDS if name in named]


def by_kind(rows: Iterable[Record]) -> Iterator[tuple[str, ArchiveKind, list[Record]]]:
    """Rows of a record by the kind that their `model` names."""
    rows = list(rows)
    for name in in_order(row["model"] for row in rows):
        yield name, KINDS[name], [row for row in rows if row["model"] == name]

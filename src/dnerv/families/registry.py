"""The families by name. Each is imported when it is first asked for: a list of their names waits for no network."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dnerv.families.family import Family

# Module below this package, and the family's name in it.
_HOMES = {"dnerv": "dnerv:DNERV", "nerv": "nerv:NERV", "prior": "prior:PRIOR"}


class _Families(MutableMapping[str, "Family[Any]"]):
    def __init__(self) -> None:
        self._families: dict[str, Family[Any] | None] = dict.fromkeys(_HOMES)  # None: not imported yet

    def __getitem__(self, name: str) -> Family[Any]:
        family = self._families[name]
        if family is None:
            module, _, attribute = _HOMES[name].partition(":")
            family = self._families[name] = getattr(import_module(f"dnerv.families.{module}"), attribute)
        return family

    def __setitem__(self, name: str, family: Family[Any]) -> None:
        self._families[name] = family

    def __delitem__(self, name: str) -> None:
        del self._families[name]

    def __contains__(self, name: object) -> bool:
        return name in self._families

    def __iter__(self) -> Iterator[str]:
        return iter(self._families)

    def __len__(self) -> int:
        return len(self._families)


FAMILIES: MutableMapping[str, Family[Any]] = _Families()


def register(family: Family[Any]) -> None:
    """Let networks of one more family be chosen, stored and read. ValueError where the name is taken."""
    if FAMILIES.setdefault(family.name, family) is not family:
        raise ValueError(f"a family is called {family.name!r} already")

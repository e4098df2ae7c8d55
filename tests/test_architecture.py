"""The rooms of docs/architecture.md: all of them are there, no import runs back, no modules import in a circle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "dnerv"
PAGE = (ROOT / "docs" / "architecture.md").read_text()


def rooms() -> list[str]:
    """From low to high, as the page has them."""
    table = PAGE.partition("\n## Rooms\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


def dotted(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")  # "" is the package itself


MODULES = {dotted(path): path for path in SOURCE.rglob("*.py")}
COMPILED = {dotted(path) for path in SOURCE.rglob("*.pyi")}  # they import nothing


def imported(tree: ast.AST) -> Iterator[str]:
    """Modules of the package that code imports, wherever it does."""
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] != "dnerv":
                continue
            inner = ".".join(parts[1:])
            if inner in COMPILED:
                continue
            yield inner if inner in MODULES else inner.rpartition(".")[0]


def running(tree: ast.Module) -> ast.Module:
    """Without what is there for type checkers alone."""
    kept = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"))
    ]
    return ast.Module(kept, [])


TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}


def test_the_page_has_every_room_once() -> None:
    there = {name.partition(".")[0] for name in MODULES} - {"", "__main__"}
    assert sorted(rooms()) == sorted(there)


@pytest.mark.parametrize("name", sorted(set(MODULES) - {"", "__main__"}))
def test_no_import_runs_back(name: str) -> None:
    order = rooms()
    own = name.partition(".")[0]
    above = order[order.index(own) + 1 :]
    back = [target for target in imported(TREES[name]) if target.partition(".")[0] in ["", *above]]
    assert back == []


def test_no_modules_import_in_a_circle() -> None:
    graph = {name: set(imported(running(tree))) - {name} for name, tree in TREES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_the_checks_see_what_they_are_for() -> None:
    tree = ast.parse("def f():\n    from dnerv.codecs import psnr\n    from dnerv.video.timing import Timing\n")
    assert list(imported(tree)) == ["codecs", "video.timing"]
    assert list(imported(running(ast.parse("if TYPE_CHECKING:\n    import dnerv.cli")))) == []
    assert rooms().index("video") < rooms().index("codecs") < rooms().index("cli")

"""Names that are imported when first used."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import dnerv

SOURCE = Path(dnerv.__file__).parent
PACKAGES = ["dnerv", *sorted(f"dnerv.{path.parent.name}" for path in SOURCE.glob("*/__init__.py"))]


def parsed(package: str) -> ast.Module:
    return ast.parse((SOURCE / package.removeprefix("dnerv").replace(".", "/").lstrip("/") / "__init__.py").read_text())


def told_to_type_checkers(package: str) -> dict[str, tuple[str, str]]:
    """Under `if TYPE_CHECKING`: the module of each name, and what it is called there."""
    homes = {}
    for node in parsed(package).body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for each in node.body:
                assert isinstance(each, ast.ImportFrom)
                assert each.module is not None
                homes |= {name.asname or name.name: (each.module, name.name) for name in each.names}
    return homes


def imported_on_use(package: str) -> dict[str, str]:
    for node in ast.walk(parsed(package)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "imports_on_use":
            homes: dict[str, str] = ast.literal_eval(node.args[1])
            return homes
    return {}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_there(package: str) -> None:
    module = import_module(package)
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None, name


@pytest.mark.parametrize("package", [package for package in PACKAGES if imported_on_use(package)])
def test_type_checkers_are_told_what_is_imported(package: str) -> None:
    homes, told = imported_on_use(package), told_to_type_checkers(package)
    assert set(homes) <= set(import_module(package).__all__)
    assert set(homes) <= set(told)
    for name in homes:
        home, original = told[name]
        assert getattr(import_module(home), original) is getattr(import_module(package), name), name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'dnerv' has no attribute 'nothing'"):
        _ = dnerv.nothing


@pytest.mark.parametrize(
    "package", ["dnerv", *(f"dnerv.{name}" for name in ("encoding", "families", "studies", "video"))]
)
def test_importing_a_package_imports_neither_torch_nor_ffmpeg(package: str) -> None:
    program = f"import sys, {package}; print(sorted({{'torch', 'av', 'numpy', 'rich'}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

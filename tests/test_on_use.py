"""Names that are imported when first used."""

import subprocess
import sys

import pytest

import dnerv


def test_every_public_name_is_there() -> None:
    from dnerv import evaluation, keyframes, video

    for package in (dnerv, evaluation, keyframes, video):
        for name in package.__all__:
            assert getattr(package, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'dnerv' has no attribute 'nothing'"):
        _ = dnerv.nothing


def test_importing_the_package_imports_neither_torch_nor_ffmpeg() -> None:
    program = "import sys, dnerv; print(sorted({'torch', 'av', 'numpy'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

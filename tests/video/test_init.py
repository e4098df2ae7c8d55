import subprocess
import sys

import dnerv.video

# A machine that trains from prepared frames has neither PyAV nor a wish to wait for it.
WITHOUT_PYAV = """
import sys
sys.modules["av"] = None
from dnerv.video import CachedVideo, FrameStore, Member, TileGrid, Timeline, Timing, choose_canvas, discover
"""


def test_every_public_name_can_be_had() -> None:
    for name in dnerv.video.__all__:
        assert getattr(dnerv.video, name).__name__ == name


def test_unknown_names_are_attribute_errors() -> None:
    assert not hasattr(dnerv.video, "no_such_name")


def test_frames_clips_and_tiles_do_without_pyav(warm_python: str) -> None:
    subprocess.run([warm_python, "-c", WITHOUT_PYAV], check=True, timeout=60)


def test_listing_a_corpus_waits_for_neither_torch_nor_pyav() -> None:
    check = "import sys; from dnerv.video import discover; assert not {'torch', 'av'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True, timeout=60)

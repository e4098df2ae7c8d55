"""An archive of many small videos, under names that mean something to HTML, to addresses and to file systems."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from threading import Thread
from zlib import crc32

import numpy as np
import pytest

from dnerv.archive import PlaneFormat, VideoEntry, new_archive
from dnerv.codecs import Planes, SvtAv1
from dnerv.codecs.obu import split_sequence_header
from dnerv.serving import ArchiveServer
from dnerv.video import Timing

HEIGHT, WIDTH, FRAMES = 64, 80, 5
ODD_NAMES = ("<script>alert(1)</script>", 'a "quoted" & b', "über/😀", "x/%2e%2e/..y", "\udcff\u202e", "clip.mp4")


def entry_of(name: str, packets: list[bytes], **facts: object) -> VideoEntry:
    known: dict[str, object] = {
        "name": name,
        "label": None,
        "original_size": (HEIGHT, WIDTH),
        "coded_size": (HEIGHT, WIDTH),
        "timing": Timing.constant(Fraction(25), FRAMES),
        "distance": 1,
        "group_length": len(packets),
        "format": 0,
        "crf": 40.0,
        "references": (),
        "packet_lengths": tuple(map(len, packets)),
        "checksums": (crc32(b"".join(packets)) & 0xFFFF,),
        "offset": 0,
        "network_frame": None,
    }
    return VideoEntry(**(known | facts))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def served_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """115 videos of the same packets; of "blended", every second frame alone is coded."""
    path = tmp_path_factory.mktemp("served") / "a & b.dnerv"
    rng = np.random.default_rng(0)
    frames = [np.kron(rng.integers(0, 255, (8, 10, 3)), np.ones((8, 8, 1))).astype(np.uint8) for _ in range(FRAMES)]
    packets = [packet.data for packet in SvtAv1(preset=8, group=8).keyframes(frames, 40)]
    header, packets[0] = split_sequence_header(packets[0])
    known = PlaneFormat(Planes(), Planes(depth=8), header)
    with new_archive(path) as writer:
        for name in (*ODD_NAMES, *(f"plain/{i:03d}" for i in range(108))):
            label = 'l<b>"' if name == "clip.mp4" else "Plain" if name.startswith("plain") else None
            writer.add_video(entry_of(name, packets, label=label), known, [None], iter(packets))
        blended = entry_of(
            "blended",
            packets,
            distance=2,
            original_size=(HEIGHT, 2 * WIDTH),
            timing=Timing.constant(Fraction(25), 2 * FRAMES - 1),
        )
        writer.add_video(blended, known, [None], iter(packets))
        writer.finish({"dnerv": "0", "crf": 40.0, "fps": None})
    return path


@pytest.fixture(scope="session")
def server(served_path: Path) -> Iterator[ArchiveServer]:
    """On any port that is free."""
    with ArchiveServer(served_path, port=0) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()

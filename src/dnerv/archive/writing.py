"""Put a trained network, its keyframes and an index into one file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dnerv.archive.index import ArchiveConfig, VideoEntry, index_to_json
from dnerv.bitstream import encode_json, pack_weights, write_container
from dnerv.errors import DnervError, InputError
from dnerv.video.names import refusal


@dataclass(frozen=True)
class CodedVideo:
    """One video as it goes into the archive."""

    entry: VideoEntry
    packet_table: bytes
    keyframe_file: Path | None  # its packets back to back, `entry.keyframe_bytes` long


def write_archive(
    path: Path,
    config: ArchiveConfig,
    weights: Mapping[str, np.ndarray],
    weight_bits: int,
    videos: Sequence[CodedVideo],
    *,
    force: bool = False,
) -> None:
    """Write the `.dnerv` file at `path`, all of it or nothing.

    Args:
        weights: float32 arrays in the order of `tensor_shapes(config.model)`.
        weight_bits: levels of the quantiser, 2^bits, 4 to 8.

    Raises:
        InputError: a video's name that no reader would open, or one that stands twice.
        DnervError: weights that the quantiser cannot hold: not finite, or beyond float16.
        OutputError: the file exists and `force` is off, or cannot be written.
    """
    _check_names([video.entry.name for video in videos])
    try:
        network = pack_weights(weights, weight_bits)
    except ValueError as error:
        raise DnervError(f"the trained weights cannot be stored: {error}") from None
    write_container(
        path,
        [
            ("CONF", encode_json(config.to_json())),
            ("INDX", encode_json(index_to_json([video.entry for video in videos]))),
            ("PKTS", b"".join(video.packet_table for video in videos)),
            ("NETW", network),
            ("KEYF", _packets(videos)),
        ],
        force=force,
    )


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        reason = refusal(name)
        if reason is not None:
            raise InputError(f"a video named {name!r} cannot be stored: it {reason}")
    if len(set(names)) < len(names):
        raise InputError("two videos have the same name: an archive finds them by it")


def _packets(videos: Sequence[CodedVideo]) -> Iterable[bytes]:
    for video in videos:
        if video.keyframe_file is not None:
            with video.keyframe_file.open("rb") as file:
                while block := file.read(1 << 20):
                    yield block

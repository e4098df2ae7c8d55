"""Code all keyframes of a corpus, decode them again for training, and keep both on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnerv import progress
from dnerv.bitstream import encode_packet_table, packet_group_crc32s
from dnerv.codecs import SvtAv1, decode_packets, search_crf
from dnerv.encoding.dial import Design
from dnerv.errors import InputError
from dnerv.files import write_atomically
from dnerv.video import CachedVideo, FrameStore, FrameStoreWriter, Timeline

_SURELY_CODED, _SURELY_CODED_SIDE = 1 << 23, 8192  # pixels, of a frame and of a side
_GROUP_PIXELS = 8_000_000  # decoded at most to reach one keyframe
_CLOSE_ENOUGH = 0.02  # of the keyframes' bytes: a quarter step of crf moves them by about this much
_MOST_TRIALS = 5  # encodings of the whole corpus, until the bytes fit
_FITTED_PIXELS = 48_000_000  # of keyframes; of a larger corpus only a sample is coded more than once


@dataclass(frozen=True)
class CodedKeyframes:
    """The keyframes of one video."""

    packet_table: bytes
    packet_file: Path  # packets back to back
    decoded: FrameStore

    @property
    def packet_bytes(self) -> int:
        """Length of all packets."""
        return self.packet_file.stat().st_size


def code_keyframes(
    videos: Sequence[CachedVideo],
    design: Design,
    every: int,
    directory: Path,
) -> tuple[float, list[CodedKeyframes]]:
    """Code the keyframes of every video into `directory`, as close below the design's budget as crf steps allow.

    Keyframes that an interrupted run has coded from the same frames at the same crf are taken over. Progress advances
    once per video of the final encoding.

    Returns:
        The crf used, and one record per video.
    """
    crf = SvtAv1.nearest_crf(design.keyframe_crf)
    if design.keyframe_budget is not None:
        crf = _fitting_crf(videos, design, every, directory, crf)
    coded = []
    for video in videos:
        coded.append(_code(video, keyframe_codec(video, design), crf, every, directory))
        progress.advance()
    return crf, coded


def keyframe_codec(video: CachedVideo, design: Design) -> SvtAv1:
    """The codec of one video: groups as long as reaching a frame in their midst stays quick."""
    group = min(128, max(16, _GROUP_PIXELS // (video.height * video.width)))
    return SvtAv1(design.keyframe_mode, design.keyframe_preset, group)


def check_size(video: CachedVideo) -> None:
    """Raise InputError for frames larger than the encoder takes; it may refuse them by their area, too."""
    if video.height * video.width > _SURELY_CODED or max(video.height, video.width) > _SURELY_CODED_SIDE:
        try:
            SvtAv1().check_size(video.height, video.width)
        except InputError as error:
            raise InputError(f"{video.name}: {error}; --resolution makes them smaller") from None


def _fitting_crf(videos: Sequence[CachedVideo], design: Design, every: int, directory: Path, crf: float) -> float:
    """The crf whose bytes come closest to the budget from below: secant steps on (a sample of) the corpus."""
    assert design.keyframe_budget is not None
    pixels = [v.height * v.width * Timeline(v.timing.num_frames, 1, every).num_keyframes for v in videos]
    stride = -(-sum(pixels) // _FITTED_PIXELS)
    sample = videos[::stride]
    budget = design.keyframe_budget * sum(pixels[::stride]) / sum(pixels)

    def coded_bytes(trial: float) -> int:
        coded = [_code(video, keyframe_codec(video, design), trial, every, directory) for video in sample]
        return sum(keyframes.packet_bytes for keyframes in coded)

    found = search_crf(
        SvtAv1(), coded_bytes, budget, start=crf, goal="not above", close_enough=_CLOSE_ENOUGH, most=_MOST_TRIALS
    )
    return found.not_above


def _code(video: CachedVideo, codec: SvtAv1, crf: float, every: int, directory: Path) -> CodedKeyframes:
    stem = video.store.path.stem
    packets, rgb = directory / f"{stem}.av1", directory / f"{stem}.rgb"
    record = directory / f"{stem}.json"
    timeline = Timeline(video.timing.num_frames, 1, every)
    decoded = FrameStore(rgb, video.height, video.width, timeline.num_keyframes)
    key = {"codec": repr(replace(codec, threads=0)), "crf": crf, "every": every, "content": video.digest}
    found = _finished(record, key)
    if found is not None and decoded.is_complete() and packets.exists():
        return CodedKeyframes(found, packets, decoded)
    record.unlink(missing_ok=True)
    coded = codec.keyframes(_keyframes(video, timeline), crf)
    data = [packet.data for packet in coded]
    sync = [packet.sync for packet in coded]
    table = encode_packet_table([len(d) for d in data], sync, packet_group_crc32s(data, sync))
    write_atomically(packets, b"".join(data))
    with FrameStoreWriter(rgb) as writer:
        for frame in decode_packets(data, height=video.height, width=video.width):
            writer.append(frame)
    write_atomically(record, json.dumps(key | {"table": table.hex()}).encode())
    return CodedKeyframes(table, packets, decoded)


def _keyframes(video: CachedVideo, timeline: Timeline) -> Iterator[NDArray[np.uint8]]:
    return (video.store[position] for position in timeline.keyframe_positions.tolist())


def _finished(record: Path, key: dict[str, object]) -> bytes | None:
    """The packet table of an earlier run with the same settings."""
    if not record.exists():
        return None
    found = json.loads(record.read_text())
    table = bytes.fromhex(found.pop("table"))
    return table if found == key else None

"""A codec of one's own, VP9 by libvpx, compared with x265 at the same bytes.

python examples/own_codec.py VIDEO 50000

All that depends on a codec is its class. In the package it would be `dnerv/codecs/vp9.py`, and its name a word in
`dnerv/codecs/registry.py`: `dnerv compare --codecs vp9,...` and every study have it then.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import ClassVar

import av

from dnerv.codecs import CODECS, Codec, Frame, Packet, Planes, mse, psnr, search_crf
from dnerv.codecs.codec import CountedFrames, Settings
from dnerv.codecs.colour import ColourConverter, pad_frame
from dnerv.video import VideoSource


# --8<-- [start:codec]
class Vp9(Codec):
    """VP9. It has no format of its own for files: packets lie behind their lengths, which are not counted."""

    name, title, suffix = "vp9", "VP9", ".vp9"
    crf_range, crf_step, usual_crf, slope = (1.0, 63.0), 1.0, 45.0, -0.07
    efforts: ClassVar[Mapping[str, str]] = {"veryslow": "0", "slow": "1", "medium": "2", "fast": "4", "ultrafast": "8"}
    encoder, decoder = "libvpx-vp9", "vp9"
    smallest_side = 16

    def _code(self, frames: CountedFrames, settings: Settings) -> list[Packet]:
        height, width = frames.padded_size(self.smallest_side)
        encoder, converter = av.CodecContext.create(self.encoder, "w"), ColourConverter(Planes(depth=8))
        assert isinstance(encoder, av.VideoCodecContext)
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
        encoder.framerate, encoder.time_base = settings.fps, 1 / settings.fps
        words = self._words(settings)
        encoder.options = dict(zip((word[1:] for word in words[::2]), words[1::2], strict=True))
        made = []
        for index, frame in enumerate(frames):
            picture = converter.to_yuv(pad_frame(frame, height, width))
            picture.pts, picture.time_base = index, encoder.time_base
            made += encoder.encode(picture)
        return [Packet(bytes(packet), packet.is_keyframe) for packet in [*made, *encoder.encode(None)]]

    def _words(self, settings: Settings) -> list[str]:
        quality = ["-crf", f"{settings.crf:g}", "-b", "0", "-cpu-used", settings.preset, "-deadline", "good"]
        return [*quality, "-g", str(settings.restart), "-threads", "1"]

    def packet_to_file(self, packet: bytes) -> bytes:
        return len(packet).to_bytes(4, "little") + packet

    def counted_bytes(self, path: Path) -> int:
        return sum(map(len, _packets(path)))

    def decode_file(self, path: Path, height: int, width: int) -> Iterator[Frame]:
        return self.decode(_packets(path), height, width)


def _packets(path: Path) -> Sequence[bytes]:
    data, place, found = path.read_bytes(), 0, []
    while place < len(data):
        end = place + 4 + int.from_bytes(data[place : place + 4], "little")
        found.append(data[place + 4 : end])
        place = end
    return found


# --8<-- [end:codec]


def at_bytes(codec: Codec, frames: Sequence[Frame], fps: float, target: int, effort: str) -> tuple[int, float]:
    """Bytes nearest to `target`, and PSNR in dB, the mean over frames."""
    tried = search_crf(codec, lambda crf: codec.encode(frames, fps=fps, crf=crf, effort=effort).size, target)
    stream = codec.encode(frames, fps=fps, crf=tried.nearest, effort=effort)
    return stream.size, fmean(psnr(float(mse(a, b))) for a, b in zip(frames, stream.frames(), strict=True))


def main(path: Path, target: int, effort: str = "slow") -> dict[str, tuple[int, float]]:
    """Code one video by both at `target` bytes; bytes and PSNR by title."""
    stream = VideoSource(path).frames()
    frames = [frame for _, frame in stream]
    fps = float(stream.timing.average_fps)  # known at the end
    found = {one.title: at_bytes(one, frames, fps, target, effort) for one in (CODECS["x265"], Vp9())}
    for title, (size, quality) in found.items():
        print(f"{title}: {size:,} bytes, {quality:.2f} dB")
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

"""What all AV1 encoders share: streams of temporal units, one shown frame each, decoded by dav1d.

dav1d gives each frame in the very call that takes its packet when it is told not to run frames in parallel;
that makes one packet, one frame checkable packet by packet instead of by a count at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

from dnerv.codecs.codec import Codec
from dnerv.codecs.colour import ColourConverter, padded_size
from dnerv.codecs.keyframes import DEFAULT_PLANES, Frame, Planes
from dnerv.codecs.obu import pack_temporal_unit, unpack_temporal_unit
from dnerv.errors import ArchiveError

SMALLEST_SIDE = 64  # pixels; SVT-AV1 hangs when one side is under 30 and the other over 64


class Av1Codec(Codec):
    """AV1 by any encoder.

    Temporal delimiters and the size of each unit's last part, 3 to 4 bytes a frame, are not counted: every container
    drops and restores them, and the keyframes of an archive do without too.
    """

    suffix = ".obu"
    decoder = "libdav1d"
    smallest_side = SMALLEST_SIDE
    slope = -0.06
    usual_crf = 54.0

    def decode(self, packets: Sequence[bytes], height: int, width: int) -> Iterator[Frame]:
        """See `Codec.decode`."""
        return decode_packets(packets, height=height, width=width)

    def counted_bytes(self, path: Path) -> int:
        """See `Codec.counted_bytes`."""
        with self._opened(path) as container:
            return sum(len(pack_temporal_unit(bytes(packet))) for packet in container.demux(video=0) if packet.size)

    def packet_to_file(self, packet: bytes) -> bytes:
        """With the delimiter that players look for."""
        return unpack_temporal_unit(packet)


def decode_packets(
    packets: Sequence[bytes], *, height: int, width: int, planes: Planes = DEFAULT_PLANES, threads: int = 1
) -> Iterator[Frame]:
    """Decode the packets of consecutive keyframes, the first of them a sync packet.

    Args:
        packets: coded bytes, one packet per frame, in display order.
        height, width: size of the frames that went into the encoder, in pixels.
        planes: what the encoder was told of them; what the packets themselves say of their colours is not looked at.
        threads: decoder threads; the frames do not depend on it.

    Yields:
        As many frames as there are packets, uint8 [height, width, 3] RGB, each as soon as its packet is
        decoded.

    Raises:
        ArchiveError: a packet is damaged, out of place, of another size or depth, or does not hold exactly one frame.
    """
    coded_height, coded_width = padded_size(height, width, smallest=SMALLEST_SIDE)
    decoder = _open_decoder(coded_height * coded_width, threads)
    converter = ColourConverter(planes)
    for index, data in enumerate(packets):
        frame = _decode_one(decoder, data, index)
        if (frame.height, frame.width) != (coded_height, coded_width):
            raise ArchiveError(
                f"keyframe packet {index} holds {frame.width}x{frame.height} pixels, "
                f"expected {coded_width}x{coded_height}"
            )
        if frame.format.name != planes.pixel_format:
            raise ArchiveError(f"keyframe packet {index} holds {frame.format.name} samples, not {planes.pixel_format}")
        yield np.ascontiguousarray(converter.to_rgb(frame)[:height, :width])
    if decoder.decode(None):
        raise ArchiveError("keyframe packets hold more frames than there are packets; they are damaged")


def _open_decoder(pixels: int, threads: int) -> av.VideoCodecContext:
    decoder = av.CodecContext.create("libdav1d", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = threads
    # max_frame_delay: no frame parallelism; max_pixels: a damaged size cannot ask for gigabytes.
    decoder.options = {"max_frame_delay": "1", "max_pixels": str(pixels)}
    return decoder


def _decode_one(decoder: av.VideoCodecContext, data: bytes, index: int) -> av.VideoFrame:
    unit = unpack_temporal_unit(data)
    try:
        frames = decoder.decode(av.Packet(unit))
    except FFmpegError as error:
        raise ArchiveError(f"keyframe packet {index} is damaged or out of place: {error.strerror}") from error
    if len(frames) != 1:
        raise ArchiveError(
            f"keyframe packet {index} gave {len(frames)} frames instead of one: it is damaged or out of place"
        )
    return frames[0]

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
from numpy.typing import NDArray

from dnerv.codecs import decoders
from dnerv.codecs.codec import Codec
from dnerv.codecs.colour import ColourConverter, padded_size, samples_of, threads_converter
from dnerv.codecs.colour_tables import is_exact
from dnerv.codecs.frame_header import SequenceHeader, known_sequence_header
from dnerv.codecs.keyframes import DEFAULT_PLANES, Frame, Planes
from dnerv.codecs.obu import pack_temporal_unit, split_sequence_header, unpack_temporal_unit
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
    pictures = decode_pictures(packets, height=height, width=width, planes=planes, threads=threads)
    return (picture.rgb() for picture in pictures)


class Picture:
    """A decoded picture, which becomes RGB when somebody asks for it."""

    __slots__ = ("_frame", "_is_exact", "_planes", "_rgb_planes", "_size")

    def __init__(self, frame: av.VideoFrame, size: tuple[int, int], planes: Planes, *, is_exact: bool) -> None:
        """`size`: (height, width) in pixels that are shown; the rest is padding. `is_exact`: of `colour_tables`."""
        self._frame, self._size, self._planes, self._is_exact = frame, size, planes, is_exact
        self._rgb_planes: NDArray[np.uint8] | None = None  # where they were asked for to be kept

    def rgb(self) -> Frame:
        """uint8 [height, width, 3]."""
        return np.ascontiguousarray(self._converter.to_rgb(self._frame)[: self._size[0], : self._size[1]])

    def rgb_planes(self) -> NDArray[np.uint8]:
        """The same values as uint8 [3, height, width], not to be written to; they are kept."""
        if self._rgb_planes is None:
            self._rgb_planes = np.empty((3, *self._size), np.uint8)
            self._converter.to_rgb_planes(self._frame, self._rgb_planes)
        return self._rgb_planes

    def write_rgb_planes(self, out: NDArray[np.uint8]) -> None:
        """The same values into uint8 [3, height, width]; they are not kept."""
        if self._rgb_planes is None:
            self._converter.to_rgb_planes(self._frame, out)
        else:
            out[:] = self._rgb_planes

    def samples(self) -> NDArray[np.integer]:
        """What the decoder gave, padding included: see `colour.samples_of`. The picture is of `picture_size`."""
        return samples_of(self._frame)

    @property
    def _converter(self) -> ColourConverter:
        frame = self._frame
        return threads_converter(self._planes, frame.height, frame.width, is_exact=self._is_exact)


def picture_size(height: int, width: int) -> tuple[int, int]:
    """Height and width in pixels of the pictures that frames of this size are coded in."""
    return padded_size(height, width, smallest=SMALLEST_SIDE)


def decode_pictures(
    packets: Sequence[bytes],
    *,
    height: int,
    width: int,
    planes: Planes = DEFAULT_PLANES,
    threads: int = 1,
    first: int = 0,
) -> Iterator[Picture]:
    """As `decode_packets`, from packet `first` on: those before are decoded and not shown.

    Where a decoder is left that began with the same packet, the first one's picture is there already (`decoders`).
    """
    size, sequence = picture_size(height, width), _sequence_header(packets)
    chroma = None if sequence is None else sequence.chroma_sample_position
    kind, exact = decoders.Kind(size[0] * size[1], chroma, threads), is_exact(planes, chroma)
    decoder, index = decoders.opened(kind, packets[0] if first else b""), 0
    try:
        for index, data in enumerate(packets):
            frame = _decode_one(decoder, data, index)
            if (frame.height, frame.width) != size:
                raise ArchiveError(
                    f"keyframe packet {index} holds {frame.width}x{frame.height} pixels, expected {size[1]}x{size[0]}"
                )
            if frame.format.name != planes.pixel_format:
                raise ArchiveError(
                    f"keyframe packet {index} holds {frame.format.name} samples, not {planes.pixel_format}"
                )
            if index >= first:
                yield Picture(frame, (height, width), planes, is_exact=exact)
        if decoder.decode(None):
            raise ArchiveError("keyframe packets hold more frames than there are packets; they are damaged")
    except GeneratorExit:
        decoders.keep(decoder, kind, sequence, packets[1 : index + 1])
        raise
    decoder.begin_anew(b"")
    decoders.keep(decoder, kind, sequence, ())


def _sequence_header(packets: Sequence[bytes]) -> SequenceHeader | None:
    """That packets begin with; None where they begin with none that is read here."""
    try:
        return known_sequence_header(split_sequence_header(packets[0])[0])
    except (ArchiveError, IndexError):
        return None


def _decode_one(decoder: decoders.Decoder, data: bytes, index: int) -> av.VideoFrame:
    if not data:
        raise ArchiveError(f"keyframe packet {index} is empty")  # to a decoder, that would be the end
    try:
        frames = decoder.decode(data)
    except FFmpegError as error:
        raise ArchiveError(f"keyframe packet {index} is damaged or out of place: {error.strerror}") from error
    if len(frames) != 1:
        raise ArchiveError(
            f"keyframe packet {index} gave {len(frames)} frames instead of one: it is damaged or out of place"
        )
    return frames[0]

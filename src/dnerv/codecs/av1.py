"""What all AV1 encoders share: streams of temporal units, one shown frame each, decoded by dav1d."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from dnerv.codecs.codec import Codec
from dnerv.codecs.decoding import SMALLEST_SIDE, decode_packets
from dnerv.codecs.keyframes import Frame
from dnerv.codecs.obu import pack_temporal_unit, unpack_temporal_unit


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
    efforts: ClassVar[Mapping[str, str]]

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

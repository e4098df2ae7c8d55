"""Keyframes of one video out of the archive, a few at a time, decoded once where access runs forward."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dnerv.bitstream import Container, PacketGroup, PacketTable
from dnerv.codecs import decode_packets
from dnerv.errors import ArchiveError


class KeyframeReader:
    """Decodes any run of keyframes; it holds the last run and an open decoder, never a whole video."""

    def __init__(
        self,
        container: Container,
        table: PacketTable,
        offset: int,
        size: tuple[int, int],
        name: str,
    ) -> None:
        """`offset`: of the video's first packet in KEYF. `name`: of the video, for messages."""
        self._container, self._table, self._offset, self._name = container, table, offset, name
        self._size = size
        self._kept: dict[int, NDArray[np.uint8]] = {}
        self._next = 0  # ordinal that the open decoder yields next
        self._group_end = 0
        self._decoder: Iterator[NDArray[np.uint8]] = iter(())

    def read(self, first: int, last: int) -> NDArray[np.uint8]:
        """Keyframes `first` to `last`, both included: uint8 [n, H, W, 3].

        Raises:
            ArchiveError: their packets are damaged.
        """
        wanted = {ordinal: self._kept.get(ordinal) for ordinal in range(first, last + 1)}
        for ordinal, frame in wanted.items():
            if frame is None:
                wanted[ordinal] = self._decode(ordinal)
        frames = {ordinal: frame for ordinal, frame in wanted.items() if frame is not None}
        self._kept = frames
        return np.stack(list(frames.values()))

    def _decode(self, ordinal: int) -> NDArray[np.uint8]:
        if not self._next <= ordinal < self._group_end:
            self._open(self._table.group_of(ordinal))
        while True:
            try:
                frame = next(self._decoder)
            except BaseException:
                self._group_end = 0  # a decoder that has failed once yields nothing more: begin with another
                raise
            self._next += 1
            if self._next > ordinal:
                return frame

    def _open(self, group: PacketGroup) -> None:
        data = self._container.read_range("KEYF", self._offset + group.byte_offset, group.byte_length)
        try:
            group.check(data)
        except ArchiveError as error:
            raise ArchiveError(f"keyframes of video {self._name!r}: {error}") from None
        packets = []
        for packet in range(group.first_packet, group.first_packet + group.packet_count):
            start, length = self._table.packet_range(packet)
            start -= group.byte_offset
            packets.append(data[start : start + length])
        self._decoder = decode_packets(packets, height=self._size[0], width=self._size[1])
        self._next, self._group_end = group.first_packet, group.first_packet + group.packet_count

"""A reader of `.dnerv` files, format 2, that shares no code with the package: docs/format.md in Python, base layer only.

    videos = PlainArchive("a.dnerv")
    videos.names; videos.frames("bikes")      # uint8 [N, H, W, 3] RGB at the coded size

Needs NumPy and PyAV. It is written for reading along: nothing is fast, and whatever the format says is checked by assertions.
"""

import json
import sys
import zlib
from fractions import Fraction
from hashlib import blake2b
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

MATRICES = {"bt601": Colorspace.ITU601, "bt709": Colorspace.ITU709}
SMALLEST_SIDE = 64  # of coded pictures; smaller frames are their upper left part


def u(data, at, size):
    """An unsigned little-endian integer."""
    return int.from_bytes(data[at : at + size], "little")


class Integers:
    """LEB128 integers, one after the other."""

    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def one(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def take(self, count):
        return [self.one() for _ in range(count)]


def signed(value):
    """Zigzag: 0, 1, 2, 3, ... are 0, -1, 1, -2, ..."""
    return value >> 1 if value % 2 == 0 else -(value >> 1) - 1


def inflate(data):
    """Raw deflate."""
    return zlib.decompress(data, wbits=-15)


def header(data):
    """The slot that counts: table offset, table length, end of the file."""
    assert data[:8] == b"\x89DNV\r\n\x1a\n", "not a dnerv archive"
    assert u(data, 8, 2) == 2, "not format version 2"
    slots = []
    for at in (12, 40):
        if u(data, at + 24, 4) == zlib.crc32(data[at : at + 24]):
            slots.append((u(data, at, 4), u(data, at + 4, 8), u(data, at + 12, 4), u(data, at + 16, 8)))
    assert slots, "neither slot is whole"
    return max(slots)[1:]


def section_table(data, offset, length):
    """Kind -> bytes of every section."""
    table = data[offset : offset + length]
    assert u(table, length - 4, 4) == zlib.crc32(table[:-4]), "the section table is damaged"
    sections = {}
    for at in range(0, length - 4, 24):
        kind, start, size = table[at : at + 4].decode("ascii"), u(table, at + 4, 8), u(table, at + 12, 8)
        sections[kind] = data[start : start + size]
        assert zlib.crc32(sections[kind]) == u(table, at + 20, 4), f"section {kind} is damaged"
        assert kind in ("CONF", "INDX", "REFS", "NETW") or kind[0].islower(), f"section {kind} is not known"
    return sections


def directory(data):
    """(offset, length, crc32, rows) of every block of the index."""
    head = Integers(data)
    count, size = head.take(2)
    body = Integers(data, head.at)
    body.take(count)  # lengths of first names
    columns = [body.take(count) for _ in range(7)]  # offset, length, crc32, rows, frames, pixels, bytes of packets
    assert body.at == head.at + size
    return list(zip(*columns[:4], strict=True))


def block(data, rows):
    """The videos of a block, a dictionary each."""
    head = Integers(data)
    size, checksum_bytes = head.take(2)
    c = Integers(data, head.at)
    checksums = np.frombuffer(data, "<u2", checksum_bytes // 2, head.at + size).tolist()
    text_at = head.at + size + checksum_bytes
    label_lengths = c.take(c.one())
    strings = []
    for length in [*label_lengths, *c.take(rows)]:
        strings.append(data[text_at : text_at + length].decode("utf-8", "surrogatepass"))
        text_at += length
    assert text_at == len(data)
    labels, names = [None, *strings[: len(label_lengths)]], strings[len(label_lengths) :]
    columns = ("label", "height", "width", "coded_height", "coded_width", "numerator", "denominator", "start")
    columns += ("last_duration", "frames", "step")
    videos = [dict(zip(columns, values, strict=True)) for values in zip(*(c.take(rows) for _ in columns), strict=True)]
    for name, video in zip(names, videos, strict=True):
        video["name"], video["label"] = name, labels[video["label"]]
        video["coded_height"] = video["coded_height"] or video["height"]
        video["coded_width"] = video["coded_width"] or video["width"]
    for video in videos:
        steps = [video["step"]] * (video["frames"] - 1) if video["step"] else c.take(video["frames"] - 1)
        ticks = np.cumsum([signed(video["start"]), *steps])
        base = Fraction(video["numerator"], video["denominator"])
        video["seconds"] = [int(tick) * base.numerator / base.denominator for tick in ticks]
    for column in ("distance", "group_length", "format", "quarters_of_crf", "network"):
        for video, value in zip(videos, c.take(rows), strict=True):
            video[column] = value
    for video, runs in zip(videos, c.take(rows), strict=True):
        video["runs"] = runs
    for video in videos:
        video["references"] = [ref - 2 for _ in range(video["runs"]) for ref, n in [c.take(2)] for _ in range(n)]
    gaps, end = [signed(value) for value in c.take(rows)], 0
    for video, gap in zip(videos, gaps, strict=True):
        coded = -(-(video["frames"] - 1) // video["distance"]) + 1
        video["packets"] = c.take(coded)
        video["offset"] = end + gap
        end = video["offset"] + sum(video["packets"])
        groups = -(-coded // video["group_length"])
        video["checksums"], checksums = checksums[:groups], checksums[groups:]
        assert len(video["references"]) == groups
    assert c.at == head.at + size
    assert not checksums
    return videos


def references(data, count):
    """Offset and length of each reference's packet, and its hash."""
    hashes = [data[8 * i : 8 * i + 8] for i in range(count)]
    c = Integers(data, 8 * count)
    assert c.one() == count
    columns = [c.take(count) for _ in range(9)]  # height, width, format, preset, offset, length, seed's offset and length, 4 crf
    assert c.at == len(data)
    return list(zip(columns[4], columns[5], hashes, strict=True))


def temporal_unit(packet):
    """A packet with what was left out: the temporal delimiter, and the size of its last unit."""
    at = 0
    while True:
        first = packet[at]
        size_at = at + (2 if first & 0b100 else 1)
        if not first & 0b10:
            break
        size = Integers(packet, size_at)
        length = size.one()
        at = size.at + length
    payload = packet[size_at:]
    digits, value = [], len(payload)
    while value >= 0x80:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    start = bytes([packet[at] | 0b10]) + packet[at + 1 : size_at]
    return b"\x12\x00" + packet[:at] + start + bytes([*digits, value]) + payload


def decode(packets, form, height, width):
    """RGB frames of packets of which the first is a sync packet with its sequence header."""
    decoder = av.CodecContext.create("libdav1d", "r")
    decoder.options = {"max_frame_delay": "1"}
    reformatter = VideoReformatter()
    flags = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
    flags |= Interpolation.FULL_CHR_H_INP | Interpolation.BITEXACT
    for packet in packets:
        (picture,) = decoder.decode(av.Packet(temporal_unit(packet)))
        assert picture.height >= max(height, SMALLEST_SIDE)
        assert picture.width >= max(width, SMALLEST_SIDE)
        rgb = reformatter.reformat(
            picture,
            format="rgb24",
            src_colorspace=MATRICES[form["matrix"]],
            src_color_range=ColorRange.JPEG if form["full_range"] else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=flags,
        )
        yield rgb.to_ndarray()[:height, :width]


class PlainArchive:
    """An archive, read whole into memory."""

    def __init__(self, path):
        self.data = Path(path).read_bytes()
        table_offset, table_length, end = header(self.data)
        assert end <= len(self.data), "the file is cut"
        sections = section_table(self.data, table_offset, table_length)
        self.config = json.loads(inflate(sections["CONF"]))
        count = self.config["references"]
        self.references = references(sections["REFS"], count) if count else []
        self.videos = {}
        for offset, length, crc32, rows in directory(sections["INDX"]):
            data = self.data[offset : offset + length]
            assert zlib.crc32(data) == crc32, "a block of the index is damaged"
            self.videos.update((video["name"], video) for video in block(inflate(data), rows))

    @property
    def names(self):
        """Names of the videos, sorted by their bytes."""
        return list(self.videos)

    def coded_frames(self, name):
        """The frames that are in the file: 0, k, 2k, ... and the last."""
        video = self.videos[name]
        form = self.config["formats"][video["format"]]
        sequence_header, at, frames = bytes.fromhex(form["header"]), video["offset"], []
        for group, reference in enumerate(video["references"]):
            first = group * video["group_length"]
            packets = []
            for length in video["packets"][first : first + video["group_length"]]:
                packets.append(self.data[at : at + length])
                at += length
            assert zlib.crc32(b"".join(packets)) & 0xFFFF == video["checksums"][group], f"{name}: a group is damaged"
            if reference >= 0:
                offset, length, digest = self.references[reference]
                packets.insert(0, self.data[offset : offset + length])
                assert blake2b(packets[0], digest_size=8).digest() == digest, "a reference is damaged"
            packets[0] = sequence_header + packets[0]
            decoded = list(decode(packets, form, video["coded_height"], video["coded_width"]))
            frames += decoded[1:] if reference >= 0 else decoded
        return frames

    def frames(self, name):
        """All frames; those that are not in the file are blends of the two around them."""
        video, coded = self.videos[name], self.coded_frames(name)
        distance, last = video["distance"], video["frames"] - 1
        frames = []
        for place in range(video["frames"]):
            start = place // distance
            begin, end = start * distance, min((start + 1) * distance, last)
            if place == begin:
                frames.append(coded[start])
                continue
            share = np.float32((place - begin) / (end - begin))
            blend = (1 - share) * coded[start] + share * coded[start + 1].astype(np.float32)
            frames.append(np.rint(blend).astype(np.uint8))
        return np.stack(frames)


if __name__ == "__main__":
    archive = PlainArchive(sys.argv[1])
    for name in archive.names:
        print(name, archive.frames(name).shape)

"""A reader of `.dnerv` files, format 2, that shares no code with the package: docs/format.md in Python.

    archive = PlainArchive("a.dnerv")
    archive.names                            # sorted
    archive.videos["bikes"]                  # sizes, times, places, as a dictionary
    archive.frames("bikes")                  # uint8 [N, H, W, 3] RGB at the coded size, by the base layer
    archive.shown("bikes")                   # the same at the size that the video had
    archive.weights({"head.weight": ...})    # of the network, float32, for tensors of these shapes

Needs NumPy and PyAV. It is written for reading along: nothing is fast, and what the format says is checked by
assertions. What a network makes of weights and coded frames is in `plain_network.py`.
"""

import json
import sys
import zlib
from fractions import Fraction
from hashlib import blake2b
from math import isqrt, prod
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

MATRICES = {"bt601": Colorspace.ITU601, "bt709": Colorspace.ITU709, "bt2020": Colorspace.BT2020}
PIXEL_FORMATS = {8: "yuv420p", 10: "yuv420p10le"}
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
                assert byte or shift == 7, "not the shortest form"
                return value

    def take(self, count):
        return [self.one() for _ in range(count)]


def signed(value):
    """Zigzag: 0, 1, 2, 3, ... are 0, -1, 1, -2, ..."""
    return value >> 1 if value % 2 == 0 else -(value >> 1) - 1


def inflate(data):
    """Raw deflate."""
    return zlib.decompress(data, wbits=-15)


# ── Container ────────────────────────────────────────────────────────────────────────────────────────────────────────


def header(data):
    """The slot that counts: start of the tail, length of the section table, end of the file."""
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


# ── Index ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def directory(data):
    """Of every block of the index: offset, length, crc32, videos, frames, pixels, bytes of packets."""
    head = Integers(data)
    count, size = head.take(2)
    body = Integers(data, head.at)
    body.take(count)  # lengths of first names
    columns = [body.take(count) for _ in range(7)]
    assert body.at == head.at + size
    return list(zip(*columns, strict=True))


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
        ticks = np.cumsum([signed(video["start"]), *steps, video["last_duration"]]).tolist()
        base = Fraction(video["numerator"], video["denominator"])
        *video["seconds"], video["end_seconds"] = (tick * base.numerator / base.denominator for tick in ticks)
    for column in ("distance", "group_length", "format", "quarters_of_crf", "network"):
        for video, value in zip(videos, c.take(rows), strict=True):
            video[column] = value
    for video, runs in zip(videos, c.take(rows), strict=True):
        video["runs"] = runs
    for video in videos:
        video["references"] = [ref - 2 for _ in range(video["runs"]) for ref, n in [c.take(2)] for _ in range(n)]
    gaps, end = [signed(value) for value in c.take(rows)], 0
    for video, gap in zip(videos, gaps, strict=True):
        coded = -(-(video["frames"] - 1) // video["distance"]) + 1 if video["distance"] else 0
        video["packets"] = c.take(coded)
        video["offset"] = end + gap
        end = video["offset"] + sum(video["packets"])
        groups = -(-coded // video["group_length"]) if coded else 0
        video["checksums"], checksums = checksums[:groups], checksums[groups:]
        assert len(video["references"]) == groups
    assert c.at == head.at + size
    assert not checksums
    return videos


def references(data, count):
    """Offset, length and hash of each reference's packet; offset and length of its seed."""
    hashes = [data[8 * i : 8 * i + 8] for i in range(count)]
    c = Integers(data, 8 * count)
    assert c.one() == count
    columns = [c.take(count) for _ in range(9)]  # height, width, format, preset, packet's place, seed's, 4 * crf
    assert c.at == len(data)
    return list(zip(columns[4], columns[5], hashes, columns[6], columns[7], strict=True))


# ── Base layer ───────────────────────────────────────────────────────────────────────────────────────────────────────


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


def decode(packets, planes, height, width):
    """RGB frames of packets of which the first is a sync packet with its sequence header."""
    decoder = av.CodecContext.create("libdav1d", "r")
    decoder.options = {"max_frame_delay": "1"}
    for packet in packets:
        (picture,) = decoder.decode(av.Packet(temporal_unit(packet)))
        assert (picture.height, picture.width) == tuple(max(s + s % 2, SMALLEST_SIDE) for s in (height, width))
        assert picture.format.name == PIXEL_FORMATS[planes["depth"]]
        yield to_rgb(picture, planes)[:height, :width]


def to_rgb(picture, planes):
    """swscale, exactly; what it reads wrongly, full range of 10 bits, is made limited first."""
    matrix, is_full = MATRICES[planes["matrix"]], planes["full_range"]
    if is_full and planes["depth"] == 10:
        picture, is_full = (
            convert(picture, picture.format.name, matrix, ColorRange.JPEG, matrix, ColorRange.MPEG),
            False,
        )
    source = ColorRange.JPEG if is_full else ColorRange.MPEG
    return convert(picture, "rgb24", matrix, source, Colorspace.DEFAULT, ColorRange.JPEG).to_ndarray()


def convert(picture, pixel_format, matrix, source_range, new_matrix, new_range):
    flags = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
    flags |= Interpolation.FULL_CHR_H_INP | Interpolation.BITEXACT
    return VideoReformatter().reformat(
        picture,
        format=pixel_format,
        src_colorspace=matrix,
        dst_colorspace=new_matrix,
        src_color_range=source_range,
        dst_color_range=new_range,
        interpolation=flags,
    )


def resized(frames, height, width):
    """Antialiased bicubic interpolation, rounded after each axis: uint8 [N, h, w, 3] -> uint8 [N, height, width, 3]."""
    wide = np.clip(np.rint(np.einsum("nhwc,xw->nhxc", frames, resizing(frames.shape[2], width))), 0, 255)
    made = np.clip(np.rint(np.einsum("nhxc,yh->nyxc", wide, resizing(frames.shape[1], height))), 0, 255)
    return made.astype(np.uint8)


def resizing(size, new):
    """The weights of `size` samples in each of `new` ones: [new, size]."""
    if size == new:
        return np.eye(size)
    scale = max(1.0, size / new)  # shrinking widens the kernel
    centres = (np.arange(new)[:, None] + 0.5) * size / new
    x = np.abs(np.arange(size) + 0.5 - centres) / scale
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2  # Keys' kernel, a = -1/2
    weights = np.where(x < 1, near, np.where(x < 2, far, 0))
    return weights / weights.sum(1, keepdims=True)


def neighbours(frame, distance, frames):
    """Ordinals of the coded frames around a frame, and how far it lies from the first to the second, in [0, 1]."""
    start = frame // distance
    begin, end = start * distance, min((start + 1) * distance, frames - 1)
    if frame == begin:
        return start, start, np.float32(0)
    return start, start + 1, np.float32((frame - begin) / (end - begin))


# ── Network layer: weights ───────────────────────────────────────────────────────────────────────────────────────────

ROOTS = [2**31]  # of 2^-(1/2), 2^-(1/4), ... in units of 2^-32
while len(ROOTS) < 17:
    ROOTS.append(isqrt(ROOTS[-1] << 32))


def exp2neg(x):
    """2^(-x / 65536) in units of 2^-32."""
    y = 2**32
    for i in range(1, 17):
        if x >> (16 - i) & 1:
            y = y * ROOTS[i] >> 32
    return y >> min(x >> 16, 40)


def frequencies(alphabet, centre, spread):
    """How often each symbol of a Gaussian stands among 2^24, and the sums before each."""
    scale = exp2neg(65536 * spread // 3)
    products = [(k - centre) ** 2 * scale for k in range(alphabet)]
    weights = [exp2neg(p >> 12) if p < 41 << 28 else 0 for p in products]
    total = sum(weights)
    f = [1 + w * (2**24 - alphabet) // total for w in weights]
    f[weights.index(max(weights))] += 2**24 - sum(f)
    return f, np.cumsum([0, *f])


class Payload:
    """Asymmetric numeral systems: symbols out of a state that takes words from the end."""

    def __init__(self, data):
        self.words = [u(data, at, 4) for at in range(0, len(data), 4)]  # the last one may lack zeros
        self.state = self.words.pop() if self.words else 65535
        if self.words:
            self.state = self.state << 32 | self.words.pop()

    def take(self, count, alphabet, centre, spread):
        f, before = frequencies(alphabet, centre, spread)
        symbols = []
        for _ in range(count):
            x = self.state % 2**24
            k = int(np.searchsorted(before, x, "right")) - 1
            self.state = (self.state >> 24) * f[k] + x - int(before[k])
            if self.state < 2**32 and self.words:
                self.state = self.state << 32 | self.words.pop()
            symbols.append(k)
        return symbols


def scales(symbols, shapes):
    """The 16-bit codes of a stream of scales: each channel is predicted by those before."""
    codes, before = [], []  # of each tensor
    for shape in shapes:
        many = len(shape) >= 2
        of_tensor = []
        for channel in range(shape[1] if many else 1):
            alike = [c for c, was_many in before if was_many == many and c]
            known = of_tensor or (alike[-1] if alike else [0])
            of_tensor.append((symbols[sum(map(len, codes)) + channel] + sum(known) // len(known) - 32768) % 2**16)
        codes.append(of_tensor)
        before.append((of_tensor, many))
    return codes


def float16(bits):
    return np.array(bits, np.uint16).view(np.float16).astype(np.float32)


def unpack_weights(data, shapes):
    """Name -> float32 array, for tensors of these names and shapes."""
    assert data[0] >> 4 == 2, "another layout of weights"
    bits, text = data[0] & 15, "".join(f"{name}:{'x'.join(map(str, shape))}\n" for name, shape in shapes.items())
    assert u(data, 1, 4) == zlib.crc32(text.encode()), "the weights are another network's"
    count = sum(shape[1] if len(shape) >= 2 else 1 for shape in shapes.values())
    payload = Payload(data[7 + len(shapes) :])
    steps = scales(payload.take(count, 65536, 32768, data[5]), shapes.values())
    offsets = scales(payload.take(count, 65536, 32768, data[6]), shapes.values())
    weights = {}
    for place, (name, shape) in enumerate(shapes.items()):
        channels = []
        for u_code, o_code in zip(steps[place], offsets[place], strict=True):
            step, minimum = float16(u_code), float16((o_code + u_code) % 2**16 ^ 0x8000)
            size = prod(shape) // len(steps[place])
            symbols = np.zeros(size)
            if step:
                centre = int(np.clip(np.rint(-np.float64(minimum) / np.float64(step)), 0, 2**bits - 1))
                symbols = np.array(payload.take(size, 2**bits, centre, data[7 + place]))
            channels.append(minimum + symbols.astype(np.float32) * step)
        if len(shape) >= 2:
            split = np.stack(channels).reshape(shape[1], shape[0], *shape[2:])
            weights[name] = np.ascontiguousarray(np.moveaxis(split, 0, 1))
        else:
            weights[name] = channels[0].reshape(shape)
    assert (payload.state, payload.words) == (65535, []), "the weights are damaged"
    return weights


# ── Archive ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class PlainArchive:
    """An archive, read whole into memory."""

    def __init__(self, path):
        self.data = Path(path).read_bytes()
        start, table_length, end = header(self.data)
        assert 68 <= start <= end - table_length <= end <= len(self.data), "the file is cut"
        self.sections = section_table(self.data, end - table_length, table_length)
        self.config = json.loads(inflate(self.sections["CONF"]))
        count = self.config["references"]
        self.references = references(self.sections["REFS"], count) if count else []
        self.videos = {}
        for offset, length, crc32, rows, frames, pixels, packet_bytes in directory(self.sections["INDX"]):
            data = self.data[offset : offset + length]
            assert zlib.crc32(data) == crc32, "a block of the index is damaged"
            videos = block(inflate(data), rows)
            assert sum(video["frames"] for video in videos) == frames
            assert sum(video["frames"] * video["coded_height"] * video["coded_width"] for video in videos) == pixels
            assert sum(sum(video["packets"]) for video in videos) == packet_bytes
            self.videos.update((video["name"], video) for video in videos)

    @property
    def names(self):
        """Names of the videos, sorted by their bytes."""
        return list(self.videos)

    def coded_frames(self, name):
        """The frames that are in the file: 0, k, 2k, ... and the last, RGB."""
        video = self.videos[name]
        form = self.config["formats"][video["format"]]
        assert form["bitstream"] == "av1"
        sequence_header, at, frames = bytes.fromhex(form["header"]), video["offset"], []
        for group, reference in enumerate(video["references"]):
            first = group * video["group_length"]
            packets = []
            for length in video["packets"][first : first + video["group_length"]]:
                packets.append(self.data[at : at + length])
                at += length
            assert zlib.crc32(b"".join(packets)) & 0xFFFF == video["checksums"][group], f"{name}: a group is damaged"
            if reference >= 0:
                packets.insert(0, self.reference(reference))
            packets[0] = sequence_header + packets[0]
            decoded = list(decode(packets, form["planes"], video["coded_height"], video["coded_width"]))
            frames += decoded[1:] if reference >= 0 else decoded
        return frames

    def reference(self, place):
        """A reference's packet."""
        offset, length, digest, *_ = self.references[place]
        packet = self.data[offset : offset + length]
        assert blake2b(packet, digest_size=8).digest() == digest, "a reference is damaged"
        return packet

    def frames(self, name):
        """All frames by the base layer; those that are not in the file are blends of the two around them."""
        video, coded, frames = self.videos[name], self.coded_frames(name), []
        for frame in range(video["frames"]):
            start, end, share = neighbours(frame, video["distance"], video["frames"])
            blend = (1 - share) * coded[start] + share * coded[end].astype(np.float32)
            frames.append(np.rint(blend).astype(np.uint8))
        return np.stack(frames)

    def shown(self, name):
        """Frames at the size that the video had."""
        return resized(self.frames(name), self.videos[name]["height"], self.videos[name]["width"])

    def weights(self, shapes):
        """The network's weights, for tensors of these names and shapes."""
        return unpack_weights(self.sections["NETW"], shapes)


if __name__ == "__main__":
    archive = PlainArchive(sys.argv[1])
    for name in archive.names:
        print(name, archive.videos[name]["frames"])

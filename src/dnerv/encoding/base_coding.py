"""One video coded as a base layer: groups that decode by themselves, from their own intra frame or from a reference.

    frames ── every k-th ── groups ── SVT-AV1 ── packets (sequence header left out), checksums, errors of all frames

What a way of coding costs is measured on what comes back: the packets are decoded, frames in between are blended, and
the squared error is taken over all frames, once somebody asks for it. One frame is in memory at a time, beside what the
encoder looks ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from math import log, log10
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from dnerv.archive.references import digest_of
from dnerv.codecs import Frame, SvtAv1, blended, decode_packets, squared_error
from dnerv.codecs.obu import split_sequence_header
from dnerv.errors import DnervError
from dnerv.video import FrameStore, Timeline

WHOLE = 65_536  # coded frames of a group: all of a video
Frames = Sequence[Frame] | NDArray[np.uint8] | FrameStore
_WORST, _WEIGHT_OF_WORST = 0.05, 0.3  # this share of the frames counts once more, with this weight
_LEVELS = {8: 3, 16: 4}  # by access, of the hierarchy in groups behind a reference: not deeper than they are long
_CHANGED_HEADER = "SVT-AV1 changed its sequence header within a video: another version may not"
_PACKET_BYTES = 1.2  # that the index takes for each packet


@dataclass(frozen=True)
class BasePlan:
    """How a video is coded."""

    crf: float
    preset: int  # SVT-AV1's effort
    distance: int  # k, frames from one coded frame to the next
    access: int  # coded frames at most that any frame takes, beside a reference; WHOLE: no bound
    low_delay: bool  # how groups behind a reference are coded: each frame from those before, or in a hierarchy
    threads: int = 1  # of the encoder; the bytes do not depend on them

    @property
    def group_length(self) -> int:
        """Coded frames of a group. A blend takes the next group's first frame, too."""
        return self.access if self.distance == 1 or self.access >= WHOLE else max(1, self.access - 1)


@dataclass(frozen=True)
class CodedReference:
    """A reference picture as one encoder setting codes it."""

    packet: bytes  # without its sequence header
    header: bytes
    size: tuple[int, int]  # height, width of the picture in pixels
    plan: BasePlan
    draw: Callable[[], Frame]  # gives the picture that it is made from, uint8 [H, W, 3]: none is kept in memory
    made_of: tuple[str, int] | None = None  # name of a video of the corpus, and the frame
    seed: bytes = b""  # a packet, without its sequence header, whose decoded frame that picture is; empty: none is

    @cached_property
    def digest(self) -> bytes:
        """Its name in an archive."""
        return digest_of(self.packet)


@dataclass(frozen=True)
class CodedBase:
    """A video's base layer, and what it is worth."""

    plan: BasePlan
    header: bytes  # the sequence header of its packets
    packets: tuple[bytes, ...]
    references: tuple[bytes | None, ...]  # of each group: the digest of what it starts from, None for an intra frame
    measure: Callable[[], NDArray[np.float64]] = field(compare=False)  # gives `errors`

    @cached_property
    def errors(self) -> NDArray[np.float64]:
        """Mean squared error of every frame, decoded when it is first asked for."""
        return self.measure()

    @property
    def size(self) -> int:
        """Bytes of the packets."""
        return sum(map(len, self.packets))

    @property
    def groups(self) -> list[tuple[bytes, ...]]:
        """Packets of each group."""
        return [self.packets[part.start : part.stop] for part in group_ranges(len(self.packets), self.plan)]

    @property
    def checksums(self) -> tuple[int, ...]:
        """Of each group."""
        return tuple(crc32(b"".join(group)) & 0xFFFF for group in self.groups)

    @property
    def distortion(self) -> float:
        """Mean squared error over all frames, the worst twentieth counted once more with three tenths of the weight."""
        worst = np.sort(self.errors)[-max(1, round(_WORST * len(self.errors))) :]
        return float((self.errors.mean() + _WEIGHT_OF_WORST * worst.mean()) / (1 + _WEIGHT_OF_WORST))

    @property
    def cost(self) -> float:
        """Bytes of the packets, and what the index takes for them."""
        return self.size + _PACKET_BYTES * len(self.packets)

    def worth(self, exchange: Exchange) -> float:
        """Its quality, less what its bytes would bring elsewhere in the corpus, in dB."""
        return quality(self.distortion) - exchange.brought(self.cost / len(self.errors))


@dataclass(frozen=True)
class Exchange:
    """What bytes bring elsewhere in a corpus: the slope of its quality over its bytes.

    A byte has one price, whatever the size of the frame that it goes to, and every frame has one vote.
    """

    decade: float  # dB that ten times the bytes bring
    frame_bytes: float  # that the corpus spends on a frame, the mean of all

    def brought(self, frame_bytes: float) -> float:
        """What so many bytes a frame bring elsewhere, in dB."""
        return self.decade / log(10) * frame_bytes / self.frame_bytes

    def bought(self, decibels: float) -> float:
        """Bytes a frame that bring so many dB."""
        return decibels / self.brought(1.0)


def quality(distortion: float) -> float:
    """PSNR in dB of a mean squared error in [0, 255]^2; 100 dB where there is none."""
    return 10 * log10(255**2 / max(distortion, 6.5e-6))


def group_ranges(num_coded: int, plan: BasePlan) -> list[range]:
    """Places of each group's coded frames among a video's."""
    length = plan.group_length
    return [range(start, min(start + length, num_coded)) for start in range(0, num_coded, length)]


def timeline_of(num_frames: int, plan: BasePlan) -> Timeline:
    """Which frames are coded."""
    return Timeline(num_frames, 1, plan.distance)


def code_reference(draw: Callable[[], Frame], plan: BasePlan) -> CodedReference:
    """The reference that an encoder makes of the picture that `draw` gives."""
    picture = draw()
    height, width = picture.shape[:2]
    # Two frames: a sequence of one would be coded as a still picture.
    first = _shared(plan).keyframes([picture, picture], plan.crf)[0].data
    header, packet = split_sequence_header(first)
    return CodedReference(packet, header, (height, width), plan, draw)


def code_base(frames: Frames, plan: BasePlan, references: Sequence[CodedReference | None] = ()) -> CodedBase:
    """Code a video, uint8 [H, W, 3] RGB each.

    Args:
        references: what each group should start from; by default every group has an intra frame of its own. A group
            where the encoder does not make the reference's very bytes again has one, too; and so do all of a video
            whose groups could not have one sequence header otherwise.
    """
    chosen = timeline_of(len(frames), plan).keyframe_positions.tolist()
    groups = group_ranges(len(chosen), plan)
    wanted = list(references) or [None] * len(groups)
    packets: list[bytes] = []
    header, used = b"", list[bytes | None]()
    for reference, run in groupby(zip(wanted, groups, strict=True), key=lambda pair: pair[0]):
        for part in _joined([group for _, group in run], is_one=reference is None):
            coded = None
            if reference is not None:
                coded = _behind(reference, (frames[chosen[place]] for place in part), plan)
            if coded is None:
                coded = _alone(plan, (frames[chosen[place]] for place in part))
                uses = [None] * len(group_ranges(len(part), plan))
            else:
                assert reference is not None
                uses = [reference.digest]
            if header not in (b"", coded[0]):
                return code_base(frames, plan)  # groups of one frame have a header of their own: all are, or none is
            header = coded[0]
            packets += coded[1]
            used += uses
    return measurable(plan, header, packets, used, frames, wanted)


def measurable(
    plan: BasePlan,
    header: bytes,
    packets: Sequence[bytes],
    used: Sequence[bytes | None],
    frames: Frames,
    references: Sequence[CodedReference | None],
) -> CodedBase:
    """A coding of `frames` whose errors are those of the frames decoded from its packets."""
    by_digest = {reference.digest: reference for reference in references if reference is not None}

    def measure() -> NDArray[np.float64]:
        shown = shown_frames(made, frames[0].shape[:2], len(frames), by_digest)
        return np.array([squared_error(frame, frames[place]) / frame.size for place, frame in enumerate(shown)])

    made = CodedBase(plan, header, tuple(packets), tuple(used), measure)
    return made


def shown_frames(
    coded: CodedBase, size: tuple[int, ...], num_frames: int, references: Mapping[bytes, CodedReference]
) -> Iterator[Frame]:
    """All frames of a video as its base layer gives them, uint8 [H, W, 3]."""
    return blended(coded_frames(coded, size, references), timeline_of(num_frames, coded.plan))


def coded_frames(
    coded: CodedBase, size: tuple[int, ...], references: Mapping[bytes, CodedReference]
) -> Iterator[Frame]:
    """The coded frames alone, uint8 [H, W, 3]."""
    height, width = size
    for group, digest in zip(coded.groups, coded.references, strict=True):
        first = group[0] if digest is None else references[digest].packet
        packets = [coded.header + first, *(group[1:] if digest is None else group)]
        decoded = decode_packets(packets, height=height, width=width)
        if digest is not None:
            next(decoded)
        yield from decoded


def _behind(reference: CodedReference, pictures: Iterator[Frame], plan: BasePlan) -> tuple[bytes, list[bytes]] | None:
    """Sequence header and packets of a group behind a reference; None where its packet comes out different."""
    sent = (picture for part in ([reference.draw()], pictures) for picture in part)
    coded = [packet.data for packet in _shared(plan).keyframes(sent, plan.crf)]
    return (reference.header, coded[1:]) if coded[0] == reference.header + reference.packet else None


def _alone(plan: BasePlan, pictures: Iterator[Frame]) -> tuple[bytes, list[bytes]]:
    """Sequence header of groups that start with their own intra frames, and their packets without it."""
    codec = SvtAv1(preset=plan.preset, group=plan.group_length, threads=plan.threads)
    header, rest = b"", list[bytes]()
    for place, packet in enumerate(codec.keyframes(pictures, plan.crf)):
        data = packet.data
        if place % plan.group_length == 0:
            found, data = split_sequence_header(data)
            header = header or found
            if found != header:
                raise DnervError(_CHANGED_HEADER)
        rest.append(data)
    return header, rest


def _joined(groups: Sequence[range], *, is_one: bool) -> list[range]:
    """Neighbouring groups as one sequence, where the encoder restarts them by itself."""
    return [range(groups[0].start, groups[-1].stop)] if is_one else list(groups)


def _shared(plan: BasePlan) -> SvtAv1:
    return SvtAv1(
        preset=plan.preset,
        group=WHOLE + 1,
        shares_first=True,
        low_delay=plan.low_delay,
        levels=None if plan.low_delay else _LEVELS.get(plan.access),
        threads=plan.threads,
    )

"""One video coded as a base layer: groups that decode by themselves, from their own intra frame or from a reference.

    frames ── every k-th ── groups ── SVT-AV1 ── packets (sequence header left out), checksums, errors of all frames

What a choice costs is measured on what comes back: the packets are decoded, frames in between are blended, and the squared
error is taken over all frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from dnerv.codecs import SvtAv1, blended, decode_packets
from dnerv.codecs.obu import split_sequence_header
from dnerv.video import Timeline

Frame = NDArray[np.uint8]
_WORST = 0.05  # of the frames, counted beside the mean
_WEIGHT_OF_WORST = 0.1


@dataclass(frozen=True)
class BasePlan:
    """How a video is coded."""

    crf: float
    preset: int
    distance: int  # k
    group_length: int  # coded frames


@dataclass(frozen=True)
class CodedReference:
    """A reference picture as one encoder setting codes it."""

    picture: Frame  # that it was made from: the decoded seed
    seed: bytes
    packet: bytes  # without its sequence header
    header: bytes


@dataclass(frozen=True)
class CodedBase:
    """A video's base layer, and what it is worth."""

    plan: BasePlan
    header: bytes  # the sequence header of its packets
    packets: tuple[bytes, ...]
    uses_reference: tuple[bool, ...]  # of each group
    errors: NDArray[np.float64]  # mean squared error of every frame

    @property
    def size(self) -> int:
        """Bytes of the packets."""
        return sum(map(len, self.packets))

    @property
    def checksums(self) -> tuple[int, ...]:
        """Of each group."""
        length = self.plan.group_length
        groups = [self.packets[i : i + length] for i in range(0, len(self.packets), length)]
        return tuple(crc32(b"".join(group)) & 0xFFFF for group in groups)

    @property
    def distortion(self) -> float:
        """Mean squared error over all frames, the worst twentieth counted once more with a tenth of the weight."""
        worst = np.sort(self.errors)[-max(1, round(_WORST * len(self.errors))) :]
        return float((self.errors.mean() + _WEIGHT_OF_WORST * worst.mean()) / (1 + _WEIGHT_OF_WORST))


def code_reference(picture: Frame, plan: BasePlan, seed_crf: float) -> CodedReference:
    """The reference that an encoder makes of `picture`: its seed, and the packet made of the decoded seed."""
    seed = SvtAv1(mode="stills", preset=plan.preset, threads=1).keyframes([picture], seed_crf)[0].data
    source = next(decode_packets([seed], height=picture.shape[0], width=picture.shape[1]))
    first = _shared(plan).keyframes([source, source], plan.crf)[0].data
    header, packet = split_sequence_header(first)
    return CodedReference(source, seed, packet, header)


def code_base(frames: Sequence[Frame] | NDArray[np.uint8], plan: BasePlan, reference: CodedReference | None) -> CodedBase:
    """Code a video, uint8 [N, H, W, 3].

    With a reference each group starts from it, where the encoder makes its very bytes again; a group where it does not
    starts with an intra frame of its own.
    """
    timeline = Timeline(len(frames), 1, plan.distance)
    chosen = [frames[i] for i in timeline.keyframe_positions.tolist()]
    height, width = chosen[0].shape[:2]
    packets: list[bytes] = []
    decoded: list[Frame] = []
    uses: list[bool] = []
    header = b"" if reference is None else reference.header
    if reference is None:
        coded = [p.data for p in _alone(plan).keyframes(chosen, plan.crf)]
        decoded += decode_packets(coded, height=height, width=width)
        for place, data in enumerate(coded):
            if place % plan.group_length == 0:
                found, data = split_sequence_header(data)
                header = header or found
                if found != header:
                    raise AssertionError("SVT-AV1 changed its sequence header within a video")
            packets.append(data)
        uses = [False] * -(-len(chosen) // plan.group_length)
    else:
        for start in range(0, len(chosen), plan.group_length):
            group = chosen[start : start + plan.group_length]
            coded = [p.data for p in _shared(plan).keyframes([reference.picture, *group], plan.crf)]
            uses.append(coded[0] == reference.header + reference.packet)
            if uses[-1]:
                decoded += list(decode_packets(coded, height=height, width=width))[1:]
                packets += coded[1:]
                continue
            coded = [p.data for p in _alone(plan).keyframes(group, plan.crf)]
            decoded += decode_packets(coded, height=height, width=width)
            packets += [split_sequence_header(coded[0])[1], *coded[1:]]
    made = decoded if plan.distance == 1 else blended(np.stack(decoded), timeline)
    errors = [np.square(a.astype(np.float32) - b).mean(dtype=np.float64) for a, b in zip(made, frames, strict=True)]
    return CodedBase(plan, header, tuple(packets), tuple(uses), np.array(errors))


def _alone(plan: BasePlan) -> SvtAv1:
    return SvtAv1(preset=plan.preset, group=plan.group_length, threads=1)


def _shared(plan: BasePlan) -> SvtAv1:
    return SvtAv1(preset=plan.preset, group=1 << 20, threads=1, shares_first=True)

"""What one stored picture saves many clips: groups that start from a shared reference, against plain SVT-AV1.

    python benchmarks/references.py FOLDER --tasks 2 --episodes 4 --crf 40 48 56 63

FOLDER holds a folder of clips for each scene. The reference of a scene is the middle frame of its first clip.
Each group is coded as one sequence behind it, and keeps what comes after the reference's packet; that packet
must be the same in every encoding, which is checked, and counts once a scene. Frames that are not coded are
blends. BD-rates are over the PSNR of all frames, decoded from the packets, against A (whole clips at the
encoder's own tools) and B (the same with a sync frame every 8); then bytes and PSNR at each crf.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnerv.codecs import SvtAv1, blended, decode_packets, mse, psnr
from dnerv.evaluation.bjontegaard import Curve, bd_rate
from dnerv.video import Timeline
from dnerv.video.source import VideoSource

Clip = NDArray[np.uint8]  # [N, H, W, 3] RGB


@dataclass(frozen=True)
class Told(SvtAv1):
    """SVT-AV1 with further options of its own."""

    further: dict[str, int] = field(default_factory=dict)

    def _parameters(self, crf: float) -> dict[str, float]:
        return super()._parameters(crf) | self.further


@dataclass(frozen=True)
class Arm:
    """A way to code a clip."""

    name: str
    distance: int = 1  # frames from one coded frame to the next
    group: int = 1 << 20  # coded frames
    shares: bool = True  # starts from the scene's reference
    low_delay: bool = False
    further: dict[str, int] = field(default_factory=dict)

    def code(self, clip: Clip, reference: Clip, crf: float, preset: int) -> tuple[int, bytes, list[float]]:
        """Bytes of the clip, the reference's packet (empty without one), and the PSNR of every frame."""
        timeline, (height, width) = Timeline(len(clip), 1, self.distance), clip.shape[1:3]
        coded = clip[timeline.keyframe_positions]
        codec = Told(
            preset=preset,
            group=1 << 20 if self.shares else self.group,
            shares_first=self.shares,
            low_delay=self.low_delay,
            threads=1,
            further=self.further,
        )
        size, first, frames = 0, b"", list[Clip]()
        for start in range(0, len(coded), self.group if self.shares else len(coded)):
            group = coded[start : start + self.group] if self.shares else coded
            sent = [reference, *group] if self.shares else list(group)
            packets = [packet.data for packet in codec.keyframes(sent, crf)]
            decoded = list(decode_packets(packets, height=height, width=width))
            if self.shares:
                if first not in (b"", packets[0]):
                    raise SystemExit(f"{self.name}: the reference's packet differs from group to group")
                first, packets, decoded = packets[0], packets[1:], decoded[1:]
            size += sum(map(len, packets))
            frames += decoded
        shown = frames if self.distance == 1 else blended(np.stack(frames), timeline)
        return size, first, [psnr(mse(a, b)) for a, b in zip(clip, shown, strict=True)]


ARMS = (
    Arm("A: every frame, whole clips", shares=False),
    Arm("B: every frame, a sync frame every 8", group=8, shares=False),
    Arm("every frame, groups of 8", 1, 8),
    Arm("the same, hierarchical-levels 3", 1, 8, further={"hierarchical-levels": 3}),
    Arm("the same, low delay", 1, 8, low_delay=True),
    Arm("every 2nd, whole clips", 2),
    Arm("every 2nd, groups of 7", 2, 7),
    Arm("the same, hierarchical-levels 3", 2, 7, further={"hierarchical-levels": 3}),
    Arm("the same, low delay", 2, 7, low_delay=True),
    Arm("the same, low delay, startup-qp-offset -5", 2, 7, low_delay=True, further={"startup-qp-offset": -5}),
    Arm("every 4th, groups of 7", 4, 7),
    Arm("the same, low delay", 4, 7, low_delay=True),
)


def main() -> None:
    """Read, code, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tasks", type=int, default=2)
    parser.add_argument("--episodes", type=int, default=4)
    parser.add_argument("--crf", type=float, nargs="+", default=[40, 48, 56, 63])
    parser.add_argument("--preset", type=int, default=4)
    given = parser.parse_args()
    folders = sorted(path for path in given.folder.iterdir() if path.is_dir())[: given.tasks]
    scenes = [[_clip(path) for path in sorted(folder.glob("*.mp4"))[: given.episodes]] for folder in folders]
    print(f"{len(scenes)} scenes, {sum(map(len, scenes))} clips, {sum(len(c) for s in scenes for c in s)} frames")
    curves: list[list[tuple[int, float]]] = []
    for arm in ARMS:
        curves.append([_point(arm, scenes, crf, given.preset) for crf in given.crf])
        points = "  ".join(f"{size:,} {quality:.2f}" for size, quality in curves[-1])
        deltas = "".join(_delta(anchor, curves[-1]) for anchor in curves[:2])
        print(f"{arm.name:46}{deltas:18}  {points}", flush=True)


def _clip(path: Path) -> Clip:
    return np.stack([frame for _, frame in VideoSource(path).frames()])


def _point(arm: Arm, scenes: Sequence[Sequence[Clip]], crf: float, preset: int) -> tuple[int, float]:
    """Bytes of all clips, references counted, and mean PSNR over frames, then over clips."""
    size, qualities = 0, list[float]()
    for scene in scenes:
        reference = scene[0][len(scene[0]) // 2]
        made = [arm.code(clip, reference, crf, preset) for clip in scene]
        size += sum(part[0] for part in made) + len(made[0][1])
        qualities += [float(np.mean(part[2])) for part in made]
    return size, float(np.mean(qualities))


def _delta(anchor: Sequence[tuple[int, float]], points: Sequence[tuple[int, float]]) -> str:
    rates = [Curve(*zip(*sorted(each), strict=True)) for each in (anchor, points)]
    found = bd_rate(*rates)
    return "      n/a" if found is None else f"{found.value:+8.1f}%"


if __name__ == "__main__":
    main()

"""All clips of a corpus, as training meets them: inputs, wanted frames, and which of them are real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dnerv.families import ClipInputs, ClipRequest, absolute_time, assemble, channels_first
from dnerv.video import CachedVideo, Conditioning, FrameStore, TileGrid, Timeline


@dataclass(frozen=True)
class TrainingVideo:
    """One video of the corpus, its decoded keyframes beside it."""

    video: CachedVideo
    timeline: Timeline
    keyframes: FrameStore | None  # decoded from what the archive will hold; None for a network without keyframes
    first_frame: int  # its first frame's place in the concatenation of all videos
    crf: float = 0.0  # that its keyframes are coded with


@dataclass(frozen=True)
class Batch:
    """Some clips, stacked."""

    inputs: ClipInputs
    wanted: Tensor  # uint8 [B, T, 3, H, W]
    mask: Tensor  # bool [B, T], False for frames that pad a video's last clip
    visible: Tensor | None = None  # bool [B, T, 1, H, W], False for pixels that are hidden; None: none is


class ClipSet:
    """Clips (of tiles) by index, read from disk when asked for: what stays in memory does not grow with frames."""

    def __init__(
        self, videos: Sequence[TrainingVideo], canvas: tuple[int, int], overlap: int, *, absolute_time: bool
    ) -> None:
        """`absolute_time`: time runs over the concatenation of all videos (NeRV) and not over each (D-NeRV)."""
        self.videos = videos
        self.canvas, self.overlap, self.absolute_time = canvas, overlap, absolute_time
        self.total_frames = sum(v.timeline.num_frames for v in videos)
        counts = [v.timeline.num_clips * self._grid(v).num_tiles for v in videos]
        self._ends = np.cumsum(counts)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def batch(self, indices: Sequence[int], *, is_thinned: bool = False) -> Batch:
        """Clips at `indices`. `is_thinned`: every second keyframe is not there, but for each video's last."""
        requests, wanted, masks = zip(*(self._clip(int(i), is_thinned) for i in indices), strict=True)
        visible = None
        if any(video.video.mask is not None for video in self.videos):
            visible = torch.stack([self._visible(int(i)) for i in indices])
        return Batch(assemble(requests), torch.stack(wanted), torch.stack(masks), visible)

    def num_real_frames(self, indices: Sequence[int]) -> int:
        """Frames of the clips at `indices` that are not padding, those of each tile counted."""
        total = 0
        for index in indices:
            video, clip, _ = self._locate(int(index))
            total += len(video.timeline.clip(clip))
        return total

    def _locate(self, index: int) -> tuple[TrainingVideo, int, int]:
        """Video, clip and tile."""
        which = int(np.searchsorted(self._ends, index, side="right"))
        video = self.videos[which]
        clip, tile = divmod(index - (int(self._ends[which - 1]) if which else 0), self._grid(video).num_tiles)
        return video, clip, tile

    def _grid(self, video: TrainingVideo) -> TileGrid:
        return TileGrid(video.video.height, video.video.width, *self.canvas, self.overlap)

    def _clip(self, index: int, is_thinned: bool) -> tuple[ClipRequest, Tensor, Tensor]:
        video, clip, tile = self._locate(index)
        frames, real = video.timeline.padded_clip(clip)
        layout = thinned_conditioning if is_thinned and video.keyframes is not None else Timeline.clip_conditioning
        conditioning = layout(video.timeline, clip)
        request = ClipRequest(
            self._in_time(video, conditioning, frames),
            int(conditioning.start.min()),
            self._keyframes(video, conditioning, tile),
            (0.0, 0) if video.keyframes is None else (video.crf, (1 + is_thinned) * video.timeline.keyframe_every),
        )
        wanted = self._grid(video).cut_one(channels_first(video.video.store.read(frames)), tile)
        return request, wanted, torch.from_numpy(real)

    def _visible(self, index: int) -> Tensor:
        """bool [T, 1, H, W]."""
        video, clip, tile = self._locate(index)
        if video.video.mask is None:
            return torch.ones(video.timeline.clip_length, 1, *self.canvas, dtype=torch.bool)
        frames, _ = video.timeline.padded_clip(clip)
        hidden = channels_first(video.video.mask.read(frames))[:, :1]
        return self._grid(video).cut_one(hidden, tile) == 0

    def _in_time(self, video: TrainingVideo, relative: Conditioning, frames: np.ndarray) -> Conditioning:
        if not self.absolute_time:
            return relative
        return relative._replace(time=absolute_time(frames + video.first_frame, self.total_frames))

    def _keyframes(self, video: TrainingVideo, conditioning: Conditioning, tile: int) -> Tensor:
        if video.keyframes is None:
            return torch.empty(0, 3, *self.canvas, dtype=torch.uint8)
        first, last = int(conditioning.start.min()), int(conditioning.end.max())
        return self._grid(video).cut_one(channels_first(video.keyframes.read(range(first, last + 1))), tile)


def thinned_conditioning(timeline: Timeline, clip: int) -> Conditioning:
    """Conditioning of a clip as if the keyframes were twice as far apart; their ordinals are the timeline's own.

    A network that is trained on it, too, has seen times between keyframes where the timeline has none.
    """
    coarse = replace(timeline, keyframe_every=2 * timeline.keyframe_every).clip_conditioning(clip)
    last = timeline.num_keyframes - 1
    return coarse._replace(start=np.minimum(2 * coarse.start, last), end=np.minimum(2 * coarse.end, last))

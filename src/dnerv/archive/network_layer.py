"""The network layer of an archive: frames of videos that a network makes, mostly out of the base layer's coded frames.

Imported when the first such frame is asked for: whoever reads base layers loads no network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from dnerv.archive.base_layer import BaseReader
from dnerv.archive.clip_maker import ClipLayout, ClipMaker, make_clip
from dnerv.archive.config import NetworkConfig
from dnerv.archive.entry import VideoEntry
from dnerv.archive.limits import CLIP_PIXELS, PASS_PIXELS, TILES, Limits, memory_errors_named
from dnerv.archive.sharing import Guarded, Once, Recent
from dnerv.bitstream import describe_weights, unpack_weights
from dnerv.engine import Decoder, Features
from dnerv.errors import ArchiveError
from dnerv.families import Network, model_from_weights, tensor_shapes
from dnerv.video import TileGrid, Timeline

if TYPE_CHECKING:
    from dnerv.archive.archive import Archive

_KEPT_CLIPS = 4  # decoded clips that a source holds, so that walking a video frame by frame decodes each clip once


class ArchiveNetwork:
    """An archive's network. Threads may share it: it is read once, when it is first asked for."""

    def __init__(self, archive: Archive, config: NetworkConfig, limits: Limits) -> None:
        """Raises ArchiveError where the network asks for more than such a file may."""
        self.config, self._archive, self._limits = config, archive, limits
        self._model: Once[Network] = Once()
        self._decoder: Once[Decoder] = Once()
        model = config.model
        limits.check(PASS_PIXELS, model.clip_length * model.canvas[0] * model.canvas[1])

    @property
    def model(self) -> Network:
        """The network with the archive's weights, on the CPU. Raises ArchiveError where they are damaged."""
        return self._model.get(self._read_model)

    @property
    def decoder(self) -> Decoder:
        """The network, ready to decode on the archive's device in its precision. Raises ArchiveError."""
        return self._decoder.get(self._open_decoder)

    @property
    def maker(self) -> ClipMaker:
        """Clips out of the decoder."""
        return ClipMaker(self.decoder)

    def layout(self, entry: VideoEntry) -> ClipLayout:
        """How a video's clips are asked of the network. Raises ArchiveError where the video does not fit it."""
        with self._archive.errors_name_it():
            return self._layout(entry)

    def _layout(self, entry: VideoEntry) -> ClipLayout:
        model = self.config.model
        if entry.network_frame is None:
            raise ArchiveError(f"video {entry.name!r} does not use the network")
        if model.uses_keyframes and not entry.distance:
            raise ArchiveError(f"video {entry.name!r} has no coded frames, and the network makes frames out of them")
        if model.uses_keyframes and model.keyframe_every not in (0, entry.distance):
            raise ArchiveError(
                f"video {entry.name!r} has a coded frame every {entry.distance}, and the network one every "
                f"{model.keyframe_every}"
            )
        if model.absolute_time and entry.network_frame + entry.timing.num_frames > self.config.num_frames:
            raise ArchiveError(f"video {entry.name!r} lies beyond the {self.config.num_frames} frames of the network")
        grid = TileGrid(*entry.coded_size, *model.canvas, self.config.overlap)
        tiles = grid.num_tiles
        self._limits.check(TILES, tiles)
        self._limits.check(CLIP_PIXELS, model.clip_length * tiles * model.canvas[0] * model.canvas[1])
        timeline = Timeline(entry.timing.num_frames, model.clip_length, model.keyframe_every or entry.distance)
        absolute = (entry.network_frame, self.config.num_frames) if model.absolute_time else None
        return ClipLayout(timeline, grid, absolute, entry.crf)

    def weight_bytes(self) -> dict[str, int]:
        """Bytes of the parts of the weights. Raises ArchiveError where they are damaged."""
        shapes = tensor_shapes(self.config.model)
        if not shapes:
            return {}
        with self._archive.errors_name_it():
            return describe_weights(self._archive.container.read("NETW"), shapes, allowance=self._limits.allowance)

    def _read_model(self) -> Network:
        config = self.config.model
        with self._archive.errors_name_it(), memory_errors_named("the network"):
            shapes, weights = tensor_shapes(config), {}
            if shapes:
                packed = self._archive.container.read("NETW")
                weights = unpack_weights(packed, shapes, allowance=self._limits.allowance)
            model = model_from_weights(config, {name: torch.from_numpy(w) for name, w in weights.items()})
            return self._completed(model).eval()

    def _completed(self, model: Network) -> Network:
        if not model.prior:
            return model
        from dnerv.archive.priors import prior_by_hash

        named = prior_by_hash(model.prior, self._archive.container.name).weights
        return model.completed({name: torch.from_numpy(w.astype(np.float32)) for name, w in named.items()})

    def _open_decoder(self) -> Decoder:
        with memory_errors_named("the network"):
            return Decoder(self.model, self._archive.device, self._archive.precision)


@dataclass
class _Reading:
    """Where a video's source is."""

    base: BaseReader | None = None  # opened on use
    features: dict[int, Features] = field(default_factory=dict)  # of the keyframes of the last clip
    clips: Recent[int, Tensor] = field(default_factory=partial(Recent, _KEPT_CLIPS))


class NetworkSource:
    """Frames of one video out of the network. Threads may share it: they take turns."""

    def __init__(self, archive: Archive, entry: VideoEntry) -> None:
        self._archive, self._entry = archive, entry
        self._reading = Guarded(_Reading)

    def __reduce__(self) -> tuple[Any, ...]:
        return NetworkSource, (self._archive, self._entry)  # open decoders stay behind

    def frames(self, indices: Sequence[int]) -> Iterator[Tensor]:
        """See `FrameSource.frames`. Each clip is decoded once."""
        length = self._archive.network.config.model.clip_length
        for index in indices:
            yield self._clip(index // length)[index % length]

    def interpolated(self, factor: int) -> Iterator[Tensor]:
        """See `FrameSource.interpolated`."""
        last, length = self._entry.timing.num_frames - 1, self._archive.network.config.model.clip_length
        for clip in range(last // length + 1):
            # Phase by phase, each a whole clip: neighbours stay one frame apart, as in training.
            phases = [self._clip(clip), *(self._phase(clip, step / factor) for step in range(1, factor))]
            for place in range(len(phases[0])):
                is_last = clip * length + place == last
                yield from (frames[place] for frames in phases[: 1 if is_last else factor])

    def _clip(self, clip: int) -> Tensor:
        with self._archive.errors_name_it(), self._reading as reading:
            return reading.clips.get(clip, partial(self._make, reading))

    def _phase(self, clip: int, phase: float) -> Tensor:
        with self._archive.errors_name_it(), self._reading as reading:
            return self._make(reading, clip, phase)

    def _make(self, reading: _Reading, clip: int, phase: float = 0.0) -> Tensor:
        network, base = self._archive.network, None
        layout = network.layout(self._entry)
        with memory_errors_named("a clip of the archive"):
            if network.config.model.uses_keyframes:
                base = reading.base = reading.base or self._archive.base.reader(self._entry)
            return make_clip(network.maker, layout, clip, base, reading.features, phase)

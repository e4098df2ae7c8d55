"""The network layer: trained on the base layer's coded frames, and kept where it earns its bytes.

    base layer alone, as many bytes as asked ─────────────────────────────────┐
    base layer of fewer bytes ── training ── videos that it makes better, on ─┴ the better of the two

Both are compared on frames that are decoded from their files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import log10
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dnerv import progress
from dnerv.archive.config import NetworkConfig
from dnerv.archive.writing import NetworkLayer, new_archive
from dnerv.bitstream import pack_weights
from dnerv.encoding.base_stage import BaseSettings, BaseStage, CodedCorpus
from dnerv.encoding.dial import Corpus, Design, turn_dial
from dnerv.encoding.gains import network_gains
from dnerv.encoding.options import EncodeOptions
from dnerv.encoding.packing import NetworkFrame, pack_base, pack_network_alone, record_of, write_base
from dnerv.encoding.probe import KeyframeProbe
from dnerv.encoding.reference_choice import Summary
from dnerv.encoding.statistics import colour_statistics
from dnerv.encoding.training_stage import TrainingTask, clip_set, decoded_bases, overlap, train, training_config
from dnerv.encoding.workspace import Workspace
from dnerv.errors import DnervError
from dnerv.evaluation import ArchiveQuality
from dnerv.families import ModelConfig, config_to_json, count_parameters, family_of
from dnerv.training import ProcessGroup
from dnerv.video import CachedVideo

BaseLayers = tuple[BaseSettings, Sequence[Summary]]  # how they are coded, and what they may share
GROUP = 64  # coded frames of a group where nothing else is asked for: clips are read in whole
_EXCHANGE = 10.0  # dB for ten times the bytes, where no base layer alone was measured


@dataclass(frozen=True)
class NetworkResult:
    """The network of a finished archive."""

    model: ModelConfig
    weight_bits: int
    parameters: int  # that the archive holds
    videos: int  # that it makes the frames of
    gain: float | None  # dB over the base layer alone at equal bytes; None where it was kept without comparing


class NetworkStage:
    """Writes an archive with a network, from cached videos."""

    def __init__(
        self,
        workspace: Workspace,
        options: EncodeOptions,
        videos: Sequence[CachedVideo],
        device: torch.device,
        group: ProcessGroup,
    ) -> None:
        self._workspace, self._options, self._videos = workspace, options, videos
        self._device, self._group = device, group
        starts = np.cumsum([0, *(video.timing.num_frames for video in videos)]).tolist()
        self._starts, self._num_frames = starts[:-1], starts[-1]

    def write(
        self, path: Path, base: BaseLayers | None, target: float | None
    ) -> tuple[NetworkResult, CodedCorpus | None]:
        """Write the archive that has a network at `path`.

        Args:
            base: how base layers are coded, but for their distance; None: plainly, nothing shared.
            target: bytes of the archive; None: what the options ask for.

        Videos whose base layer is closer to the original than the network are left to that, unless the network is to
        be kept whatever it is worth.
        """
        design = self._design(target)
        progress.note(_describe(design))
        settings, corpus = self._base(design, base, path)
        layer = self._train(design, corpus)
        self._pack(path, layer, settings, corpus, self._starts.__getitem__)
        used = len(self._videos)
        if not self._options.keeps_network:
            gains = network_gains(path, self._videos).by_name
            better = [gains[video.name] > 0 for video in self._videos]
            used = sum(better)
            if used < len(better):
                self._pack(path, layer, settings, corpus, lambda place: self._starts[place] if better[place] else None)
        return NetworkResult(design.model, design.weight_bits, count_parameters(design.model), used, None), corpus

    def _design(self, target: float | None) -> Design:
        def make() -> dict[str, Any]:
            progress.stage("choosing network and coded frames")
            corpus = Corpus(self._videos, *colour_statistics(self._videos), self._device.type)
            return turn_dial(corpus, self._options, KeyframeProbe(self._videos), target).to_json()

        source = {"options": self._options.to_json(), "videos": self._digests, "device": self._device.type}
        return Design.from_json(self._workspace.once("design", source | {"target": target}, make))

    @property
    def _digests(self) -> list[str]:
        return [video.digest for video in self._videos]

    def _base(
        self, design: Design, base: BaseLayers | None, path: Path
    ) -> tuple[BaseSettings | None, CodedCorpus | None]:
        if not design.model.uses_keyframes:
            return None, None
        distances = (design.model.keyframe_every,)
        settings = BaseSettings(
            preset=self._options.encoder_preset,
            access=self._options.access or GROUP,
            low_delay=False,
            distances=distances,
            exchange=_EXCHANGE,
            frame_bytes=1.0,  # there is one way to code a video: nothing is weighed
            frame_bytes_crf=design.crf,
            intra_bytes=0.0,
        )
        summaries: Sequence[Summary] = ()
        if base is not None:
            settings, summaries = base
            settings = replace(settings, distances=distances)
        stage = BaseStage(self._videos, self._workspace.coded, settings, summaries)
        if design.base_bytes is None:
            return settings, stage.code(design.crf)

        def write(corpus: CodedCorpus) -> int:
            return write_base(path, self._videos, corpus, self._options, settings)

        return settings, stage.code_to(design.base_bytes, design.crf, write)

    def _train(self, design: Design, corpus: CodedCorpus | None) -> NetworkLayer:
        bases = [] if corpus is None else decoded_bases(self._videos, corpus, self._workspace.coded)
        progress.stage("training")
        clips = clip_set(self._videos, bases, design.model)
        config = training_config(self._options, design, len(clips), self._group.world_size)
        if self._group.world_size > 1:
            progress.note(f"training in {self._group.world_size} processes, {config.batch_clips} clips a step")
        source = {
            "model": config_to_json(design.model),
            "videos": self._digests,
            "keyframes": [] if corpus is None else [list(base.checksums) for base in corpus.videos],
            "training": asdict(config),
        }
        task = TrainingTask(design.model, self._options.seed, clips, config, self._workspace.checkpoint_of(source))
        weights: Mapping[str, np.ndarray] = train(task, self._device, self._group)
        try:
            packed = pack_weights(weights, design.weight_bits)
        except ValueError as error:
            raise DnervError(f"the trained weights cannot be stored: {error}") from None
        return NetworkLayer(NetworkConfig(design.model, overlap(design.model), self._num_frames), packed)

    def _pack(
        self,
        path: Path,
        layer: NetworkLayer,
        settings: BaseSettings | None,
        corpus: CodedCorpus | None,
        network_frame: NetworkFrame,
    ) -> None:
        progress.stage("writing the archive")
        with new_archive(path, network=layer, force=True) as writer:
            if corpus is None:
                pack_network_alone(writer, self._videos, network_frame)
            else:
                pack_base(writer, self._videos, corpus, network_frame)
            writer.finish(record_of(self._options, settings, corpus))


def gain_over(base: ArchiveQuality, network: ArchiveQuality, exchange: float) -> float:
    """dB that the archive with a network is better than the one without, at equal bytes; `exchange`: for ten times."""
    return network.psnr_of_mean_mse - base.psnr_of_mean_mse - exchange * log10(network.file_bytes / base.file_bytes)


def _describe(design: Design) -> str:
    model: ModelConfig = design.model
    text = f"{count_parameters(model):,} parameters for a {model.canvas[0]}x{model.canvas[1]} canvas"
    family = family_of(model).title
    if not model.uses_keyframes:
        return f"{family} without a base layer, {text}"
    coded = "every frame" if model.keyframe_every == 1 else f"one frame in {model.keyframe_every}"
    return f"{family}, {text}; {coded} is coded, at crf {design.crf:g} or near it"

"""The network layer out of a prior: weights that were trained before, and what this corpus adds to them.

    base layers ─┬─ the prior ────────────────────────────────────────┬─ videos that it makes better
                 └─ additions trained, the cheapest first ─ their bytes ┘

Base layers stay what they are: a prior takes no bytes, so that there is nothing to take from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil, inf, log10
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from dnerv import progress
from dnerv.archive.config import NetworkConfig
from dnerv.archive.priors import given_prior
from dnerv.archive.writing import NetworkLayer
from dnerv.bitstream import pack_weights
from dnerv.bitstream.prior_file import PriorFile
from dnerv.encoding.base_stage import BaseSettings, CodedCorpus
from dnerv.encoding.gains import WORTH, fits, network_gains
from dnerv.encoding.options import EncodeOptions
from dnerv.encoding.packing import record_of, write_chosen
from dnerv.encoding.training_stage import DecodedBase, clip_set, decoded_bases
from dnerv.encoding.workspace import Workspace
from dnerv.errors import ArchiveError, InputError
from dnerv.evaluation import ArchiveQuality
from dnerv.families import config_from_json, config_to_json, count_parameters, tensor_shapes
from dnerv.families.prior import ADDITIONS, AdaptedPrior, Addition, PriorConfig
from dnerv.printable import count
from dnerv.training import Trainer, TrainingConfig
from dnerv.video import CachedVideo, choose_canvas

HALO = 32  # pixels that neighbouring tiles share: as far as a prior looks, but for motion
EMBEDDED_BITS = 8
ADDED_BITS = 5
_MULTIPLE = 4  # pixels, of the canvas
_LEARNING_RATE = 1e-3
_BATCH = 2  # clips
_CLIP_PIXELS = 1 << 23  # of a clip's frames: a prior knows no time, and large frames come in shorter clips
_SAMPLE = 16  # videos, at most, on which additions are compared
_FEW = 64  # videos that are measured all at once, where nothing is compared


def prior_config(prior: PriorFile, name: str) -> PriorConfig:
    """What a prior's file says of its network. Raises InputError where that is nothing known here."""
    try:
        model = config_from_json(dict(prior.model))
        if isinstance(model, PriorConfig) and not model.prior:
            shapes = {key: tuple(weight.shape) for key, weight in prior.weights.items()}
            if shapes == tensor_shapes(model):
                return model
    except ArchiveError as error:
        raise InputError(f"{name}: this dnerv does not know such a prior ({error})") from None
    raise InputError(f"{name}: its weights are not those of the network that it describes")


@dataclass(frozen=True)
class PriorLayer:
    """What a prior became for this corpus."""

    layer: NetworkLayer
    addition: Addition
    parameters: int  # that the archive holds
    videos: int = 0  # that it makes the frames of
    quality: ArchiveQuality | None = None  # of the archive that was written, where it was measured


class PriorStage:
    """Writes an archive whose frames a prior makes, on top of base layers that are there."""

    def __init__(
        self,
        workspace: Workspace,
        options: EncodeOptions,
        videos: Sequence[CachedVideo],
        corpus: CodedCorpus,
        settings: BaseSettings,
        device: torch.device,
    ) -> None:
        assert options.prior is not None
        self._workspace, self._options, self._device = workspace, options, device
        self._videos, self._corpus, self._settings = videos, corpus, settings
        self._prior: PriorFile = given_prior(options.prior)
        model = prior_config(self._prior, options.prior)
        canvas = choose_canvas([(v.height, v.width) for v in videos], (_MULTIPLE, _MULTIPLE), overlap=HALO)
        largest = max(video.height * video.width for video in videos)
        length = min(options.clip_length, max(1, _CLIP_PIXELS // largest))
        self._model = replace(model, canvas=canvas, clip_length=length, prior=self._prior.hash)
        self._weights = {name: torch.from_numpy(w.astype(np.float32)) for name, w in self._prior.weights.items()}
        self._bases: list[DecodedBase] | None = None

    def write(self, path: Path, base_bytes: int) -> PriorLayer | None:
        """Write the archive at `path`; None, and no file that counts, where no video is worth it.

        Args:
            base_bytes: of the archive without a network.
        """
        everything = range(len(self._videos))
        fitting = [place for place in everything if fits(self._model, self._overlap, self._videos[place])]
        if not fitting:
            return None
        sample = [fitting[int(i)] for i in np.unique(np.linspace(0, len(fitting) - 1, _SAMPLE).round())]
        additions, keeps_all = self._additions, self._options.network == "always"
        best, best_score = None, -inf
        for addition in additions:
            made = self._made(addition)
            is_free = made.layer.weights is None and len(fitting) <= _FEW
            if len(additions) == 1 and (keeps_all or is_free):  # there is nothing to find out on a sample
                best, best_score = made, inf
                break
            score = self._score(made, path, sample, base_bytes)
            if score > best_score:
                best, best_score = made, score
        assert best is not None
        if keeps_all:
            self._pack(path, best.layer, everything, fitting)
            return replace(best, videos=len(fitting))
        if best_score <= 0:
            return None
        self._pack(path, best.layer, fitting, fitting)
        found = network_gains(path, [self._videos[place] for place in fitting], self._device)
        gains = list(found.by_name.values())
        progress.note(f"{_described(best.addition)}: {fmean(gains):+.2f} dB on {count(len(gains), 'video')}")
        better = [place for place in fitting if self._keeps(found.by_name[self._videos[place].name])]
        if better == list(everything):
            return replace(best, videos=len(better), quality=found.quality)
        self._pack(path, best.layer, everything, better)
        return replace(best, videos=len(better)) if better else None

    def _score(self, made: PriorLayer, path: Path, sample: Sequence[int], base_bytes: int) -> float:
        """dB that a layer gains beyond what its bytes would, on average of a sample of the videos."""
        self._pack(path, made.layer, sample, sample)
        gains = list(network_gains(path, [self._videos[i] for i in sample], self._device).by_name.values())
        more = len(made.layer.weights or b"")
        progress.note(
            f"{_described(made.addition)}: {fmean(gains):+.2f} dB on {count(len(gains), 'video')}, {more:,} bytes"
        )
        return fmean(gain if self._keeps(gain) else 0.0 for gain in gains) - self._price(more, base_bytes)

    def _keeps(self, gain: float) -> bool:
        """Whether a video that gains so many dB has its frames made by the network."""
        return self._options.network == "always" or gain >= WORTH

    def _price(self, more: int, base_bytes: int) -> float:
        """dB that so many bytes more would bring in base layers."""
        return self._settings.exchange * log10(1 + more / base_bytes)

    @property
    def _additions(self) -> tuple[Addition, ...]:
        options = self._options
        if not (options.budget_seconds or options.epochs):
            return ("nothing",)
        return ADDITIONS

    def _made(self, addition: Addition) -> PriorLayer:
        config = replace(self._model, addition=addition)
        adapted = AdaptedPrior(config).start_from(self._weights)
        if addition != "nothing":
            self._train(adapted)
        if self._options.embed_prior:
            whole = {name: weight.detach().numpy() for name, weight in adapted.whole().items()}
            embedded = NetworkConfig(replace(config, prior="", addition="everything"), self._overlap, 1)
            return PriorLayer(
                NetworkLayer(embedded, pack_weights(whole, self.weight_bits)),
                addition,
                count_parameters(embedded.model),
            )
        added = {name: p.detach().cpu().float().numpy() for name, p in adapted.named_parameters()}
        packed = pack_weights(added, self.weight_bits) if added else None
        return PriorLayer(
            NetworkLayer(NetworkConfig(config, self._overlap, 1), packed), addition, count_parameters(config)
        )

    @property
    def weight_bits(self) -> int:
        """Of what the archive holds."""
        return self._options.weight_bits or (EMBEDDED_BITS if self._options.embed_prior else ADDED_BITS)

    @property
    def _overlap(self) -> int:
        return min(HALO, min(self._model.canvas) - 1)

    def _train(self, adapted: AdaptedPrior) -> None:
        options, kinds = self._options, len(ADDITIONS) - 1
        config = TrainingConfig(
            epochs=None if options.epochs is None else ceil(options.epochs / kinds),
            budget_seconds=None if options.budget_seconds is None else options.budget_seconds / kinds,
            batch_clips=options.batch_clips or _BATCH,
            learning_rate=options.learning_rate or _LEARNING_RATE,
            weight_bits=self.weight_bits,
            quantise_from=None if options.embed_prior else TrainingConfig.quantise_from,  # then they stand in a sum
            precision=options.precision,
            seed=options.seed,
        )
        if self._bases is None:
            self._bases = decoded_bases(self._videos, self._corpus, self._workspace.coded)
        progress.stage("training")
        source = {
            "model": config_to_json(adapted.config),
            "videos": [video.digest for video in self._videos],
            "keyframes": [list(base.checksums) for base in self._corpus.videos],
            "training": asdict(config),
        }
        clips = clip_set(self._videos, self._bases, adapted.config)
        Trainer(
            adapted, clips, config, self._workspace.checkpoint_of(source, adapted.config.addition), self._device
        ).run()
        adapted.cpu()

    def _pack(self, path: Path, layer: NetworkLayer, places: Sequence[int], better: Sequence[int]) -> None:
        """An archive of the videos at `places`; the prior makes the frames of those `better`."""
        made = record_of(self._options, self._settings, self._corpus)
        write_chosen(path, layer, self._videos, self._corpus, places, set(better), made)


def _described(addition: Addition) -> str:
    how = {"nothing": "", "channels": ", channels adapted", "ends": ", ends adapted", "everything": ", all adapted"}
    return f"the prior{how[addition]}"

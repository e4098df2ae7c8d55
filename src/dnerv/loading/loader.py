"""Whole batches of clips, decoded on the device that trains on them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from dnerv.archive import Archive, Collection, Layers, open_archives
from dnerv.archive.limits import memory_errors_named
from dnerv.archive.sharing import OpenedOnUse, turns
from dnerv.errors import InputError
from dnerv.loading.augmentation import Augmentation, Draw, Statistics, common_size
from dnerv.loading.catalogue import Catalogue, default_clip_length, describe
from dnerv.loading.decoding import decode
from dnerv.loading.epochs import Epochs
from dnerv.loading.preparation import Preparation, Prepared
from dnerv.loading.shares import chosen_share, decoding_threads
from dnerv.loading.windows import Sample, Windows

if TYPE_CHECKING:
    from dnerv.engine import Precision

Batch = tuple[Tensor, Tensor, dict[str, Any]]

_SAMPLED_VIDEOS = 64  # whose first frames stand for the colours of an archive without a network


class Loader:
    """Iterate over it for the batches of one epoch: `(clips, labels, info)`.

    - clips: `dtype` [B, T, 3, H, W], RGB in [0, 1] (uint8: [0, 255]), at the coded size, on the device.
    - labels: int64 [B], on the device; index into `class_names`, -1 for a video without a label.
    - info: `video`, B names; `index`, int64 [B], of the clips; `frames`, int64 [B, T]; `seconds`, float64 [B, T].

    Every iteration is another epoch: 0, 1, 2, ...; also after one that was broken off. The same arguments, device and
    epoch give the same batches. `state_dict` tells where the iteration is, also in the middle of an epoch, and a
    loader that is given it goes on with the very next batch.

    Ranks, and the workers of a DataLoader that it may run in, each have their share of the clips: together every clip
    exactly once. Their numbers of batches differ by at most one; with `drop_last` they are equal, as
    DistributedDataParallel needs them, and up to `world_size * batch_size - 1` clips of an epoch are left out.
    """

    def __init__(
        self,
        archive: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Archive | Collection,
        *,
        batch_size: int,
        clip_length: int | None = None,
        frame_step: int = 1,
        clips_per_video: int | None = None,
        videos: Sequence[str] | None = None,
        shuffle: bool = False,
        seed: int = 0,
        drop_last: bool = False,
        layers: Layers | None = None,
        device: str | torch.device | None = None,
        dtype: torch.dtype = torch.float32,
        precision: Precision | None = None,
        resize: int | tuple[int, int] | None = None,
        crop: int | tuple[int, int] | None = None,
        flip: bool = False,
        normalise: Statistics | Literal["archive"] | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        conversion: Literal["device", "processor"] | None = None,
        prefetch: int = 2,
        threads: int | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Open the archive and lay out its clips; nothing is decoded yet.

        Args:
            archive: a path or URL, or several as for `dnerv.open`; or an open archive or collection, whose layers,
                device and precision are then used unless others are given.
            batch_size: clips of a batch; the last one of an epoch may have fewer.
            clip_length: frames of a clip; by default the network's own clip length, or 8 where there is none.
            frame_step: frames from one frame of a clip to the next.
            clips_per_video: this many clips of every video in an epoch, anywhere if `shuffle` and else evenly spaced.
                By default those that fit one after the other; the frames that then remain are left out. A video
                shorter than a clip is one clip that repeats its last frame.
            videos: names of the videos to use (a split, for example); all by default.
            shuffle: clips in an order, and with `clips_per_video` at places, that follow from `seed` and epoch.
            drop_last: whole batches only, equally many on every rank.
            layers: as for `Archive`; for a path "all" by default.
            device: where the network runs and clips come out; for a path "cpu" by default.
            dtype: of the clips: float32, bfloat16, float16 or uint8.
            precision: of the network, as for `Archive`; for a path "auto" by default.
            resize: (height, width) in pixels, or the shorter side; bilinear, antialiased. The coded size by
                default, whatever size the videos had originally.
            crop: (height, width) in pixels, or both, after resizing; anywhere if `shuffle`, else the centre.
            flip: mirror every other clip, at random.
            normalise: (mean, std) of R, G and B in [0, 1], or "archive" for those of its videos, which stand in it
                beside a network; from the first frames of 64 of them where there is no network, or several differ.
            rank, world_size: by default torch.distributed's, or those of the environment (RANK, WORLD_SIZE), or 0, 1.
            conversion: where frames of base layers become RGB, the same to the bit: on the "device", to which samples
                then go as they are decoded, or on the "processor"; by default on the device if it is an accelerator.
            prefetch: batches whose base layers are decoded ahead; 0 decodes them when asked for.
            threads: that decode base layers; by default what the processor has, at most 16, or 16 for remote archives.
            storage_options: of fsspec's file system, where `archive` is a URL.

        Raises:
            ArchiveError: not an archive, or a damaged one; also while iterating.
            InputError: an argument is not one of the allowed, or clips of different videos would differ in size.
        """
        _check("batch_size", batch_size, 1)
        _check("seed", seed, 0)
        if conversion not in ("device", "processor", None):
            raise InputError(f"conversion is {conversion!r}; use 'device' or 'processor'")
        _check("prefetch", prefetch, 0)
        _check("threads", 1 if threads is None else threads, 1)
        self._opened = OpenedOnUse(_opened(archive, layers, device, precision, storage_options))
        self._catalogue = Catalogue(self._archive.entries, videos)
        length = default_clip_length(self._archive) if clip_length is None else clip_length
        windows = Windows(self._catalogue.lengths, length, frame_step, clips_per_video)
        share = chosen_share(rank, world_size)
        self._epochs = Epochs(windows, self._catalogue.places, share, batch_size, shuffle, seed, drop_last)
        statistics = _statistics(self._archive) if normalise == "archive" else normalise
        self._augmentation = Augmentation(resize, crop, shuffle, flip, statistics, dtype)
        self.clip_shape = (length, 3, *common_size(self._augmentation, self._catalogue.coded_sizes))
        self._prefetch, self._threads, self._conversion = prefetch, threads, conversion
        self._lock = turns()
        self._next = self._position = (0, 0)  # epoch and batch: of the next iteration, and of the one going on

    @property
    def _archive(self) -> Archive | Collection:
        return self._opened.get()

    @property
    def class_names(self) -> list[str]:
        """The labels of the archive, sorted; a clip's label is the place of its name."""
        return self._catalogue.class_names

    @property
    def num_clips(self) -> int:
        """Clips of an epoch, of all ranks together; before `drop_last`."""
        return len(self._epochs.windows)

    @property
    def epoch(self) -> int:
        """The epoch going on, or the next one."""
        return self._position[0]

    def __len__(self) -> int:
        """Batches of an epoch, of this rank (and worker)."""
        return len(self._epochs)

    def __repr__(self) -> str:
        return f"<loader of {self._archive.title!r}: {self.num_clips} clips, {len(self)} batches>"

    def __iter__(self) -> Iterator[Batch]:
        with self._lock:
            epoch, first = self._next
            self._position, self._next = (epoch, first), (epoch + 1, 0)
        return _InTurn(self._iterate(epoch, first))

    def set_epoch(self, epoch: int) -> None:
        """Make this epoch, from its first batch, the next one. Raises InputError below 0."""
        _check("epoch", epoch, 0)
        self._next = self._position = (epoch, 0)

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers: where the iteration is, the batches yielded so far being done, and what it was made with.

        All ranks that have taken equally many batches have the same.
        """
        epoch, batch = self._position
        return {"epoch": epoch, "batch": batch, **self._epochs.settings()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there: the next iteration begins with the very batch that would have come.

        Raises:
            InputError: the state is of a loader with other arguments, or none at all.
        """
        for name, value in self._epochs.settings().items():
            if state.get(name) != value:
                raise InputError(f"the state has {name} {state.get(name)!r}, and this loader has {value!r}")
        for name in ("epoch", "batch"):
            if type(state.get(name)) is not int or state[name] < 0:
                raise InputError(f"the state's {name} is {state.get(name)!r}; it is a number from 0")
        self._next = self._position = (state["epoch"], state["batch"])

    def _iterate(self, epoch: int, first: int) -> Iterator[Batch]:
        batches, threads = len(self), self._threads or decoding_threads(waits=self._archive.is_remote)
        default = "processor" if self._archive.device.type == "cpu" else "device"
        on_device = (self._conversion or default) == "device"
        with Preparation(self._archive, threads=threads, converts_on_device=on_device) as preparation:
            prepared = preparation.ahead(self._epochs.batches(epoch, first), self._prefetch)
            for number, (samples, footage) in enumerate(prepared, start=first + 1):
                batch = self._make(samples, footage, epoch)
                # Before it is handed over: a state asked for by whoever has the batch counts it as done.
                self._position = (epoch, number) if number < batches else (epoch + 1, 0)
                yield batch
        self._position = (epoch + 1, 0)

    @torch.no_grad()
    def _make(self, samples: Sequence[Sample], footage: Prepared, epoch: int) -> Batch:
        with memory_errors_named("the clips of a batch"):
            decoded = decode(footage)
        draws = [Draw.of(self._epochs.seed, epoch, sample.index) for sample in samples]
        placed = [
            self._augmentation.place(decoded[sample.place].clip(sample.frames), draw)
            for sample, draw in zip(samples, draws, strict=True)
        ]
        labels = torch.tensor([self._catalogue.label(sample.place) for sample in samples])
        info: dict[str, Any] = default_collate([describe(footage[s.place].entry, s) for s in samples])
        frames = self._augmentation.finish(torch.stack(placed), draws)
        return frames, labels.to(self._archive.device, non_blocking=True), info


class _InTurn:
    """An iterator that threads may share: each batch goes to one of them."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches, self._lock = batches, turns()

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        with self._lock:
            return next(self._batches)


def _opened(
    archive: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Archive | Collection,
    layers: Layers | None,
    device: str | torch.device | None,
    precision: Precision | None,
    storage_options: Mapping[str, Any] | None,
) -> Archive | Collection:
    if isinstance(archive, Archive | Collection):
        return archive.reopened(layers=layers, device=device, precision=precision)
    return open_archives(
        archive,
        layers=layers or "all",
        device=device or "cpu",
        precision=precision or "auto",
        storage_options=storage_options,
    )


def _statistics(archive: Archive | Collection) -> Statistics:
    configs = [each.config.network for each in archive.archives]
    found = {None if config is None else config.model.statistics for config in configs}
    one = found.pop()
    return _sampled_statistics(archive) if one is None or found else one


def _sampled_statistics(archive: Archive | Collection) -> Statistics:
    """Of the first frames of some videos, spread over all; to three digits, as they would stand in an archive."""
    places = np.unique(np.linspace(0, len(archive.entries) - 1, _SAMPLED_VIDEOS).round().astype(int)).tolist()
    frames = [archive[archive.entries[place].name][0].cpu().flatten(1).double() / 255 for place in places]
    pixels = sum(frame.shape[1] for frame in frames)
    mean = torch.stack([frame.sum(1) for frame in frames]).sum(0) / pixels
    std = (torch.stack([frame.square().sum(1) for frame in frames]).sum(0) / pixels - mean.square()).clamp_min(0).sqrt()
    red, green, blue = (round(value, 3) for value in mean.tolist())
    spread = [round(max(value, 0.02), 3) for value in std.tolist()]
    return (red, green, blue), (spread[0], spread[1], spread[2])


def _check(name: str, value: int, low: int) -> None:
    if type(value) is not int or value < low:
        raise InputError(f"{name} is {value!r}; it is an integer from {low}")

"""Single clips by index, for torch's own DataLoader."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch.utils.data import Dataset

from dnerv.archive import Archive, Collection, Layers, VideoReader, open_archives
from dnerv.archive.sharing import Guarded, OpenedOnUse, Recent
from dnerv.errors import FrameIndexError, InputError
from dnerv.loading.catalogue import Catalogue, default_clip_length, describe
from dnerv.loading.windows import Sample, Windows

if TYPE_CHECKING:
    from dnerv.engine import Precision

_KEPT_VIDEOS = 4  # readers, each with some decoded clips: memory must not grow with the videos
_Item = tuple[Tensor, int, dict[str, Any]]


class ClipDataset(Dataset[_Item]):
    """Map-style: `dataset[i]` is `(clip, label, info)`, the frames that the archive's `VideoReader` gives.

    - clip: uint8 [T, 3, H, W], RGB in [0, 255], on the device.
    - label: index into `class_names`, -1 for a video without a label.
    - info: `video`, its name; `index`, `i`; `frames`, int64 [T]; `seconds`, float64 [T], when each frame is shown.

    It pickles, and runs in a DataLoader's workers by fork and by spawn; a worker that finds another file under the
    archive's path refuses it with ArchiveError. Threads may share it.
    `Loader` is the faster way: it decodes whole batches.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        clip_length: int | None = None,
        frame_step: int = 1,
        clips_per_video: int | None = None,
        videos: Sequence[str] | None = None,
        seed: int | None = None,
        layers: Layers = "all",
        size: Literal["coded", "original"] = "coded",
        device: str | torch.device = "cpu",
        precision: Precision = "auto",
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Open the archive and lay out its clips; nothing is decoded yet.

        Args:
            path: of the archive, its URL, or several, as for `dnerv.open`.
            clip_length, frame_step, clips_per_video, videos: as for `Loader`.
            seed: with `clips_per_video`, clips start anywhere, drawn from it and the epoch; evenly spaced by default.
            layers: as for `Archive`.
            size: frames as they are coded, all alike where the encoding was given a resolution, or scaled
                back to the size that each video had.
            device: where the network runs and clips come out; "cuda" with workers needs those to be spawned.
            precision: of the network, as for `Archive`.
            storage_options: of fsspec's file system, for URLs.

        Raises:
            ArchiveError: not an archive, or a damaged one; also when clips are asked for.
            InputError: an argument is not one of the allowed.
        """
        if seed is not None and (type(seed) is not int or seed < 0):
            raise InputError(f"seed is {seed!r}; it is an integer from 0")
        archive = open_archives(
            path, layers=layers, size=size, device=device, precision=precision, storage_options=storage_options
        )
        self._opened = OpenedOnUse(archive)
        self._readers: Guarded[Recent[int, VideoReader]] = Guarded(partial(Recent, _KEPT_VIDEOS))
        self._catalogue = Catalogue(archive.entries, videos)
        length = default_clip_length(archive) if clip_length is None else clip_length
        self._windows = Windows(self._catalogue.lengths, length, frame_step, clips_per_video)
        self._seed = seed
        self._epoch = torch.zeros((), dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]  # one for all workers, also those that persist

    @property
    def class_names(self) -> list[str]:
        """The labels of the archive, sorted; a clip's label is the place of its name."""
        return self._catalogue.class_names

    def set_epoch(self, epoch: int) -> None:
        """With a seed, draw other places for the clips, in running workers too. Raises InputError below 0."""
        if epoch < 0:
            raise InputError(f"epoch is {epoch}; it is at least 0")
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self._windows)

    def __repr__(self) -> str:
        return f"<{len(self)} clips of {self._archive.title!r}>"

    def __getitem__(self, index: int) -> _Item:
        """Clip `index`; negative ones count from the end. Raises FrameIndexError (an IndexError) outside."""
        if not -len(self) <= index < len(self):
            raise FrameIndexError(f"clip {index}: there are {len(self)}, 0 to {len(self) - 1}")
        seed = None if self._seed is None else (self._seed, int(self._epoch))
        video, frames = self._windows.frames(index % len(self), seed=seed)
        sample = Sample(index % len(self), self._catalogue.places[video], frames)
        reader = self._reader(sample.place)
        clip = reader.get_frames_at(frames.tolist()).data
        return clip, self._catalogue.label(sample.place), describe(reader.entry, sample)

    @property
    def _archive(self) -> Archive | Collection:
        return self._opened.get()

    def _reader(self, place: int) -> VideoReader:
        with self._readers as readers:
            return readers.get(place, self._open)

    def _open(self, place: int) -> VideoReader:
        archive, entry = self._archive.located(place)
        return archive.reader(entry)

"""Open a `.dnerv` file: names, videos, sizes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from functools import cached_property, partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from dnerv.archive.base_layer import BaseLayer
from dnerv.archive.choices import (
    DimensionOrder,
    Layers,
    checked_device,
    checked_device_name,
    checked_dimension_order,
    checked_precision,
)
from dnerv.archive.config import ArchiveConfig, BaseConfig
from dnerv.archive.entry import VideoEntry
from dnerv.archive.index import Index, decode_directory
from dnerv.archive.limits import Bounds, Limits, chosen_allowance
from dnerv.archive.references import Reference, decode_references
from dnerv.archive.sharing import Once
from dnerv.archive.videos import Videos
from dnerv.bitstream import Container, decode_json
from dnerv.errors import ArchiveError, InputError

if TYPE_CHECKING:
    import torch

    from dnerv.archive.network_layer import ArchiveNetwork
    from dnerv.archive.video_reader import FrameSource, VideoReader
    from dnerv.engine import Precision

KINDS = ("CONF", "INDX", "REFS", "NETW", "made")  # sections that are known
_NEEDED = ("CONF", "INDX")


class Archive(Videos):
    """A collection of videos in one file.

    Opening reads the file's beginning and end; the index is read block by block, and networks, references and packets
    when a frame is asked for that needs them. Close it, or use it in a `with` statement. Threads may share it and its
    readers. It pickles as its path and what it found there: another process opens the file for itself, and refuses
    another file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | Container,
        *,
        layers: Layers = "all",
        device: str | torch.device = "cpu",
        precision: Precision = "fp32",
        size: Literal["original", "coded"] = "original",
        dimension_order: DimensionOrder = "NCHW",
        allowance: float | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Open the archive at `path`, or in a container that is open already and is closed with the archive.

        Args:
            path: of a file, or a URL: "https://...", "s3://...", "hf://..." and what else fsspec knows.
            layers: "base" does without the network: frames between coded ones are blends.
            device: where the network runs and frames come out.
            precision: of the network: fp32 gives the archive's own frames; bf16 and fp16 are faster and less exact;
                auto is bf16 where the device computes in it; reference runs the plain modules.
            size: whether frames are scaled back to the size that the videos had, or stay as they are coded.
            dimension_order: of the frames that readers give: "NCHW", a frame being [3, H, W], or "NHWC", [H, W, 3].
            allowance: how many times what a file of its length may ask for (`dnerv.archive.limits`) this one may; by
                default what DNERV_ALLOWANCE in the environment says, or 1.
            storage_options: of fsspec's file system for a URL, `{"anon": True}` for example.

        Raises:
            ArchiveError: not an archive, damaged, of a version that this dnerv does not read, or asking for too much.
            InputError: `layers`, `device`, `precision`, `size` or `dimension_order` is not one of the allowed, or a URL
                needs a package that is missing.
        """
        self.device_name = checked_device_name(device)
        self.precision = checked_precision(precision, self.device_name)
        if size not in ("original", "coded"):
            raise InputError(f"size is {size!r}; use 'original' or 'coded'")
        if layers not in ("all", "base"):
            raise InputError(f"layers is {layers!r}; use 'all' or 'base'")
        self.layers: Layers = layers
        self._coded_size = size == "coded"
        self._dimension_order = checked_dimension_order(dimension_order)
        self.container = (
            path if isinstance(path, Container) else Container.open(path, KINDS, storage_options=storage_options)
        )
        self.allowance = chosen_allowance(allowance)
        self._config: Once[ArchiveConfig] = Once()
        self._network: Once[ArchiveNetwork] = Once()
        with self.errors_name_it():
            self._read_records()

    def _read_records(self) -> None:
        """Configuration, references and the index's directory. Raises ArchiveError."""
        missing = [kind for kind in _NEEDED if kind not in self.container]
        if missing:
            raise ArchiveError(f"it has no {missing[0]} section: it is not a whole archive")
        self._limits = Limits(self.file_bytes, self.allowance)
        self._config_record = decode_json(self.container.read("CONF"))
        if self.layers == "all":
            self._config.get(self._read_config)  # what is wrong with the network is said here
        known = BaseConfig.from_json(self._config_record)
        if known.holds_weights != ("NETW" in self.container):
            has, says = ("no", "describes a network") if known.holds_weights else ("a", "knows of no weights in it")
            raise ArchiveError(f"it has {has} NETW section, and its configuration {says}")
        bounds = Bounds(self._limits, len(known.formats), known.num_references, known.network_frames or 0)
        self.references: tuple[Reference, ...] = (
            decode_references(self.container.read("REFS"), bounds) if known.num_references else ()
        )
        self.index = Index(decode_directory(self.container.read("INDX")), self.container.read_at, bounds)
        prepare = self.container.prepare if self.container.is_remote else None
        self.base = BaseLayer(self.container.read_at, known.formats, self.references, prepare)
        self.network_clip_length = known.clip_length  # frames; None without a network

    @property
    def config(self) -> ArchiveConfig:
        """The whole configuration. Raises ArchiveError where what it says of the network is nothing known here."""
        return self._config.get(self._read_config)

    def _read_config(self) -> ArchiveConfig:
        with self.errors_name_it():
            return ArchiveConfig.from_json(self._config_record)

    @cached_property
    def device(self) -> torch.device:
        """Where the network runs and frames come out."""
        return checked_device(self.device_name)

    @property
    def names(self) -> list[str]:
        """Names of the videos, in the order of their bytes."""
        with self.errors_name_it():
            return list(self.index.names())

    @property
    def num_frames(self) -> int:
        """Frames of all videos."""
        return self.index.num_frames

    @property
    def num_pixels(self) -> int:
        """Pixels of all frames at the size that was coded: what bits per pixel are counted on."""
        return self.index.num_pixels

    @property
    def file_bytes(self) -> int:
        """Size of the file."""
        return self.container.size

    @property
    def is_remote(self) -> bool:
        """Whether the file is behind a URL."""
        return self.container.is_remote

    @property
    def title(self) -> str:
        """What it is called in a few words: the file's name."""
        return PurePosixPath(self.container.name).name

    @property
    def archives(self) -> tuple[Archive, ...]:
        """Itself, as a collection has several."""
        return (self,)

    @property
    def made(self) -> Mapping[str, Any]:
        """How the archive was encoded, for people; empty where it does not say. Raises ArchiveError."""
        if "made" not in self.container:
            return {}
        with self.errors_name_it():
            record = decode_json(self.container.read("made"))
            if not isinstance(record, dict):
                raise ArchiveError("the archive's note on how it was made is no JSON object")
            return record

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        return f"<dnerv archive {self.container.name!r}: {len(self)} videos, {self.num_frames} frames>"

    def __contains__(self, name: str) -> bool:
        return self.place_of(name) is not None

    def __iter__(self) -> Iterator[VideoReader]:
        return map(self.reader, self.entries)

    def place_of(self, name: str) -> int | None:
        """The place of the video of this name in `entries`, None where there is none. Raises ArchiveError."""
        with self.errors_name_it():
            return self.index.find(name)

    def reader(self, entry: VideoEntry, *, dimension_order: DimensionOrder | None = None) -> VideoReader:
        """A reader of the video of an entry of this archive; `dimension_order`: None for the archive's."""
        from dnerv.archive.video_reader import VideoReader

        return VideoReader(
            entry,
            self._source(entry),
            device=self.device,
            coded_size=self._coded_size,
            dimension_order=dimension_order or self._dimension_order,
        )

    def located(self, place: int) -> tuple[Archive, VideoEntry]:
        """Itself, and the entry of the video of this place in `entries`. IndexError outside."""
        with self.errors_name_it():
            return self, self.index[place]

    def each_entry(self) -> Iterator[VideoEntry]:
        """All entries, block by block."""
        with self.errors_name_it():
            yield from self.index

    @property
    def _what_there_is(self) -> str:
        return f"this archive; it holds {len(self)}"

    def uses_network(self, entry: VideoEntry) -> bool:
        """Whether the network makes the video's frames, as the archive was opened."""
        return self.layers == "all" and entry.network_frame is not None

    @property
    def network(self) -> ArchiveNetwork:
        """The network layer. Raises InputError where the archive has none, ArchiveError where it asks for too much."""
        return self._network.get(self._open_network)

    def _seed_bytes(self) -> int:
        """Of seeds that are not a reference's packet at once."""
        packets = {reference.offset for reference in self.references}
        seeds = {reference.seed_offset: reference.seed_length for reference in self.references}
        return sum(length for offset, length in seeds.items() if offset not in packets)

    def breakdown(self) -> dict[str, int]:
        """Bytes by purpose; they sum to the size of the file. Raises ArchiveError."""
        sizes = self.container.sizes
        with self.errors_name_it():
            parts = {
                "base layers": self.index.packet_bytes,
                "references": sum(reference.length for reference in self.references),
                "seeds": self._seed_bytes(),
            }
            if self.config.network is not None:
                parts |= {f"network {name}": count for name, count in self.network.weight_bytes().items()}
            parts["index"] = sizes["INDX"] + self.index.block_bytes + sizes.get("REFS", 0)
            parts["configuration"] = sizes["CONF"] + sizes.get("made", 0)
            parts["header"] = sizes["header"]
            parts["unused"] = self.file_bytes - sum(parts.values())
            if parts["unused"] < 0:
                raise ArchiveError("the archive's index is damaged: its packets take more than the whole file")
        return parts

    def reopened(
        self,
        *,
        layers: Layers | None = None,
        device: str | torch.device | None = None,
        precision: Precision | None = None,
    ) -> Archive:
        """The same state of the file, opened with other options; itself where none is another. Raises as opening."""
        wanted = (
            layers or self.layers,
            self.device_name if device is None else checked_device_name(device),
            precision or self.precision,
        )
        if wanted == (self.layers, self.device_name, self.precision):
            return self
        return self._opener(*wanted)(copy(self.container))

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return self._opener(self.layers, self.device_name, self.precision), (self.container,)

    def _opener(self, layers: Layers, device: str, precision: Precision) -> Callable[[Container], Archive]:
        size: Literal["original", "coded"] = "coded" if self._coded_size else "original"
        return partial(
            Archive,
            layers=layers,
            device=device,
            precision=precision,
            size=size,
            dimension_order=self._dimension_order,
            allowance=self.allowance,
        )

    @contextmanager
    def errors_name_it(self) -> Iterator[None]:
        """What is wrong with the file is said of the file, of which a program may have several."""
        try:
            yield
        except ArchiveError as error:
            self.container.check_same(error)
            prefix = f"{self.container.name}: "
            raise type(error)(prefix + str(error).removeprefix(prefix)) from error

    def _source(self, entry: VideoEntry) -> FrameSource:
        if not self.uses_network(entry):
            from dnerv.archive.base_source import BaseSource

            return BaseSource(self, entry)
        from dnerv.archive.network_layer import NetworkSource

        return NetworkSource(self, entry)

    def _open_network(self) -> ArchiveNetwork:
        if self.config.network is None:
            raise InputError(f"{self.container.name}: the archive has no network")
        from dnerv.archive.network_layer import ArchiveNetwork

        with self.errors_name_it():
            return ArchiveNetwork(self, self.config.network, self._limits)

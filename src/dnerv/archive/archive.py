"""Open a `.dnerv` file: names, videos, sizes, integrity."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from types import TracebackType
from typing import Any, Literal

import torch
from torch import Tensor

from dnerv.archive.clip_maker import ClipLayout, ClipMaker, make_clip
from dnerv.archive.index import ArchiveConfig, VideoEntry, index_from_json
from dnerv.archive.keyframe_reader import KeyframeReader
from dnerv.archive.limits import (
    CLIP_PIXELS,
    CODED_PIXELS,
    FRAMES,
    INDEX_MEMORY,
    PASS_PIXELS,
    SHOWN_PIXELS,
    TILES,
    Limits,
    chosen_allowance,
    memory_errors_named,
)
from dnerv.archive.sharing import Guarded, Once, Recent
from dnerv.archive.video_reader import VideoReader
from dnerv.bitstream import Container, PacketTable, decode_json, decode_packet_table, describe_weights, unpack_weights
from dnerv.engine import Decoder, Features, Precision, chosen_precision
from dnerv.errors import ArchiveError, InputError, VideoNameError
from dnerv.families import Network, model_from_weights, tensor_shapes
from dnerv.video import TileGrid, Timeline

_SECTIONS = ("CONF", "INDX", "PKTS", "NETW", "KEYF")


class Archive:
    """A collection of videos in one file.

    Opening checks the header and reads configuration and index; the network is read when the first frame is asked
    for, and keyframes clip by clip. Close it, or use it in a `with` statement. Threads may share it and its readers.
    It pickles as its path and what it found there: another process opens the file for itself, and refuses another file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | Container,
        *,
        device: str | torch.device = "cpu",
        precision: Precision = "fp32",
        size: Literal["original", "coded"] = "original",
        allowance: float | None = None,
    ) -> None:
        """Open the archive at `path`, or in a container that is open already and is closed with the archive.

        Args:
            device: where the network runs and frames come out.
            precision: of the network: fp32 gives the archive's own frames; bf16 and fp16 are faster and less exact;
                auto is bf16 where the device computes in it; reference runs the plain modules.
            size: whether frames are scaled back to the size that the videos had, or stay as the network knows them.
            allowance: how many times what a file of its length may ask for (`dnerv.archive.limits`) this one may; by
                default what DNERV_ALLOWANCE in the environment says, or 1.

        Raises:
            ArchiveError: not an archive, damaged, of a version that this dnerv does not read, or asking for too much.
            InputError: `device`, `precision` or `size` is not one of the allowed.
        """
        self.device = checked_device(device)
        self.precision = chosen_precision(precision, self.device)
        if size not in ("original", "coded"):
            raise InputError(f"size is {size!r}; use 'original' or 'coded'")
        self._coded_size = size == "coded"
        self.container = path if isinstance(path, Container) else Container.open(path)
        self.allowance = chosen_allowance(allowance)
        with self._errors_name_it():
            self._read_records()
        self._packet_section: Once[bytes] = Once()
        self._model: Once[Network] = Once()
        self._decoder: Once[Decoder] = Once()

    def _read_records(self) -> None:
        """Configuration and index, and whether they fit each other. Raises ArchiveError."""
        missing = [kind for kind in _SECTIONS if kind not in self.container]
        if missing:
            raise ArchiveError(f"it has no {missing[0]} section: it is not a whole archive")
        limits = Limits(self.file_bytes, self.allowance)
        self.config = ArchiveConfig.from_json(decode_json(self.container.read("CONF")))
        self.entries = index_from_json(decode_json(self.container.read("INDX"), limits.of(INDEX_MEMORY)))
        self._places = {entry.name: place for place, entry in enumerate(self.entries)}
        self._tables = _starts(entry.table_bytes for entry in self.entries)
        self._keyframes = _starts(entry.keyframe_bytes for entry in self.entries)
        self._frames = _starts(entry.timing.num_frames for entry in self.entries)
        self._check_lengths()
        self._check_sizes(limits)

    @property
    def names(self) -> list[str]:
        """Names of the videos, in archive order."""
        return [entry.name for entry in self.entries]

    @property
    def num_frames(self) -> int:
        """Frames of all videos."""
        return self._frames[-1]

    @property
    def num_pixels(self) -> int:
        """Pixels of all frames at the size that was coded: what bits per pixel are counted on."""
        return sum(e.timing.num_frames * e.coded_size[0] * e.coded_size[1] for e in self.entries)

    @property
    def file_bytes(self) -> int:
        """Size of the file."""
        return sum(self.container.sizes.values())

    @property
    def bits_per_pixel(self) -> float:
        """The whole file's bits over `num_pixels`."""
        return 8 * self.file_bytes / self.num_pixels

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        return f"<dnerv archive {str(self.container.path)!r}: {len(self)} videos, {self.num_frames} frames>"

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[VideoReader]:
        return (self[name] for name in self.names)

    def __getitem__(self, name: str) -> VideoReader:
        """The video of this name. VideoNameError (a KeyError) where there is none, naming some that are."""
        if name not in self._places:
            there = ", ".join(self.names[:5]) + (", ..." if len(self) > 5 else "")
            raise VideoNameError(f"no video is called {name!r} in this archive; it holds {len(self)}: {there}")
        place = self._places[name]
        return VideoReader(
            self.entries[place],
            self.config.model.clip_length,
            _ClipSource(self, place),
            device=self.device,
            coded_size=self._coded_size,
        )

    @property
    def model(self) -> Network:
        """The network with the archive's weights, on the CPU. Raises ArchiveError where they are damaged."""
        return self._model.get(self._read_model)

    @property
    def decoder(self) -> Decoder:
        """The network, ready to decode on the archive's device in its precision."""
        return self._decoder.get(self._open_decoder)

    @property
    def maker(self) -> ClipMaker:
        """Clips out of the decoder."""
        return ClipMaker(self.decoder)

    def breakdown(self) -> dict[str, int]:
        """Bytes by purpose; they sum to the size of the file."""
        sizes = dict(self.container.sizes)
        with self._errors_name_it():
            shapes = tensor_shapes(self.config.model)
            weights = describe_weights(self.container.read("NETW"), shapes, allowance=self.allowance)
        assert sum(weights.values()) == sizes["NETW"]
        parts = {"keyframes": sizes["KEYF"]}
        parts |= {f"network {name}": count for name, count in weights.items()}
        parts |= {"keyframe tables": sizes["PKTS"], "index": sizes["INDX"], "configuration": sizes["CONF"]}
        return parts | {"header": sizes["header"]}

    def packet_table(self, place: int) -> PacketTable:
        """Where the keyframes of video number `place` lie. Raises ArchiveError where the table is damaged."""
        entry = self.entries[place]
        section = self._packet_section.get(partial(self.container.read, "PKTS"))
        table = decode_packet_table(section[self._tables[place] : self._tables[place + 1]])
        timeline = self.timeline(place)
        if len(table) != timeline.num_keyframes or table.byte_length != entry.keyframe_bytes:
            raise ArchiveError(f"the keyframe table of video {entry.name!r} does not fit its entry in the index")
        return table

    def check_keyframes(self, place: int) -> None:
        """Compare the keyframe packets of video number `place` with their checksums. Raises ArchiveError."""
        for group in self.packet_table(place).groups:
            start = self._keyframes[place] + group.byte_offset
            group.check(self.container.read_range("KEYF", start, group.byte_length))

    def timeline(self, place: int) -> Timeline:
        """Clips and keyframes of video number `place`."""
        return self._timeline(self.entries[place])

    def layout(self, place: int) -> ClipLayout:
        """How the clips of video number `place` are asked of the network."""
        model, size = self.config.model, self.entries[place].coded_size
        absolute = (self._frames[place], self.num_frames) if model.absolute_time else None
        return ClipLayout(self.timeline(place), TileGrid(*size, *model.canvas, self.config.overlap), absolute)

    def keyframe_reader(self, place: int) -> KeyframeReader | None:
        """A reader of the keyframes of video number `place`; None where the network has none."""
        if self.config.keyframes is None:
            return None
        entry = self.entries[place]
        return KeyframeReader(
            self.container, self.packet_table(place), self._keyframes[place], entry.coded_size, entry.name
        )

    def first_frame(self, place: int) -> int:
        """Place of the video's first frame in the concatenation of all."""
        return self._frames[place]

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def __reduce__(self) -> tuple[Any, ...]:
        size: Literal["original", "coded"] = "coded" if self._coded_size else "original"
        reopened = partial(Archive, device=self.device, precision=self.precision, size=size, allowance=self.allowance)
        return reopened, (self.container,)

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _errors_name_it(self) -> Iterator[None]:
        """What is wrong with the file is said of the file, of which a program may have several."""
        try:
            yield
        except ArchiveError as error:
            prefix = f"{self.container.path}: "
            raise ArchiveError(prefix + str(error).removeprefix(prefix)) from error

    def _check_sizes(self, limits: Limits) -> None:
        """Raise ArchiveError where frames, tiles or passes of the network are beyond what such a file may ask for."""
        model = self.config.model
        canvas = model.canvas[0] * model.canvas[1]
        limits.check(FRAMES, self.num_frames)
        limits.check(PASS_PIXELS, model.clip_length * canvas)
        for height, width in {entry.original_size for entry in self.entries}:
            limits.check(SHOWN_PIXELS, height * width)
        for size in {entry.coded_size for entry in self.entries}:
            tiles = TileGrid(*size, *model.canvas, self.config.overlap).num_tiles
            limits.check(CODED_PIXELS, size[0] * size[1])
            limits.check(TILES, tiles)
            limits.check(CLIP_PIXELS, model.clip_length * tiles * canvas)

    def _read_model(self) -> Network:
        config = self.config.model
        with self._errors_name_it(), memory_errors_named("the network"):
            weights = unpack_weights(self.container.read("NETW"), tensor_shapes(config), allowance=self.allowance)
            return model_from_weights(config, {name: torch.from_numpy(w) for name, w in weights.items()}).eval()

    def _open_decoder(self) -> Decoder:
        with memory_errors_named("the network"):
            return Decoder(self.model, self.device, self.precision)

    def _timeline(self, entry: VideoEntry) -> Timeline:
        model = self.config.model
        return Timeline(entry.timing.num_frames, model.clip_length, model.keyframe_every)

    def _check_lengths(self) -> None:
        sizes = self.container.sizes
        if self._tables[-1] != sizes["PKTS"] or self._keyframes[-1] != sizes["KEYF"]:
            raise ArchiveError("the archive's index does not fit the lengths of its keyframe sections")
        for entry in self.entries if self.config.model.uses_keyframes else ():
            if self._timeline(entry).num_keyframes > entry.table_bytes:  # a packet takes a byte of the table at least
                raise ArchiveError(
                    f"video {entry.name[:80]!r} has {entry.timing.num_frames} frames, more than its keyframe table of "
                    f"{entry.table_bytes} bytes can serve"
                )
        if self.config.keyframes is None and self.config.model.uses_keyframes:
            raise ArchiveError("the archive's network needs keyframes, but its configuration has none")


@dataclass
class _Reading:
    """Where a video's reader is."""

    keyframes: Recent[int, KeyframeReader | None] = field(default_factory=partial(Recent, 1))
    features: dict[int, Features] = field(default_factory=dict)  # of the keyframes of the last clip


class _ClipSource:
    """Clips of one video by number, for its reader; sets up on first use."""

    def __init__(self, archive: Archive, place: int) -> None:
        self._archive, self._place = archive, place
        self._reading = Guarded(_Reading)

    def __reduce__(self) -> tuple[Any, ...]:
        return _ClipSource, (self._archive, self._place)  # open decoders stay behind

    def __call__(self, clip: int, phase: float = 0.0) -> Tensor:
        maker, layout = self._archive.maker, self._archive.layout(self._place)
        with self._reading as reading, memory_errors_named("a clip of the archive"):
            keyframes = reading.keyframes.get(self._place, self._archive.keyframe_reader)
            return make_clip(maker, layout, clip, keyframes, reading.features, phase)


def _starts(lengths: Iterable[int]) -> list[int]:
    return [0, *accumulate(lengths)]


def checked_device(device: str | torch.device) -> torch.device:
    """The device of this name. Raises InputError where there is none."""
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise InputError(f"device is {str(device)!r}: {str(error).splitlines()[0]}") from None
    if chosen.type not in ("cpu", "cuda"):
        raise InputError(f"device is {str(device)!r}; use 'cpu', 'cuda' or 'cuda:N'")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device is {str(device)!r}; this machine's torch sees {torch.cuda.device_count()} CUDA devices"
        )
    return chosen

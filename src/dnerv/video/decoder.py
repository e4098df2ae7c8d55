"""Pictures as FFmpeg decodes them, from a video file or from numbered images, with what the source says of
their time.

Only pictures that really decode count: frame counts and durations of headers serve remarks alone. A packet that
cannot be decoded is skipped and counted. Nothing but the named file is opened: playlists cannot reach the
network.
"""

import gc
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import NamedTuple, Protocol

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from dnerv.errors import InputError
from dnerv.video.cadence import average_step
from dnerv.video.listing import missing_numbers
from dnerv.video.parts import FilePart
from dnerv.video.tars import open_member, split_tar_path

# FFmpeg draws any file named .txt as a terminal; nobody who names a text file means that.
_NOT_VIDEOS = frozenset({"tty"})
_AVFMT_NOTIMESTAMPS = 0x80  # of FFmpeg's avformat.h
TRANSPARENT = "it is transparent in parts: colours are kept as they are stored, transparency is not"


class Picture(NamedTuple):
    """One decoded picture; times in ticks of the decoder's time base, None where the source does not say."""

    frame: av.VideoFrame
    pts: int | None
    duration: int | None


class Decoder(Protocol):
    """A source of pictures in display order."""

    time_base: Fraction  # seconds per tick
    step: int  # ticks per frame at the average rate
    bad_packets: int  # so far: packets that did not decode, and pictures that the decoder had to patch up

    def remarks(self) -> list[str]:
        """What a user should know of the source, one sentence each; asked once all pictures are decoded."""

    def pictures(self) -> Iterator[Picture]:
        """Decode from the beginning."""

    def close(self) -> None:
        """Release the file."""


_CLOSED_BEFORE_COLLECTING_ALL = 64  # files: a whole collection takes longer than decoding a short clip
_closed = count(1)


class FileDecoder:
    """Decoder of the best video stream of one file (cover art of an audio file is not video)."""

    def __init__(self, path: Path, part: FilePart | None = None) -> None:
        """Open `path`, for a part of it or all. Raises InputError, or av.FFmpegError / OSError where FFmpeg cannot."""
        self._path, self._part = path, part
        inside = split_tar_path(path)
        self._file = None if inside is None else open_member(*inside)
        try:
            # The explicit protocol keeps a file named like "http:..." or "pipe:0" a file.
            self._container: InputContainer = av.open(
                self._file or f"file:{path}", "r", options={"protocol_whitelist": "file"}, metadata_errors="replace"
            )
            try:
                self._stream = _video_stream(path, self._container)
            except BaseException:
                self._container.close()
                raise
        except BaseException:
            self._close_file()
            raise
        self.time_base = self._stream.time_base or Fraction(1, 1000)
        # Raw streams have no times: FFmpeg counts them up at 25 frames a second, whatever their headers say.
        self._is_raw = bool(self._container.format.flags & _AVFMT_NOTIMESTAMPS)
        rates = [self._stream.average_rate, self._stream.guessed_rate]
        self.step = average_step(self.time_base, next(filter(None, reversed(rates) if self._is_raw else rates), None))
        self.bad_packets = 0
        self._count, self._end = 0, 0  # of the pictures decoded: how many, and the last one's end in ticks
        self._remarks: dict[str, None] = {}

    def pictures(self) -> Iterator[Picture]:
        """Yield every picture that decodes, of a part with times in the part. InputError where that is incomplete."""
        return self._all_pictures() if self._part is None else self._pictures_of(self._part)

    def _pictures_of(self, part: FilePart) -> Iterator[Picture]:
        found = 0
        for picture in self._pictures_from(part.start):
            if picture.pts is None or picture.pts < part.start:
                continue
            if picture.pts >= part.stop:
                break
            found += 1
            yield picture._replace(pts=picture.pts - part.origin)
        if found != part.num_frames:
            raise InputError(f"{self._path}: a part of it has {found} frames, and {part.num_frames} were announced")

    def _pictures_from(self, start: int) -> Iterator[Picture]:
        """At least all pictures from a time on; the decoder starts at a restart as near before it as there is."""
        self._container.seek(start, stream=self._stream)
        pictures = self._all_pictures()
        first = next(pictures, None)
        if first is None or first.pts is None or first.pts > start or not first.frame.key_frame:
            self._container.seek(self._stream.start_time or 0, stream=self._stream)
            pictures, first = self._all_pictures(), None
        if first is not None:
            yield first
        yield from pictures

    def _all_pictures(self) -> Iterator[Picture]:
        # AVI stores no presentation times and FFmpeg's guesses are wrong with B-frames; pictures come out in
        # display order, so the running time of the packets is theirs, less the decoder's delay.
        by_decode_time = self._container.format.name == "avi"
        begin: int | None = None  # decoding time of the first packet that decoded
        delay: int | None = None
        for packet in self._packets():
            bad_before = self.bad_packets
            frames = self._decode(packet)
            if begin is None and packet is not None and self.bad_packets == bad_before:
                begin = packet.dts
            for frame in frames:
                self.bad_packets += frame.is_corrupt
                pts = frame.dts if by_decode_time or frame.pts is None else frame.pts
                if by_decode_time and pts is not None:
                    delay = pts - (begin or 0) if delay is None else delay
                    pts -= delay
                self._note(frame, pts)
                yield Picture(frame, None if self._is_raw else pts, frame.duration)

    def remarks(self) -> list[str]:
        """What is damaged, missing, or not kept."""
        return [*self._remarks, *self._missing()]

    def _note(self, frame: av.VideoFrame, pts: int | None) -> None:
        self._count += 1
        if pts is not None:
            self._end = max(self._end, pts + (frame.duration or self.step))
        if self._count == 1:
            aspect = self._stream.sample_aspect_ratio
            if aspect is not None and aspect not in (0, 1):
                self._remarks[f"its pixels are {aspect} times as wide as high, and are coded as squares"] = None
        if frame.interlaced_frame:
            self._remarks["it is interlaced, and both fields stay woven into one frame"] = None
        if TRANSPARENT not in self._remarks and has_alpha(frame):
            self._remarks[TRANSPARENT] = None

    def _missing(self) -> list[str]:
        """How much of what the header announces is there, where that can be told; of a part it says nothing."""
        damage = f"{self.bad_packets} damaged packets were passed over" if self.bad_packets else ""
        if self._part is not None:
            return [damage] if damage else []
        announced = self._stream.frames  # mp4 and AVI count them; what an edit list hides is no damage
        if announced > self._count and (damage or self._ends_early()):
            return [f"{self._count} of {announced} frames are there" + (f", {damage}" if damage else "")]
        if not announced and self._ends_early():
            begin = float((self._stream.start_time or 0) * self.time_base)
            there, length = float(self._end * self.time_base) - begin, (self._container.duration or 0) / 1e6
            damage = f"the first {there:.2f} of {length:.2f} seconds are there" + (f", {damage}" if damage else "")
        return [damage] if damage else []

    def _ends_early(self) -> bool:
        """Whether the pictures end before the header says, by more than a twentieth."""
        if self._stream.duration is not None:
            span = self._stream.duration
        elif self._container.duration is not None and len(self._container.streams) == 1:
            span = int(self._container.duration / 1_000_000 / self.time_base)
        else:
            return False
        return (self._stream.start_time or 0) + span - self._end > max(span / 20, 2 * self.step)

    def close(self) -> None:
        """Release the file."""
        self._container.close()
        self._close_file()
        # A container and its streams refer to each other, so their buffers (tens of megabytes) would wait for a
        # collection that a program which makes few objects hardly ever runs. They are young: the two young
        # generations are searched in a millisecond, whatever else the program holds.
        gc.collect(1 if next(_closed) % _CLOSED_BEFORE_COLLECTING_ALL else 2)

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()

    def _packets(self) -> Iterator["av.Packet[VideoStream] | None"]:
        """Packets of the stream, then None to flush; after a read error, the rest is tried."""
        progress = True
        while progress:
            progress = False
            try:
                for packet in self._container.demux(self._stream):
                    if packet.size:  # an empty one would flush the decoder, which can happen only once
                        progress = True
                        yield packet
                break
            except av.FFmpegError:
                self.bad_packets += 1
        yield None

    def _decode(self, packet: "av.Packet[VideoStream] | None") -> Iterable[av.VideoFrame]:
        try:
            return self._stream.codec_context.decode(packet)
        except av.FFmpegError:
            self.bad_packets += 1
            return ()


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    """The stream to decode, set up to decode deterministically. Raises InputError if there is none."""
    if container.format.name in _NOT_VIDEOS:
        raise InputError(f"{path}: a text file, not a video")
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    best = container.streams.best("video")
    stream = best if isinstance(best, VideoStream) and best in streams else next(iter(streams), None)
    if stream is None:
        covers = {s.index for s in container.streams.video}
        kinds = {f"{s.type} streams" for s in container.streams if s.index not in covers}
        only = sorted(kinds | ({"cover art"} if covers else set())) or ["an empty container"]
        raise InputError(f"{path}: holds no video, only {' and '.join(only)}")
    if getattr(stream, "codec_context", None) is None:
        raise InputError(f"{path}: this FFmpeg has no decoder for its video codec")
    # Frame threads make the concealment of damaged pictures depend on the machine's timing.
    stream.thread_type = "SLICE"
    return stream


class ImageDecoder:
    """Decoder of still images, one picture per file, at a constant rate."""

    def __init__(self, images: Sequence[Path], fps: Fraction) -> None:
        """`images` in display order, shown at `fps` images per second."""
        self._images = images
        self.time_base = 1 / fps
        self.step = 1
        self.bad_packets = 0
        self._remarks: dict[str, None] = {}

    def pictures(self) -> Iterator[Picture]:
        """Yield every image that decodes; one that does not leaves its time to the image before it."""
        for index, path in enumerate(self._images):
            try:
                data = path.read_bytes()
                frame = _decode_image(data)
            except (av.FFmpegError, OSError, ValueError, StopIteration):
                self.bad_packets += 1
                continue
            if is_animated(data):
                self._remarks["images among its own are animated: the first picture of each is taken"] = None
            if TRANSPARENT not in self._remarks and has_alpha(frame):
                self._remarks[TRANSPARENT] = None
            yield Picture(frame, index, 1)

    def remarks(self) -> list[str]:
        """Images that do not decode, and gaps in their numbers."""
        gaps = missing_numbers(self._images)
        bad = f"{self.bad_packets} of {len(self._images)} images cannot be read, the ones before them stay on show"
        missing = f"images {gaps} are missing: the ones around them follow each other"
        return [*self._remarks, *([bad] if self.bad_packets else []), *([missing] if gaps else [])]

    def close(self) -> None:
        """Nothing is kept open between images."""


def is_animated(data: bytes) -> bool:
    """Whether the bytes of a PNG or WebP image, or the first ones of them, say that it moves."""
    if data.startswith(b"\x89PNG"):
        return b"acTL" in data[: data.find(b"IDAT")]
    return data.startswith(b"RIFF") and b"ANIM" in data[:64]


def has_alpha(frame: av.VideoFrame) -> bool:
    """Whether any pixel of a picture is not opaque."""
    planes = [component for component in frame.format.components if component.is_alpha]
    if not planes and not frame.format.has_palette:
        return False
    alpha = frame.reformat(format="rgba", threads=1).to_ndarray()[..., 3]
    return bool(alpha.min() < 255)


def _decode_image(data: bytes) -> av.VideoFrame:
    """First picture of an image. Raises av.FFmpegError, ValueError or StopIteration."""
    # From memory, because FFmpeg reads a path with a "%" or a "*" in it as a pattern over many files.
    with av.open(BytesIO(data), "r", metadata_errors="replace") as container:
        return next(container.decode(video=0))

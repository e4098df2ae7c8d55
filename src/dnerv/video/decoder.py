"""Pictures as FFmpeg decodes them, from a video file or from numbered images, with what the source says of
their time.

Only pictures that really decode count: frame counts and durations of headers are never read. A packet that
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

# FFmpeg draws any file named .txt as a terminal; nobody who names a text file means that.
_NOT_VIDEOS = frozenset({"tty"})


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

    def pictures(self) -> Iterator[Picture]:
        """Decode from the beginning."""

    def close(self) -> None:
        """Release the file."""


_CLOSED_BEFORE_COLLECTING_ALL = 64  # files: a whole collection takes longer than decoding a short clip
_closed = count(1)


class FileDecoder:
    """Decoder of the best video stream of one file (cover art of an audio file is not video)."""

    def __init__(self, path: Path) -> None:
        """Open `path`. Raises InputError, or av.FFmpegError / OSError for what FFmpeg cannot read."""
        # The explicit protocol keeps a file named like "http:..." or "pipe:0" a file.
        self._container: InputContainer = av.open(
            f"file:{path}", "r", options={"protocol_whitelist": "file"}, metadata_errors="replace"
        )
        try:
            self._stream = _video_stream(path, self._container)
        except BaseException:
            self._container.close()
            raise
        self.time_base = self._stream.time_base or Fraction(1, 1000)
        self.step = average_step(self.time_base, self._stream.average_rate or self._stream.guessed_rate)
        self.bad_packets = 0

    def pictures(self) -> Iterator[Picture]:
        """Yield every picture that decodes."""
        # AVI stores no presentation times and FFmpeg's guesses are wrong with B-frames; pictures come out in
        # display order, so the running time of the packets is theirs.
        by_decode_time = self._container.format.name == "avi"
        for packet in self._packets():
            for frame in self._decode(packet):
                self.bad_packets += frame.is_corrupt
                pts = frame.dts if by_decode_time or frame.pts is None else frame.pts
                yield Picture(frame, pts, frame.duration)

    def close(self) -> None:
        """Release the file."""
        self._container.close()
        # A container and its streams refer to each other, so their buffers (tens of megabytes) would wait for a
        # collection that a program which makes few objects hardly ever runs. They are young: the two young
        # generations are searched in a millisecond, whatever else the program holds.
        gc.collect(1 if next(_closed) % _CLOSED_BEFORE_COLLECTING_ALL else 2)

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
        kinds = sorted({str(s.type) for s in container.streams}) or ["no"]
        raise InputError(f"{path}: holds no video, only {' and '.join(kinds)} streams")
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

    def pictures(self) -> Iterator[Picture]:
        """Yield every image that decodes; one that does not leaves its time to the image before it."""
        for index, path in enumerate(self._images):
            try:
                yield Picture(_decode_image(path), index, 1)
            except (av.FFmpegError, OSError, ValueError, StopIteration):
                self.bad_packets += 1

    def close(self) -> None:
        """Nothing is kept open between images."""


def _decode_image(path: Path) -> av.VideoFrame:
    """First picture of an image file. Raises av.FFmpegError, OSError, ValueError or StopIteration."""
    # From memory, because FFmpeg reads a path with a "%" or a "*" in it as a pattern over many files.
    with av.open(BytesIO(path.read_bytes()), "r", metadata_errors="replace") as container:
        return next(container.decode(video=0))

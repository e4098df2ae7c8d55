"""Decoded frames back to people: an mp4 that plays anywhere, or a folder of PNG images.

Output gathers under a temporary name beside its destination and is renamed at the end, so that an error, a
full disk or Ctrl-C leaves nothing half written.
"""

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from numpy.typing import NDArray

from dnerv.errors import InputError, OutputError
from dnerv.video.picture import video_frame
from dnerv.video.timing import Timing


def write_mp4(
    path: Path, frames: Iterable[NDArray[np.uint8]], timing: Timing, *, crf: float = 16, force: bool = False
) -> None:
    """Write `frames`, each uint8 [H, W, 3] RGB, as H.264 (BT.709, limited range, flagged so) with their own
    times.

    crf: x264's quality, 0 (lossless luma) to 51. Even sizes are 4:2:0; odd ones, which 4:2:0 cannot hold, are
    4:4:4. A start before time 0 is moved to 0, since players drop what comes earlier.
    Raises OutputError if `path` exists and not `force`, or cannot be written; InputError if the frames do not
    fit `timing` or each other.
    """
    if not 0 <= crf <= 51:
        raise InputError(f"crf {crf}: allowed are 0 to 51")
    if path.is_dir():
        raise OutputError(f"{path}: is a folder, a file name is needed")
    with _published(path, force) as partial:
        # Times below a millisecond survive only if the movie's own time scale is as fine as the stream's.
        options = {"movie_timescale": str(timing.time_base.denominator), "movflags": "+faststart"}
        with av.open(str(partial), "w", format="mp4", options=options) as container:
            _encode(container, frames, timing, crf, path)


def write_png_folder(directory: Path, frames: Iterable[NDArray[np.uint8]], *, force: bool = False) -> None:
    """Write `frames`, each uint8 [H, W, 3] RGB, losslessly as 00000.png, 00001.png, ... in `directory`.

    Raises OutputError if `directory` holds anything (with `force`: anything but such images, which are
    replaced) or cannot be written; InputError if a frame is of another size than the first, or there is none.
    """
    replaceable = _is_replaceable(directory, force)
    with _published(directory, replaceable) as partial:
        partial.mkdir()
        encoder: VideoCodecContext | None = None
        for index, frame in enumerate(frames):
            encoder = encoder or _png_encoder(frame)
            _check_frame(frame, (encoder.height, encoder.width), directory)
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            (partial / f"{index:05d}.png").write_bytes(b"".join(bytes(p) for p in encoder.encode(picture)))
        if encoder is None:
            raise InputError(f"{directory}: there is no frame to write")


@contextmanager
def _published(path: Path, force: bool) -> Iterator[Path]:
    """A temporary sibling of `path` that takes its place if the block ends well and vanishes if not."""
    if os.path.lexists(path) and not force:
        raise OutputError(f"{path}: exists already; --force (force=True) replaces it")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(partial)
        yield partial
        if path.is_dir():
            _remove(path)
        partial.replace(path)
    except (OSError, av.FFmpegError) as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        _remove(partial)


def _remove(path: Path) -> None:
    """Delete a file or folder; one that cannot be deleted is left to the step that needs its name."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _is_replaceable(directory: Path, force: bool) -> bool:
    """Whether what stands at `directory` may go: nothing in it or, by `force`, only our own images."""
    if not os.path.lexists(directory):
        return True
    if not directory.is_dir():
        raise OutputError(f"{directory}: is a file, a folder name is needed")
    try:
        names = [entry.name for entry in directory.iterdir()]
    except OSError as error:
        raise OutputError(f"{directory}: cannot be read ({error.strerror})") from error
    foreign = [name for name in names if not re.fullmatch(r"[0-9]{5,}\.png", name)]
    if force and foreign:
        raise OutputError(f"{directory}: holds {foreign[0]!r}, not only our PNG images; it is left as it is")
    return force or not names


def _encode(
    container: OutputContainer, frames: Iterable[NDArray[np.uint8]], timing: Timing, crf: float, path: Path
) -> None:
    shift = max(0, -timing.pts[0])
    times = [tick + shift for tick in timing.pts]
    ends = [*times[1:], times[-1] + timing.last_duration]
    durations = {begin: end - begin for begin, end in zip(times, ends, strict=True)}
    stream: VideoStream | None = None
    count = 0
    for count, frame in enumerate(frames, 1):
        stream = stream or _add_stream(container, frame, timing, crf)
        _check_frame(frame, (stream.height, stream.width), path)
        if count > len(times):
            break
        picture = video_frame(frame, stream.pix_fmt or "yuv420p")
        picture.pts, picture.time_base = times[count - 1], timing.time_base
        _mux(container, stream, picture, durations)
    if stream is None or count != len(times):
        given = "more" if count > len(times) else count
        raise InputError(f"{path}: {len(times)} frames were announced by the timing, {given} were given")
    _mux(container, stream, None, durations)


def _add_stream(container: OutputContainer, frame: NDArray[np.uint8], timing: Timing, crf: float) -> VideoStream:
    # Without B-frames decoding and display order agree, and every frame's duration is exact in the file.
    options = {"crf": str(crf), "bf": "0"}
    rate = Fraction(timing.average_fps).limit_denominator(1001)
    stream = container.add_stream("libx264", rate=max(rate, Fraction(1, 1001)), options=options)
    stream.height, stream.width = frame.shape[:2]
    stream.pix_fmt = "yuv444p" if stream.height % 2 or stream.width % 2 else "yuv420p"
    context = stream.codec_context
    context.time_base = stream.time_base = timing.time_base
    context.color_range, context.colorspace = ColorRange.MPEG, Colorspace.ITU709
    context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    return stream


def _mux(
    container: OutputContainer, stream: VideoStream, picture: av.VideoFrame | None, durations: dict[int, int]
) -> None:
    for packet in stream.encode(picture):
        packet.duration = durations[cast(int, packet.pts)]
        container.mux(packet)


def _png_encoder(frame: NDArray[np.uint8]) -> VideoCodecContext:
    encoder = av.CodecContext.create("png", "w")
    encoder.height, encoder.width = frame.shape[:2]
    encoder.pix_fmt, encoder.time_base = "rgb24", Fraction(1, 25)
    encoder.thread_count = 1  # frame threads would hold images back
    return encoder


def _check_frame(frame: NDArray[np.uint8], size: tuple[int, int], path: Path) -> None:
    if frame.dtype != np.uint8 or frame.shape != (*size, 3):
        raise InputError(f"{path}: frame of {frame.dtype} {list(frame.shape)}, not uint8 {[*size, 3]}")

"""A LeRobot folder again, of one whose videos are in an archive: all is copied, videos are coded as LeRobot does.

A version 3 file holds several episodes; each frame goes where its episode's metadata say, at the time it had there.
LeRobot finds frames by number, time by rate: where there are none, since no episode had them, the one before stays.
"""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple, cast

import av
import numpy as np
from numpy.typing import NDArray

from dnerv import progress
from dnerv.archive import Archive, VideoReader
from dnerv.codecs.priority import priority_kept
from dnerv.errors import InputError, OutputError
from dnerv.files import remove, temporary_beside
from dnerv.integrations.lerobot.layout import ARCHIVE, ORIGINAL_INFO, LeRobotFolder, copy_files, video_name
from dnerv.integrations.lerobot.options import FileOptions
from dnerv.video.picture import video_frame
from dnerv.video.planes import Planes

if TYPE_CHECKING:
    from av.video.stream import VideoStream

_ENCODERS = {"libsvtav1": "libsvtav1", "h264": "libx264", "hevc": "libx265"}  # by LeRobot's names


@dataclass(frozen=True)
class UnpackResult:
    """A folder of video files."""

    path: Path
    num_files: int
    video_bytes: int


class _Piece(NamedTuple):
    """A video in its file."""

    reader: VideoReader
    begin: Fraction  # seconds of the file at which the video's time is 0

    @property
    def seconds(self) -> list[Fraction]:
        timing = self.reader.entry.timing
        return [self.begin + pts * timing.time_base for pts in timing.pts]


def to_lerobot(
    folder: Path | str, output: Path | str, options: FileOptions | None = None, *, force: bool = False
) -> UnpackResult:
    """Write the LeRobot folder that `from_lerobot` has made `folder` of, with video files, decoded and coded again.

    Raises:
        InputError: no such folder, or an archive that does not have the frames of its tables.
        ArchiveError: the archive is damaged.
        OutputError: the output exists and `force` is off, or cannot be written.
    """
    options, output = options or FileOptions(), Path(output)
    source = LeRobotFolder(Path(folder))
    if output.exists() and not (force or (output.is_dir() and not any(output.iterdir()))):
        raise OutputError(f"{output}: exists already; --force (force=True) replaces it")
    if output.resolve().is_relative_to(source.path.resolve()) or source.path.resolve().is_relative_to(output.resolve()):
        raise OutputError(f"{output}: lies in the folder that is read, or around it; name another output")
    with Archive(source.path / ARCHIVE) as archive:
        files = _pieces(source, archive)
        progress.stage("writing videos", source.table.num_rows * len(source.cameras))
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            with temporary_beside(output, is_folder=True) as made:
                _copy(source.path, made)
                for path, pieces in files.items():
                    (made / path).parent.mkdir(parents=True, exist_ok=True)
                    _write(made / path, pieces, source.fps, options)
                sizes = [(made / path).stat().st_size for path in files]
                if output.exists():
                    remove(output)
                made.rename(output)
        except OSError as error:
            raise OutputError(f"{output}: cannot be written ({error.strerror or error})") from error
    return UnpackResult(output, len(files), sum(sizes))


def _pieces(source: LeRobotFolder, archive: Archive) -> dict[PurePosixPath, list[_Piece]]:
    """By file, in the order of their times. Raises InputError where the archive is not of these tables."""
    files: dict[PurePosixPath, list[_Piece]] = defaultdict(list)
    for episode, rows in zip(source.episodes, source.rows, strict=True):
        for camera in source.cameras:
            reader = archive.reader(archive[video_name(camera, episode.number)].entry, dimension_order="NHWC")
            if len(reader) != len(rows):
                raise InputError(
                    f"{archive.title}: episode {episode.number}, {camera}, has {len(reader)} frames, and its table "
                    f"{len(rows)} rows"
                )
            place = episode.videos[camera]
            base = reader.entry.timing.time_base
            files[place.path].append(_Piece(reader, base * round(place.begin_seconds / base)))
    for pieces in files.values():
        pieces.sort(key=lambda piece: piece.begin)
    return files


def _write(path: Path, pieces: Sequence[_Piece], fps: float, options: FileOptions) -> None:
    """One file. Raises InputError where its episodes do not follow each other, or cannot be coded."""
    base = _common([piece.reader.entry.timing.time_base for piece in pieces] + [piece.begin for piece in pieces])
    reader = pieces[0].reader
    planes = Planes(depth=8)
    os.environ.setdefault("SVT_LOG", "0")  # fatal errors only; the others come back as exceptions
    try:
        with av.open(str(path), "w", options={"movflags": "+faststart"}) as container, priority_kept():
            rate = Fraction(fps).limit_denominator(1001)
            stream = cast("VideoStream", container.add_stream(_ENCODERS[options.codec], rate=rate))
            stream.height, stream.width = reader.entry.original_size
            stream.pix_fmt = planes.pixel_format
            stream.codec_context.time_base = stream.time_base = base
            stream.codec_context.options = _words(options)
            for seconds, frame in _filled(path, pieces, 1 / fps):
                picture = video_frame(frame, planes.pixel_format, planes)
                picture.pts, picture.time_base = int(seconds / base), base
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
    except av.FFmpegError as error:
        size = "x".join(map(str, reader.entry.original_size))
        raise InputError(f"{path.name}: {options.codec} cannot code {size} frames ({error.strerror})") from error


def _filled(path: Path, pieces: Sequence[_Piece], step: float) -> Iterator[tuple[Fraction, NDArray[np.uint8]]]:
    """Times in the file and frames, uint8 [H, W, 3]; where there is none for a time, the one before is given again."""
    exact = Fraction(step).limit_denominator(100_000)
    due = Fraction(0)
    last: NDArray[np.uint8] | None = None
    for piece in pieces:
        for seconds, frame in zip(piece.seconds, piece.reader, strict=True):
            picture = frame.cpu().numpy()
            if seconds < due - exact / 2:
                raise InputError(f"{path.name}: its episodes overlap, says the metadata")
            while seconds > due + exact / 2:
                yield due, picture if last is None else last
                due += exact
            yield seconds, picture
            progress.advance()
            last, due = picture, seconds + exact


def _words(options: FileOptions) -> dict[str, str]:
    words = {"g": str(options.group), "crf": str(options.crf)}
    if options.codec == "libsvtav1":
        # With more than one level of parallelism SVT-AV1 can hang at such presets.
        return words | {"preset": str(options.preset), "svtav1-params": "lp=1"}
    return words | {"bf": "0"}


def _common(durations: Sequence[Fraction]) -> Fraction:
    """The largest duration that all of these are multiples of."""
    known = [each for each in durations if each]
    return Fraction(gcd(*(each.numerator for each in known)), lcm(*(each.denominator for each in known)))


def _copy(source: Path, target: Path) -> None:
    original = source / ORIGINAL_INFO
    copy_files(source, target, besides=[(source / ARCHIVE).resolve(), original.resolve()])
    if original.exists():
        shutil.copyfile(original, target / "meta" / "info.json")

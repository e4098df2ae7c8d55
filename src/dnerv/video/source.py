"""A video file, or a folder of numbered images, as a stream of upright RGB frames with their exact times.

    path -> Decoder -> Clock (times repaired) -> resample (if asked) -> upright_rgb -> (pts, uint8 [H, W, 3])

Two frames are in memory at a time. What a video really holds (its frame count, times and size) is known only
once it has been decoded, so `FrameStream` tells it at the end.
"""

from collections.abc import Callable, Generator, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from dnerv.errors import InputError
from dnerv.video.cadence import Clock, checked_rate, resample, stamped
from dnerv.video.decoder import Decoder, FileDecoder, ImageDecoder, Picture, is_animated
from dnerv.video.listing import image_sequences, is_image_name, numbered_images
from dnerv.video.parts import FilePart
from dnerv.video.picture import planes_of, upright_rgb, upright_size
from dnerv.video.planes import Planes
from dnerv.video.tars import member_length, split_tar_path
from dnerv.video.timing import Timing

DEFAULT_IMAGE_FPS = Fraction(24)
_PLANES_OF_IMAGES = Planes("bt709", depth=8)  # what players expect of a video made of pictures
_LARGEST_SIDE = 16384  # pixels; swscale's own limit is near, and a larger one is a typing error


class FrameStream:
    """Iterator over (pts, frame): ticks of the timing's time base, uint8 [H, W, 3] RGB in [0, 255].

    A frame shown at several ticks is one array, given several times: do not write into it.
    Once exhausted it knows `timing`, `original_size`, `planes`, `bad_packets` and `remarks`. Iterating raises
    InputError, in one line that names the file, when it cannot be read or not a single frame decodes.
    """

    def __init__(
        self,
        path: Path,
        open_decoder: Callable[[], Decoder],
        size: tuple[int, int] | None,
        fps: Fraction | None,
        planes: Planes | None = None,
    ) -> None:
        """planes: what the source is taken for; None for what its first frame says."""
        self._path = path
        self._open_decoder = open_decoder
        self._size = size
        self._fps = fps
        self._pts: list[int] = []
        self._timing: Timing | None = None
        self._original_size: tuple[int, int] | None = None
        self._planes = planes
        self.bad_packets = 0  # packets or images skipped as undecodable, plus pictures the decoder had to patch up
        self.remarks: tuple[str, ...] = ()  # what a user should know: damage, missing frames, what is not kept
        self._frames = self._stream()

    def __iter__(self) -> "FrameStream":
        return self

    def __next__(self) -> tuple[int, NDArray[np.uint8]]:
        return next(self._frames)

    def close(self) -> None:
        """Release the file before the stream is exhausted."""
        self._frames.close()

    @property
    def timing(self) -> Timing:
        """Times of the frames that were yielded. Raises RuntimeError before the stream is exhausted."""
        if self._timing is None:
            raise RuntimeError("the timing is known once every frame has been read")
        return self._timing

    @property
    def original_size(self) -> tuple[int, int]:
        """(height, width) in pixels of the first frame, upright, unscaled. RuntimeError before it is read."""
        if self._original_size is None:
            raise RuntimeError("the size is known once a frame has been read")
        return self._original_size

    @property
    def planes(self) -> Planes:
        """Matrix, range and bits of the first frame before it became RGB; BT.709, limited, 8 bits for still images.

        RuntimeError before it is read.
        """
        if self._planes is None:
            raise RuntimeError("the planes are known once a frame has been read")
        return self._planes

    def _stream(self) -> Generator[tuple[int, NDArray[np.uint8]], None, None]:
        try:
            decoder = self._open_decoder()
            try:
                yield from self._converted(decoder)
                self.remarks = tuple(decoder.remarks())
            finally:
                self.bad_packets = decoder.bad_packets
                decoder.close()
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"{self._path}: cannot be read as a video ({_reason(error)})") from error

    def _converted(self, decoder: Decoder) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Frames in RGB; a picture that is shown at several ticks is converted once."""
        clock = Clock(decoder.time_base, decoder.step)
        last: Picture | None = None
        for pts, picture in self._paced(decoder, clock):
            if picture is not last:
                last, rgb = picture, self._convert(picture)
            self._pts.append(pts)
            yield pts, rgb
        if not self._pts:
            raise InputError(f"{self._path}: not one frame could be decoded ({decoder.bad_packets} bad packets)")
        time_base = decoder.time_base if self._fps is None else 1 / self._fps
        self._timing = Timing(time_base, self._pts, clock.last_duration if self._fps is None else 1)

    def _paced(self, decoder: Decoder, clock: Clock) -> Iterator[tuple[int, Picture]]:
        timed = stamped(decoder.pictures(), clock, lambda picture: (picture.pts, picture.duration))
        if self._fps is None:
            return timed
        return resample(timed, lambda: clock.end, decoder.time_base, self._fps)

    def _convert(self, picture: Picture) -> NDArray[np.uint8]:
        if self._original_size is None:
            self._original_size = upright_size(picture.frame)
            self._planes = self._planes or planes_of(picture.frame)
        # Later pictures of another size (a stream that switches, a mixed folder) follow the first.
        return upright_rgb(picture.frame, self._size or self._original_size)


class VideoSource:
    """A video file, a single image, or numbered images shown at `image_fps`.

    Of a folder that holds several sequences of images, `FOLDER/img_*.jpg` is one (see `dnerv.video.listing`); of a tar
    file, `clips.tar/walk/01.mp4` is a member (`dnerv.video.tars`).
    """

    def __init__(
        self, path: Path | str, *, part: FilePart | None = None, image_fps: Fraction = DEFAULT_IMAGE_FPS
    ) -> None:
        """`part`: of a video file; None: all of it.

        Raises InputError if there is nothing readable at `path`; the file is opened by `frames`.
        """
        self.path, self._part = Path(path), part
        self._inside = split_tar_path(self.path)
        self._image_fps = checked_rate(image_fps)
        try:
            self._images = _images_at(self.path)
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({_reason(error)})") from error
        if part is not None and self._images:
            raise InputError(f"{self.path}: parts are of video files, not of images")

    @property
    def files(self) -> list[Path]:
        """The files that make up this video, in display order."""
        return self._images or [self.path if self._inside is None else self._inside[0]]

    @property
    def inside(self) -> str | None:
        """The name of the member of a tar file that it is; None for a file of its own."""
        return None if self._inside is None else self._inside[1]

    def frames(self, *, size: tuple[int, int] | None = None, fps: Fraction | None = None) -> FrameStream:
        """Decode from the beginning; may be called again.

        size: (height, width) in pixels to scale to, bicubic; None keeps the first frame's size.
        fps: constant rate to resample to; None keeps every frame and its time. For images it is their rate.
        Raises InputError for a size or rate that is out of range.
        """
        if size is not None and not all(1 <= side <= _LARGEST_SIDE for side in size):
            raise InputError(f"frame size {size[0]}x{size[1]}: allowed are 1 to {_LARGEST_SIDE} pixels a side")
        rate = None if fps is None else checked_rate(fps)
        if self._images:
            images, image_fps = self._images, rate or self._image_fps
            return FrameStream(self.path, lambda: ImageDecoder(images, image_fps), size, None, _PLANES_OF_IMAGES)
        return FrameStream(self.path, lambda: FileDecoder(self.path, self._part), size, rate)


def _images_at(path: Path) -> list[Path]:
    """The images to show, none for a video file. Raises InputError, or OSError if the disk refuses."""
    if path.is_dir():
        return _images_in(path)
    if not path.exists():
        if "*" in path.name and path.parent.is_dir():
            sequence = image_sequences(numbered_images(path.parent)).get(path.name)
            if sequence:
                return sequence
        inside = split_tar_path(path)
        if inside is not None:
            if not member_length(*inside):
                raise InputError(f"{path}: the file is empty")
            return []
        raise InputError(f"{path}: no such file or folder")
    if path.is_file() and path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    if not is_image_name(path):
        return []
    with path.open("rb") as file:
        return [] if is_animated(file.read(1 << 16)) else [path]


def _images_in(folder: Path) -> list[Path]:
    """The one sequence of a folder: all of its numbered images where no two have names of a kind."""
    images = numbered_images(folder)
    if not images:
        raise InputError(f"{folder}: a folder without numbered images, such as 00001.png")
    sequences = {pattern: members for pattern, members in image_sequences(images).items() if len(members) > 1}
    if len(sequences) > 1:
        raise InputError(f"{folder}: holds {len(sequences)} sequences of images, name one: {', '.join(sequences)}")
    return next(iter(sequences.values()), images)


def _reason(error: Exception) -> str:
    """The cause in a few words, without the errno and path that FFmpeg adds."""
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]

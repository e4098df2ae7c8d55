"""Raw frames of one video in a file on disk: appended in order, read back by index.

Reads go through `os.preadv` into the caller's array, never through a memory map: the pages live in the
system's cache and not in this process, so resident memory does not grow with the corpus.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import FrameIndexError, InputError, OutputError


@dataclass(frozen=True)
class FrameStore:
    """Frames of one video on disk, read-only.

    The file is opened for each read: a store can be pickled, forked and shared by threads, and ten thousand
    of them use no file descriptor.
    """

    path: Path
    height: int  # pixels
    width: int  # pixels
    num_frames: int

    def __len__(self) -> int:
        return self.num_frames

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Frame `index`: uint8 [H, W, 3] RGB. Raises FrameIndexError (an IndexError) outside [0, num_frames)."""
        if not 0 <= index < self.num_frames:
            raise FrameIndexError(f"{self.path}: frame {index} asked, allowed are 0 to {self.num_frames - 1}")
        frame: NDArray[np.uint8] = self.read([index])[0]
        return frame

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """All frames in order, one in memory at a time."""
        return (self[index] for index in range(self.num_frames))

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return self.height * self.width * 3

    def is_complete(self) -> bool:
        """Whether the file is there and exactly as long as its frames."""
        try:
            return self.path.stat().st_size == self.frame_bytes * self.num_frames
        except OSError:
            return False

    def read(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.uint8]:
        """Frames at `indices` (any order, repeats allowed): uint8 [len(indices), H, W, 3] RGB.

        Raises InputError for an index outside [0, num_frames) or a file that cannot be read.
        """
        wanted = [int(index) for index in indices]
        if wanted and not (min(wanted) >= 0 and max(wanted) < self.num_frames):
            raise InputError(f"{self.path}: frames {wanted} asked, allowed are 0 to {self.num_frames - 1}")
        frames = np.empty((len(wanted), self.height, self.width, 3), np.uint8)
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
            try:
                for frame, index in zip(frames, wanted, strict=True):
                    self._fill(descriptor, frame.reshape(-1).data, index * self.frame_bytes)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise InputError(f"{self.path}: cached frames cannot be read ({error.strerror})") from error
        return frames

    def _fill(self, descriptor: int, view: memoryview, offset: int) -> None:
        """Read until `view` is full; the kernel may return less than asked."""
        done = 0
        while done < len(view):
            count = os.preadv(descriptor, [view[done:]], offset + done)
            if count == 0:
                raise InputError(f"{self.path}: the cached frames end early; delete the file to rebuild it")
            done += count


class FrameStoreWriter:
    """Appends frames to a new store; use it in a `with` block.

    The frames gather beside `path` and take its name only when the block ends well; otherwise nothing is
    left.
    Raises OutputError, in one line, when the disk is full or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        """Start a new file, replacing one that a killed run left half written."""
        self.path = path
        self._partial = path.with_name(path.name + ".partial")
        self._shape: tuple[int, ...] | None = None
        self._count = 0
        self._digest = hashlib.blake2b(digest_size=16)
        try:
            self._descriptor = os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        except OSError as error:
            raise _cannot_write(path, error) from error

    def __enter__(self) -> "FrameStoreWriter":
        return self

    def append(self, frame: NDArray[np.uint8]) -> None:
        """Write one frame, uint8 [H, W, 3], of the same size as those before."""
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise ValueError(f"a frame is uint8 [H, W, 3], not {frame.dtype} {list(frame.shape)}")
        if frame.shape != (self._shape or frame.shape):
            raise ValueError(f"frame of {list(frame.shape)} in a store of {list(self._shape or ())}")
        self._shape = frame.shape
        rest = np.ascontiguousarray(frame).reshape(-1).data
        self._digest.update(rest)
        try:
            while len(rest):
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            raise _cannot_write(self.path, error) from error
        self._count += 1

    @property
    def digest(self) -> str:
        """What tells these frames from others: a hash of all bytes so far, in hexadecimal digits."""
        return self._digest.hexdigest()

    def store(self) -> FrameStore:
        """The finished store; call it after the `with` block."""
        height, width = self._shape[:2] if self._shape else (0, 0)
        return FrameStore(self.path, height, width, self._count)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                os.fsync(self._descriptor)
                self._partial.replace(self.path)
        except OSError as failure:
            raise _cannot_write(self.path, failure) from failure
        finally:
            os.close(self._descriptor)
            self._partial.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path}: cannot be written ({error.strerror or error})")

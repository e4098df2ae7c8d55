"""Frames stored one by one, as most data sets for training are: JPEG (q = 2 of FFmpeg, as ffmpeg -q:v 2) and PNG.

Each is decoded by the faster of the decoders at hand: JPEG by Pillow where it is installed, PNG by FFmpeg; measured at
128x160 to 480x854 Pillow is 1.4 to 1.8 times faster in JPEG, and 1.6 times slower in PNG.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import av
import numpy as np
import torch
from torch import Tensor

from dnerv.evaluation.machine import usable_cores
from dnerv.families import channels_first
from dnerv.studies.loading_speed.candidate import Candidate, ClipPlace, Load
from dnerv.studies.loading_speed.sample import Frame, Sample

Format = Literal["jpeg", "png"]
Decode = Callable[[bytes], Frame]

_ENCODERS: dict[Format, tuple[str, str, dict[str, str]]] = {
    "jpeg": ("mjpeg", "yuvj420p", {"qmin": "2", "qmax": "2"}),
    "png": ("png", "rgb24", {}),
}


def stored_frames(
    format: Format,
    sample: Sample,
    folder: Path,
    batch_size: int,
    device: torch.device,
    advance: Callable[[], None] = lambda: None,
) -> Candidate:
    """Write the sampled videos' frames below `folder`, one file each; `advance` is called after every one."""
    size = 0
    for video in sample.videos.values():
        for index in range(len(video.store)):
            data = encode_picture(video.store.read([index])[0], format)
            _path(folder, video.video, index, format).write_bytes(data)
            size += len(data)
            advance()
    decoder, decode = picture_decoder(format)
    wanted = {(place.video, index) for place in sample.places for index in sample.frames_of(place)}
    files = tuple(_path(folder, video, index, format) for video, index in sorted(wanted))
    quality = "q = 2, 4:2:0, " if format == "jpeg" else ""
    note = f"{quality}one file a frame, decoded by {decoder} in {usable_cores()} threads"
    opened = partial(_opened, decode, sample, folder, format, device)
    return Candidate(format.upper(), "stored frames", batch_size, files, size, note, opened)


def encode_picture(frame: Frame, format: Format) -> bytes:
    """One picture, uint8 [H, W, 3] RGB, as a file."""
    name, pixel_format, options = _ENCODERS[format]
    encoder = av.CodecContext.create(name, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.height, encoder.width = frame.shape[:2]
    encoder.pix_fmt, encoder.time_base, encoder.options = pixel_format, Fraction(1, 25), options
    picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=pixel_format)
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])


def picture_decoder(format: Format) -> tuple[str, Decode]:
    """The decoder's name, and a function from a file's bytes to uint8 [H, W, 3] RGB."""
    if format == "jpeg" and find_spec("PIL") is not None:
        return "Pillow", _decode_with_pillow
    return "FFmpeg", partial(_decode_with_ffmpeg, _ENCODERS[format][0])


def _decode_with_pillow(data: bytes) -> Frame:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        return np.array(picture, np.uint8)


def _decode_with_ffmpeg(codec: str, data: bytes) -> Frame:
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1  # pictures are what is done in parallel
    packet = av.Packet(data)
    picture = [*decoder.decode(packet), *decoder.decode(None)][0]
    return np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)


@contextmanager
def _opened(decode: Decode, sample: Sample, folder: Path, format: Format, device: torch.device) -> Iterator[Load]:
    with ThreadPoolExecutor(usable_cores()) as pool:

        def load(batch: Sequence[ClipPlace]) -> list[Tensor]:
            clips = [sample.frames_of(place) for place in batch]
            paths = [_path(folder, p.video, i, format) for p, clip in zip(batch, clips, strict=True) for i in clip]
            frames = iter(list(pool.map(lambda path: decode(path.read_bytes()), paths)))
            return [channels_first(np.stack([next(frames) for _ in clip])).to(device) for clip in clips]

        yield load


def _path(folder: Path, video: int, index: int, format: Format) -> Path:
    return folder / f"{video}-{index:06d}.{format}"

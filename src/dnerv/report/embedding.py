"""Frames inside the page: AVIF, and how close it comes to what was decoded.

Of what Pillow writes and browsers show, AVIF without subsampled colours takes the fewest bytes at a quality that no eye
tells from the frame (`docs/log.md`): 45 dB, with 8 to 10 kB a frame of 128x160, where JPEG takes 12 to 16. WebP stores
colours at half the size and stays below 41 dB whatever it may take.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import InputError
from dnerv.evaluation import psnr
from dnerv.video.masks import Mask

FRAME_QUALITY = 95
LARGE_FRAME_QUALITY = 90  # of frames above `_LARGE` pixels, which come as close with it: 44 to 45 dB
MAP_QUALITY = 75  # of differences, whose errors are shown `DIFFERENCE_GAIN` times smaller than they are stored
_LARGE = 100_000
_SPEED = 8  # of 0 to 10: slower ones save 1 %
FORMAT = "image/avif"

Picture = NDArray[np.uint8]  # [H, W, 3] RGB


def check_embedding() -> None:
    """Raise InputError where frames could not be embedded, before anything is decoded."""
    _pillow()


@dataclass
class Embedder:
    """Embeds pictures, and remembers what that cost."""

    quality: int | None = None  # of AVIF, up to 100; None: that of frames of their size
    count: int = 0
    size: int = 0  # bytes, before base64
    errors: list[float] = field(default_factory=list)  # dB of each picture

    def embed(self, picture: Picture, shown: Mask | None = None) -> str:
        """The picture as base64. `shown`: the pixels that matter; what is around them is whatever costs nothing."""
        image, buffer = _pillow(), BytesIO()
        stored = np.ascontiguousarray(picture)
        frames = LARGE_FRAME_QUALITY if stored[..., 0].size > _LARGE else FRAME_QUALITY
        quality = frames if self.quality is None else self.quality
        image.fromarray(stored).save(
            buffer, format="AVIF", quality=quality, subsampling="4:4:4", speed=_SPEED, max_threads=1
        )
        data = buffer.getvalue()
        self.count += 1
        self.size += len(data)
        self.errors.append(self._error(stored, np.asarray(image.open(BytesIO(data)).convert("RGB")), shown))
        return b64encode(data).decode()

    def embed_mask(self, mask: Mask) -> str:
        """Which pixels are hidden, white on nothing, as base64 of a PNG: without loss."""
        image, buffer = _pillow(), BytesIO()
        grey = np.full(mask.shape, 255, np.uint8)
        image.fromarray(np.stack([grey, mask.astype(np.uint8) * 255], axis=-1), "LA").save(buffer, format="PNG")
        self.size += len(buffer.getvalue())
        return b64encode(buffer.getvalue()).decode()

    def _error(self, given: Picture, stored: Picture, shown: Mask | None) -> float:
        import torch

        squared = np.square(given.astype(np.float64) - stored)
        chosen = squared if shown is None else squared[shown]
        return float(psnr(torch.tensor(chosen.mean() if chosen.size else 0.0, dtype=torch.float64)))


def _pillow() -> Any:
    try:
        from PIL import Image, features
    except ImportError:
        raise InputError("a report's pictures need the extra: pip install 'dnerv[demo]'") from None
    if not features.check("avif"):
        raise InputError("this Pillow cannot write AVIF, which a report's pictures are; Pillow 11.3 and newer can")
    return Image

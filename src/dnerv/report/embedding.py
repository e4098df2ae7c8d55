"""Pictures inside the page: AVIF, and how close frames come to what was decoded.

Of what Pillow writes and browsers show, AVIF without subsampled colours takes the fewest bytes at a quality that no eye
tells from the frame (`docs/log.md`): 45 dB, with 8 to 10 kB a frame of 128x160, where JPEG takes 12 to 16. WebP stores
colours at half the size and stays below 41 dB whatever it may take.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from dnerv.codecs.fidelity import mse, psnr
from dnerv.errors import InputError
from dnerv.studies.views import Picture

FRAME_QUALITY = 95
LARGE_FRAME_QUALITY = 90  # of frames above `_LARGE` pixels, which come as close with it: 44 to 45 dB
MAP_QUALITY = 75  # of colours that stand for something else
_LARGE = 100_000
_SPEED = 8  # of 0 to 10: slower ones save 1 %
FORMAT = "image/avif"


@dataclass
class Embedder:
    """Embeds pictures, and remembers how close frames came."""

    errors: list[float] = field(default_factory=list)  # dB of each frame, where it is shown

    def frame(self, picture: Picture) -> str:
        """A decoded frame as base64. Of four channels, the pixels that are not shown cost nothing."""
        text, stored = _stored(picture, LARGE_FRAME_QUALITY if picture[..., 0].size > _LARGE else FRAME_QUALITY)
        shown = picture[..., 3] > 0 if picture.shape[-1] == 4 else np.ones(picture.shape[:2], bool)
        if shown.any():
            self.errors.append(psnr(float(mse(picture[shown][:, :3], stored[shown][:, :3]))))
        return text


def coarse(picture: Picture) -> str:
    """A map of something, or a sheet, as base64."""
    return _stored(picture, MAP_QUALITY)[0]


def file_picture(path: Path) -> tuple[str, int, int]:
    """A picture's file as base64, with its height and width."""
    with _pillow().open(path) as image:
        picture = np.asarray(image.convert("RGB"))
    return _stored(picture, LARGE_FRAME_QUALITY)[0], *picture.shape[:2]


def check_embedding() -> None:
    """Raise InputError where pictures could not be embedded, before anything is decoded."""
    _pillow()


def _stored(picture: Picture, quality: int) -> tuple[str, Picture]:
    """As base64, and as a browser will show it."""
    image, buffer = _pillow(), BytesIO()
    how = {"format": "AVIF", "quality": quality, "subsampling": "4:4:4", "speed": _SPEED, "max_threads": 1}
    image.fromarray(np.ascontiguousarray(picture)).save(buffer, **how)
    data = buffer.getvalue()
    return b64encode(data).decode(), np.asarray(image.open(BytesIO(data)).convert("RGBA"))


def _pillow() -> Any:
    try:
        from PIL import Image, features
    except ImportError:
        raise InputError("a report's pictures need the extra: pip install 'dnerv[studies]'") from None
    if not features.check("avif"):
        raise InputError("this Pillow cannot write AVIF, which a report's pictures are; Pillow 11.3 and newer can")
    return Image

"""Every codec that is used here, each a class of its own behind one interface; keyframes of archives are SVT-AV1's.

    from dnerv.codecs import CODECS

    codec = CODECS["x265"]
    stream = codec.encode(frames, fps=25, crf=30, effort="medium")  # frames: uint8 [H, W, 3] each
    stream.size, stream.write(path), list(stream.frames())
    codec.counted_bytes(path), codec.decode_file(path, height, width)
    codec.title, codec.crf_range, codec.crf_step, codec.usual_crf, codec.efforts, codec.suffix  # facts, as in `Codec`
    codec.missing(), codec.library(), codec.describe(30, "medium", fps=25)

`CODECS` has them by name: x264, x265, svtav1, aom, vvc; `STILLS` has jpeg and png, which
code one picture (`still.encode(frame)`, `name, decode = still.decoder()`). A new codec
is a class in a file of its own and a line in `registry`.

`search_crf` is the search of a crf for a number of bytes. `SvtAv1.keyframes`, `decode_packets`, `Planes`,
`blend` and `blended` are what archives and their encoding use. `mse` and `psnr` are for NumPy and torch alike.

FFmpeg is imported when a codec is first asked for, not with this package.
"""

from typing import TYPE_CHECKING

from dnerv.codecs.blending import blend, blended
from dnerv.codecs.fidelity import PEAK, PSNR_OF_IDENTICAL_FRAMES, mse, psnr, squared_error
from dnerv.codecs.keyframes import Frame, Packet, Planes
from dnerv.on_use import imports_on_use

if TYPE_CHECKING:
    from dnerv.codecs.av1 import Picture, decode_packets, decode_pictures, picture_size
    from dnerv.codecs.codec import EFFORTS, RESTART, Codec, Stream
    from dnerv.codecs.registry import CODECS, STILLS
    from dnerv.codecs.search import CrfSearch, search_crf
    from dnerv.codecs.stills import Still
    from dnerv.codecs.svtav1 import SvtAv1

__all__ = [
    "CODECS",
    "EFFORTS",
    "PEAK",
    "PSNR_OF_IDENTICAL_FRAMES",
    "RESTART",
    "STILLS",
    "Codec",
    "CrfSearch",
    "Frame",
    "Packet",
    "Picture",
    "Planes",
    "Still",
    "Stream",
    "SvtAv1",
    "blend",
    "blended",
    "decode_packets",
    "decode_pictures",
    "mse",
    "picture_size",
    "psnr",
    "search_crf",
    "squared_error",
]

__getattr__ = imports_on_use(
    __name__,
    {
        "CODECS": "registry",
        "EFFORTS": "codec",
        "Picture": "av1",
        "RESTART": "codec",
        "STILLS": "registry",
        "Codec": "codec",
        "CrfSearch": "search",
        "Still": "stills",
        "Stream": "codec",
        "SvtAv1": "svtav1",
        "decode_packets": "av1",
        "decode_pictures": "av1",
        "picture_size": "av1",
        "search_crf": "search",
    },
)

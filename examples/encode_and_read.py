"""A folder of videos into one archive, and frames out of it again: by place, by time, and in between.

python examples/encode_and_read.py VIDEOS clips.dnerv
"""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import dnerv


def main(videos: Path, path: Path, options: dnerv.EncodeOptions | None = None) -> None:
    """Encode, then read each video. `options`: 0.05 bits per pixel, and no training, unless given."""
    options = options or dnerv.EncodeOptions(bits_per_pixel=0.05)
    result = dnerv.encode([videos], path, options, force=True)
    print(f"{path}: {result.file_bytes:,} bytes, {result.bits_per_pixel:.4f} bits per pixel")
    print(f"decoded from it, {result.quality.psnr:.2f} dB")

    with dnerv.open(path) as archive:
        for name in archive.names:
            video = archive[name]
            print(video)
            middle = (video.metadata.begin_stream_seconds + video.metadata.end_stream_seconds) / 2
            frame = video.get_frame_played_at(middle)
            colour = frame.data.float().mean()  # of uint8 [3, H, W]
            print(f"  on show at {middle:.3f} s: the frame of {frame.pts_seconds:.3f} s, mean colour {colour:.0f}")
            print(f"  the last four frames: {tuple(video[-4:].shape)}")  # [4, 3, H, W]
            slow = list(
                islice(video.interpolated(4), 9)
            )  # two frames, the three between each and the next, and a third
            print(f"  slow motion begins with {len(slow)} frames for the first {(len(slow) - 1) // 4 + 1}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

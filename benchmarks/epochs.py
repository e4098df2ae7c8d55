"""Whether an epoch of `dnerv.Loader` has every clip once, over ranks and workers, and comes again by its seed.

python benchmarks/epochs.py ARCHIVE --clip-length 8 --clips-per-video 1

Every clip is decoded in every row. Prints a row for each number of ranks and of DataLoader workers; exits with 1 where
a clip is missing or comes twice, or where the same seed gives other batches.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections import Counter
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, IterableDataset

import dnerv


class Stream(IterableDataset):  # type: ignore[type-arg]
    """A loader inside a DataLoader's workers."""

    def __init__(self, loader: dnerv.Loader) -> None:
        self.loader = loader

    def __iter__(self) -> Iterator[object]:
        return iter(self.loader)


def main() -> None:
    """Parse, iterate, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive")
    parser.add_argument("--clip-length", type=int)
    parser.add_argument("--clips-per-video", type=int)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--size", type=int, default=64, help="side that clips are cropped to, pixels (64)")
    options = parser.parse_args()
    failed = False
    print("ranks workers batches  clips missing twice  again  seconds")
    for ranks, workers in ((1, 0), (3, 0), (1, 2), (2, 2)):
        started = time.perf_counter()
        count, batches, digest = _epoch(options, ranks, workers)
        seconds = time.perf_counter() - started
        _, _, again = _epoch(options, ranks, workers)
        total = _loader(options, 0, 1).num_clips
        missing, twice = total - len(count), sum(seen > 1 for seen in count.values())
        failed |= bool(missing or twice or digest != again)
        same = "same" if digest == again else "OTHER"
        print(
            f"{ranks:5} {workers:7} {batches:7} {sum(count.values()):6} {missing:7} {twice:5} {same:>6} {seconds:8.1f}"
        )
    sys.exit(int(failed))


def _loader(options: argparse.Namespace, rank: int, ranks: int) -> dnerv.Loader:
    return dnerv.Loader(
        options.archive,
        batch_size=options.batch_size,
        clip_length=options.clip_length,
        clips_per_video=options.clips_per_video,
        shuffle=True,
        seed=1,
        resize=options.size,
        crop=options.size,
        dtype=torch.uint8,
        rank=rank,
        world_size=ranks,
    )


def _epoch(options: argparse.Namespace, ranks: int, workers: int) -> tuple[Counter[int], int, str]:
    """Clips by how often they came, batches, and a digest of all that came, in order."""
    count: Counter[int] = Counter()
    digest, batches = hashlib.sha256(), 0
    for rank in range(ranks):
        loader = _loader(options, rank, ranks)
        # Two workers may take turns in any order: each one's batches are in order.
        stream = loader if workers == 0 else DataLoader(Stream(loader), batch_size=None, num_workers=workers)
        for clips, _, info in stream:
            count.update(info["index"].tolist())
            digest.update(clips.numpy().tobytes() + info["frames"].numpy().tobytes())
            batches += 1
    return count, batches, digest.hexdigest()


if __name__ == "__main__":
    main()

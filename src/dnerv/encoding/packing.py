"""Coded videos into an archive: what was chosen becomes entries, references and a record of how it was made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from dnerv import progress
from dnerv.archive import VideoEntry
from dnerv.archive.config import PlaneFormat
from dnerv.archive.writing import ArchiveWriter, NetworkLayer, NewReference, new_archive
from dnerv.codecs import Planes, SvtAv1
from dnerv.encoding.base_coding import CodedReference
from dnerv.encoding.base_stage import BaseSettings, CodedCorpus
from dnerv.encoding.options import EncodeOptions
from dnerv.encoding.video_coding import StoredBase
from dnerv.version import __version__
from dnerv.video import CachedVideo

_BLOCK = 1 << 20  # bytes read at once
NetworkFrame = Callable[[int], int | None]  # by the video's place: see `VideoEntry.network_frame`


def pack_base(
    writer: ArchiveWriter, videos: Sequence[CachedVideo], corpus: CodedCorpus, network_frame: NetworkFrame
) -> None:
    """Put base layers and their references into an archive. Raises InputError for a name that it cannot hold."""
    shown = Planes(depth=8)
    for reference in corpus.references:
        writer.add_reference(_reference(reference, PlaneFormat(Planes(), shown, reference.header)))
    for place, (video, base) in enumerate(zip(videos, corpus.videos, strict=True)):
        format = PlaneFormat(Planes(), Planes(video.matrix, video.full_range, video.depth), base.header)
        writer.add_video(_entry(video, base, network_frame(place)), format, base.references, _blocks(base.path))


def write_base(
    path: Path, videos: Sequence[CachedVideo], corpus: CodedCorpus, options: EncodeOptions, settings: BaseSettings
) -> int:
    """Write an archive of base layers alone, in place of what is at `path`; its bytes."""
    progress.stage("writing the archive")
    with new_archive(path, force=True) as writer:
        pack_base(writer, videos, corpus, lambda place: None)
        writer.finish(record_of(options, settings, corpus))
    return path.stat().st_size


def write_chosen(
    path: Path,
    layer: NetworkLayer,
    videos: Sequence[CachedVideo],
    corpus: CodedCorpus,
    places: Sequence[int],
    better: Collection[int],
    made: Mapping[str, Any],
) -> None:
    """Write an archive of the videos at `places`, in place of what is at `path`; a prior makes those of `better`.

    A prior knows no time of a corpus, so that all videos have the place 0 in it. `made`: how the archive was made.
    """
    progress.stage("writing the archive")
    chosen = replace(corpus, videos=tuple(corpus.videos[place] for place in places))
    with new_archive(path, network=layer, force=True) as writer:
        pack_base(writer, [videos[i] for i in places], chosen, lambda i: 0 if places[i] in better else None)
        writer.finish(made)


def pack_network_alone(writer: ArchiveWriter, videos: Sequence[CachedVideo], network_frame: NetworkFrame) -> None:
    """Put videos without a base layer into an archive."""
    for place, video in enumerate(videos):
        writer.add_video(_entry(video, None, network_frame(place)), None, (), b"")


def record_of(options: EncodeOptions, settings: BaseSettings | None, corpus: CodedCorpus | None) -> dict[str, Any]:
    """How an archive was made: for people, and for videos that are added later."""
    record: dict[str, Any] = {"dnerv": __version__, "options": options.to_json()}
    if options.fps is not None:
        record["fps"] = str(options.fps)
    if options.resolution is not None:
        record["resolution"] = list(options.resolution)
    if settings is not None and corpus is not None:
        record |= {"encoder": SvtAv1().library(), "crf": corpus.crf, "base": asdict(settings)}
        record["references"] = references_said(corpus)
    return record


def references_said(corpus: CodedCorpus, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Of each reference by name: the video and frame that it was made from, and the bytes that it saves.

    Args:
        known: what is said already, of these and of others; bytes saved add up.
    """
    said, saved = dict(known or {}), corpus.saved
    for reference in corpus.references:
        before = said.get(reference.digest.hex(), {})
        facts: dict[str, Any] = before | {"saved": before.get("saved", 0) + round(saved.get(reference.digest, 0))}
        if reference.made_of is not None:
            facts |= {"video": reference.made_of[0], "frame": reference.made_of[1]}
        said[reference.digest.hex()] = facts
    return said


def _entry(video: CachedVideo, base: StoredBase | None, network_frame: int | None) -> VideoEntry:
    return VideoEntry(
        name=video.name,
        label=video.label,
        original_size=(video.original_height, video.original_width),
        coded_size=(video.height, video.width),
        timing=video.timing,
        distance=0 if base is None else base.plan.distance,
        group_length=0 if base is None else base.plan.group_length,
        format=0,
        crf=0.0 if base is None else base.plan.crf,
        references=(),
        packet_lengths=() if base is None else base.packet_lengths,
        checksums=() if base is None else base.checksums,
        offset=0,
        network_frame=network_frame,
    )


def _reference(coded: CodedReference, format: PlaneFormat) -> NewReference:
    height, width = coded.size
    return NewReference(coded.packet, coded.seed, height, width, format, coded.plan.crf, coded.plan.preset)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block

"""`dnerv info`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING

from dnerv.cli.command import Command, Record
from dnerv.cli.commands.given import ReadableGiven
from dnerv.errors import MissingPriorError
from dnerv.printable import count
from dnerv.tables import LONGEST_LIST, Part, Table, table

if TYPE_CHECKING:
    from dnerv.archive import Archive, VideoEntry


def _run(given: ReadableGiven) -> Record:
    from dnerv.archive.collection import matching_paths

    records = [_record_at(path) for path in matching_paths(given.archives)]
    return records[0] if len(records) == 1 else _of_all(records)


def _record_at(path: str | PathLike[str]) -> Record:
    from dnerv.archive import Archive

    with Archive(path) as archive:
        return {"path": archive.container.name if archive.is_remote else str(path)} | _record(archive)


def _of_all(records: Sequence[Record]) -> Record:
    """Of several archives, each by itself: they may hold the same videos."""
    from dnerv.archive.collection import summed

    file_bytes = sum(record["file_bytes"] for record in records)
    return {
        "file_bytes": file_bytes,
        "bits_per_pixel": 8 * file_bytes / sum(record["pixels"] for record in records),
        "frames": sum(record["frames"] for record in records),
        "pixels": sum(record["pixels"] for record in records),
        "breakdown": summed(record["breakdown"] for record in records),
        "archives": list(records),
    }


def _record(archive: Archive) -> Record:
    videos, users = [], [list[str]() for _ in archive.references]
    groups = Counter[int]()
    for entry in archive.entries:
        of_video = Counter(place for place in entry.references if place >= 0)
        groups.update(of_video)
        for place in of_video:
            users[place].append(entry.name)
        videos.append(_video(entry, sorted(of_video)))
    packets = {reference.offset for reference in archive.references}  # a seed may be one of these
    known = archive.made.get("references")
    said = known if isinstance(known, dict) else {}
    references = [
        {
            "name": reference.digest.hex(),
            "height": reference.height,
            "width": reference.width,
            "crf": reference.crf,
            "bytes": reference.length + (0 if reference.seed_offset in packets else reference.seed_length),
            "has_seed": reference.seed_length > 0,
            "videos": users[place],
            "groups": groups[place],
            "made_of": said.get(reference.digest.hex()),
        }
        for place, reference in enumerate(archive.references)
    ]
    return {
        "file_bytes": archive.file_bytes,
        "bits_per_pixel": archive.bits_per_pixel,
        "frames": archive.num_frames,
        "pixels": archive.num_pixels,
        "access": max(video["access"] for video in videos),
        "breakdown": archive.breakdown(),
        "formats": [each.to_json() for each in archive.config.formats],
        "network": _network(archive),
        "references": references,
        "made": dict(archive.made),
        "videos": videos,
    }


def _video(entry: VideoEntry, references: Sequence[int]) -> Record:
    uses_network, frames = entry.network_frame is not None, entry.timing.num_frames
    return {
        "name": entry.name,
        "label": entry.label,
        "frames": frames,
        "height": entry.original_size[0],
        "width": entry.original_size[1],
        "coded_height": entry.coded_size[0],
        "coded_width": entry.coded_size[1],
        "fps": float(entry.timing.average_fps),
        "seconds": entry.timing.end_seconds - entry.timing.begin_seconds,
        "every": entry.distance or None,
        "groups": entry.num_groups,
        "group_length": min(entry.group_length, entry.num_coded) or None,
        "access": entry.access,
        "made_frames": frames if uses_network else frames - entry.num_coded,
        "uses_network": uses_network,
        "crf": entry.crf if entry.num_coded else None,
        "format": entry.format if entry.num_coded else None,
        "references": list(references),
        "bytes": entry.num_bytes,
    }


def _network(archive: Archive) -> Record | None:
    network = archive.config.network
    if network is None:
        return None
    from dnerv.families import config_to_json, count_parameters, family_of

    model, record = network.model, config_to_json(network.model)
    return {
        "title": family_of(model).title,
        "width": model.base_channels,
        "parameters": count_parameters(model),
        "canvas": list(model.canvas),
        "model": record,
        "prior": _prior(archive, record.get("prior", "")),
    }


def _prior(archive: Archive, named: str) -> Record | None:
    """Where the weights are that the archive names."""
    if not named:
        return None
    from dnerv.archive.priors import given_prior, prior_by_hash, shipped

    own = next((name for name in shipped() if given_prior(name).hash == named), None)
    try:
        at_hand = bool(prior_by_hash(named, archive.container.name))
    except MissingPriorError:
        at_hand = False
    return {"hash": named, "name": own, "at_hand": at_hand}


def _tables(record: Record) -> Sequence[Part]:
    if "archives" in record:
        return [_archive_table(record), _breakdown_table(record)]
    parts: list[Part] = [_video_table(record)]
    if record["references"]:
        parts.append(_reference_table(record))
    parts += [*_format_lines(record), _access_line(record), _network_line(record), _breakdown_table(record)]
    return [*parts, f"{record['bits_per_pixel']:.4f} bits per pixel"]


def _archive_table(record: Record) -> Table:
    """One line an archive."""
    made = table("archive", ">videos", ">frames", ">access", "network", ">bytes", ">bits/pixel")
    archives = record["archives"]
    for one in archives[:LONGEST_LIST]:
        facts = f"{len(one['videos']):,}", f"{one['frames']:,}", _shown(one["access"] or None)
        made.add_row(one["path"], *facts, "yes" if one["network"] else "-", *_size(one))
    made.add_rest(archives)
    made.add_section()
    videos = sum(len(one["videos"]) for one in archives)
    made.add_row("all", f"{videos:,}", f"{record['frames']:,}", "", "", *_size(record))
    return made


def _size(record: Record) -> tuple[str, str]:
    return f"{record['file_bytes']:,}", f"{record['bits_per_pixel']:.4f}"


def _video_table(record: Record) -> Table:
    """One line a video: every which frame is coded, in groups of how many, and what makes the frames that are not."""
    made = table("video", ">frames", ">size", ">fps", ">every", ">group", "made by", ">bytes")
    for v in record["videos"][:LONGEST_LIST]:
        coded = _shown(v["every"]), "all" if v["groups"] == 1 else _shown(v["group_length"])
        facts = str(v["frames"]), f"{v['height']}x{v['width']}", f"{v['fps']:.4g}", *coded, _maker(v)
        made.add_row(v["name"], *facts, f"{v['bytes']:,}")
    made.add_rest(record["videos"])
    return made


def _maker(video: Record) -> str:
    return "network" if video["uses_network"] else "blends" if video["made_frames"] else "-"


def _reference_table(record: Record) -> Table:
    """One line a picture; where it is from and what it saves is what its encoder said, if it did."""
    made = table("reference", "made of", "used by", ">groups", ">bytes", ">saves")
    for r in record["references"][:LONGEST_LIST]:
        said = r["made_of"] if isinstance(r["made_of"], dict) else {}
        which = f"{said['video']}, {said['frame']}" if {"video", "frame"} <= said.keys() else ""
        made.add_row(r["name"], which, _users(r["videos"]), str(r["groups"]), f"{r['bytes']:,}", _saved(said))
    made.add_rest(record["references"])
    return made


def _users(names: Sequence[str]) -> str:
    first = names[0] if names else "none"
    return first if len(names) < 2 else f"{first} and {len(names) - 1:,} more"


def _saved(said: Record) -> str:
    """`made` is free text of whoever made the archive: shown as it is, whatever it is."""
    saved = said.get("saved", "")
    return f"{saved:,.0f}" if isinstance(saved, int | float) else str(saved)[:12]


def _planes_in_words(planes: Record) -> str:
    return f"{planes['matrix']}, {planes['depth']} bits, {'full' if planes['full_range'] else 'limited'} range"


def _format_lines(record: Record) -> list[str]:
    """How base layers are stored, a line for each format."""
    used = Counter(video["format"] for video in record["videos"] if video["format"] is not None)
    lines = []
    for place, videos in sorted(used.items()):
        known = record["formats"][place]
        planes, shown = (_planes_in_words(known[which]) for which in ("planes", "shown"))
        crfs = sorted({video["crf"] for video in record["videos"] if video["format"] == place})
        crf = f"crf {crfs[0]:g}" if len(crfs) == 1 else f"crf {crfs[0]:g} to {crfs[-1]:g}"
        name = f"{known['bitstream']}, {planes}; sources of {shown}"
        lines.append(f"{count(videos, 'video')} in {name}; {crf}")
    return lines


def _access_line(record: Record) -> str:
    if not record["access"]:
        return "no coded frames: the network makes all of them"
    blended = sum(video["made_frames"] > 0 and not video["uses_network"] for video in record["videos"])
    text = f"any frame comes back by decoding {count(record['access'], 'coded frame')} at most"
    return f"{text}; {count(blended, 'video')} with blended frames" if blended else text


def _network_line(record: Record) -> str:
    network = record["network"]
    if network is None:
        return "no network"
    users, canvas = sum(v["uses_network"] for v in record["videos"]), "x".join(map(str, network["canvas"]))
    what = f"{network['title']} of width {network['width']}, {network['parameters']:,} parameters, canvas {canvas}"
    if prior := network["prior"]:
        added = f"{count(network['parameters'], 'parameter')} added to it" if network["parameters"] else "nothing added"
        place = prior["name"] or ("at hand" if prior["at_hand"] else "not at hand")
        what = f"prior {prior['hash']} ({place}), {added}, canvas {canvas}"
    return f"{what}, for {users:,} of {count(len(record['videos']), 'video')}"


def _breakdown_table(record: Record) -> Table:
    made = table("bytes of", ">bytes", ">share")
    for name, number in record["breakdown"].items():
        made.add_row(name, f"{number:,}", f"{number / record['file_bytes']:.1%}")
    made.add_section()
    made.add_row("all files" if "archives" in record else "the file", f"{record['file_bytes']:,}", "100.0%")
    return made


def _shown(value: int | None) -> str:
    return "-" if value is None else str(value)


COMMAND = Command(
    "info",
    """Say what an archive holds and where its bytes go.

    Of each video: frames; size, height x width, and fps of its source; every: 1 where all frames are coded, n where
    every n-th is; group: how many coded frames decode by themselves, all where it is the whole video; made by: what
    makes the frames that are not coded; bytes: of its packets.

    Of each reference, a picture that is stored once: the video and frame that it was made of; who uses it; groups: how
    many start from it; bytes: what it takes; saves: bytes, as its encoder reckoned.

    Of several archives, a line for each.""",
    (ReadableGiven,),
    _run,
    _tables,
)

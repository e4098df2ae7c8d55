"""Videos into an archive that is there: coded as its others were, behind its references where that saves bytes.

    a reference with a seed ──────── the seed, decoded, coded again: the very bytes? then it costs nothing
    a reference without one ──────── decoded, coded again: a new reference, whose seed is the old one's packet

So the first addition to a scene pays for a reference, and later ones do not. What is there is not touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from dnerv import progress
from dnerv.archive import Archive
from dnerv.archive.changing import Change, change_of, network_of
from dnerv.archive.writing import changed_archive
from dnerv.codecs import Frame
from dnerv.encoding.base_coding import CodedReference, code_reference
from dnerv.encoding.base_stage import BaseSettings, BaseStage, CodedCorpus, summaries_of
from dnerv.encoding.gains import WORTH, fits, network_gains
from dnerv.encoding.packing import pack_base, references_said, write_chosen
from dnerv.encoding.reading import checked_size, read_videos, stop, warn
from dnerv.encoding.reference_choice import Known, Summary, thumbnail
from dnerv.encoding.workspace import Workspace
from dnerv.errors import InputError, MissingPriorError
from dnerv.video import CachedVideo, Member, discover, labelled
from dnerv.video.corpus import OnBad


def add(
    path: Path | str, inputs: Sequence[Path | str], *, labels: Path | str | None = None, skip_bad: bool = False
) -> Change:
    """Code videos and folders of videos into the archive at `path`, in place.

    They are coded at the quality, with the access and the effort of the encoding that made the archive, as base layers
    alone; where the archive has a prior, it makes the frames of those that it makes better. Killed at any moment it
    leaves the old archive or the new one; the state until then is kept in `PATH.work`, and the same call goes on with
    it. Who has the archive open keeps reading what it was.

    Args:
        inputs: files and folders, as `dnerv.video.discover` reads them.
        labels: a CSV with the columns `path` and `label`, in place of class folders.
        skip_bad: leave unusable videos out, with a warning, instead of stopping.

    Raises:
        InputError: nothing to add, an unusable video, a name that the archive has already, or an archive that does not
            say how it was made.
        ArchiveError: the archive is damaged, or none.
        OutputError: another process is changing it, or it cannot be written.
    """
    path = Path(path)
    on_bad = warn if skip_bad else stop
    members = discover([Path(p) for p in inputs], on_bad=on_bad)
    if labels is not None:
        members = labelled(members, Path(labels))
    with Archive(path, size="coded", layers="base") as archive:
        settings, crf = _settings(archive)
        _check_names(archive, members)
        workspace = Workspace(path, {"added": [member.name for member in members], "base": archive.made["base"]})
        try:
            videos = _read(members, archive, workspace, on_bad)
            stage = _stage(archive, videos, settings, crf, workspace)
            corpus = stage.code(crf)
            before = archive.file_bytes
            better = _better_by_prior(archive, videos, corpus, workspace)
            progress.stage("writing the archive")
            with changed_archive(path) as writer:
                pack_base(writer, videos, corpus, lambda place: 0 if better[place] else None)
                assert writer.archive is not None
                made = writer.archive.made  # of now: others may have changed the archive meanwhile
                said = made.get("references")
                known = said if isinstance(said, dict) else {}
                writer.finish(dict(made) | {"references": references_said(corpus, known)})
        except BaseException:
            workspace.close_unfinished()
            raise
    workspace.remove()
    return change_of(path, [video.name for video in videos], before)


def _better_by_prior(
    archive: Archive, videos: Sequence[CachedVideo], corpus: CodedCorpus, workspace: Workspace
) -> list[bool]:
    """Of each new video, whether the archive's network makes its frames: a prior, which is of no corpus."""
    layer = None if archive.network_clip_length is None else network_of(archive)
    better = [False] * len(videos)
    if layer is None or layer.record.model.keyframe_every:
        return better
    fitting = [i for i, video in enumerate(videos) if fits(layer.record.model, layer.record.overlap, video)]
    options = archive.made.get("options")
    gains = [inf] * len(fitting)
    if not (isinstance(options, dict) and options.get("network") == "always") and fitting:
        chosen = [videos[i] for i in fitting]
        write_chosen(workspace.other, layer, videos, corpus, fitting, fitting, {})
        try:
            found = network_gains(workspace.other, chosen).by_name
            gains = [found[video.name] for video in chosen]
        except MissingPriorError as error:
            progress.warning(f"new videos get base layers alone: {error}")
            return better
    for place, gain in zip(fitting, gains, strict=True):
        better[place] = gain >= WORTH
    return better


def _settings(archive: Archive) -> tuple[BaseSettings, float]:
    """How the archive's base layers were coded. Raises InputError where it does not say."""
    try:
        record: dict[str, Any] = dict(archive.made["base"])
        record["distances"] = tuple(record["distances"])
        return BaseSettings(**record), float(archive.made["crf"])
    except (KeyError, TypeError, ValueError):
        raise InputError(
            f"{archive.container.name}: it does not say how its base layers were coded, or has none: encode the new "
            "videos into an archive of their own, and `dnerv merge` the two"
        ) from None


def _check_names(archive: Archive, members: Sequence[Member]) -> None:
    known = [member.name for member in members if member.name in archive]
    if known:
        more = f", and {len(known) - 1} others" if len(known) > 1 else ""
        raise InputError(f"the archive has a video named {known[0]!r} already{more}: remove it first, or leave it out")


def _read(members: Sequence[Member], archive: Archive, workspace: Workspace, on_bad: OnBad) -> list[CachedVideo]:
    size, rate = archive.made.get("resolution"), archive.made.get("fps")
    return read_videos(
        members,
        workspace.frames,
        on_bad,
        size=None if size is None else (size[0], size[1]),
        fps=None if rate is None else Fraction(rate),
        prepare=checked_size,
    )


def _stage(
    archive: Archive, videos: Sequence[CachedVideo], settings: BaseSettings, crf: float, workspace: Workspace
) -> BaseStage:
    if not settings.intra_bytes:
        return BaseStage(videos, workspace.coded, settings)
    summaries = summaries_of(videos)
    free, derived = _references(archive, videos, summaries, settings, crf)
    return BaseStage(videos, workspace.coded, settings, summaries, [*free, *derived], len(free))


def _references(
    archive: Archive, videos: Sequence[CachedVideo], summaries: Sequence[Summary], settings: BaseSettings, crf: float
) -> tuple[list[CodedReference], list[CodedReference]]:
    """References that new groups may start from: those of the archive, and those made of its pictures."""
    seeds = {reference.seed_offset for reference in archive.references if reference.seed_length}
    useful = [
        place
        for place, reference in enumerate(archive.references)
        if (reference.crf, reference.preset) == (crf, settings.preset) and reference.offset not in seeds
    ]
    pictures = [partial(_picture, archive, place) for place in useful]
    known = [Known(picture().shape[:2], thumbnail(picture())) for picture in pictures]
    tried = BaseStage(videos, Path(), settings, summaries).choice(known).tries
    wanted = {place for video in tried for place in video if place is not None and place < len(useful)}
    free, derived = list[CodedReference](), list[CodedReference]()
    for number in sorted(wanted):
        place, picture = useful[number], pictures[number]
        packet = archive.base.reference_packet(place)
        made = code_reference(picture, settings.plan(crf))
        if not archive.references[place].seed_length:
            derived.append(replace(made, seed=packet))
        elif made.packet == packet:
            free.append(made)
    if len(free) + len(derived) < len(wanted):
        progress.note("another version of the encoder made the archive's references: new videos get new ones")
    return free, derived


def _picture(archive: Archive, place: int) -> Frame:
    """What a reference is made from, or would be made from: its seed decoded, else itself."""
    seed = archive.base.seed(place)
    return archive.base.reference_picture(place) if seed is None else seed

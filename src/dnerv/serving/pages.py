"""The pages' HTML. Names, labels and all else that the archive holds are other people's text, and are escaped here.

No page has a script: a list is a table, a search a form, a way on a link.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib.resources import files
from string import Template
from urllib.parse import urlencode

from dnerv.archive import Archive, VideoEntry
from dnerv.printable import count, printable
from dnerv.serving.listing import PAGE, Listing
from dnerv.version import __version__


def list_page(archive: Archive, listing: Listing, text: str) -> str:
    """Some videos, the search, and where the file's bytes go."""
    name = archive.title
    facts = [
        count(len(archive), "video"),
        count(archive.num_frames, "frame"),
        f"{archive.file_bytes:,} bytes",
        f"{archive.bits_per_pixel:.4f} bits per pixel",
    ]
    parts = [
        f"<header><h1>{_text(name)}</h1><p class=facts>{', '.join(facts)}</p></header>",
        _search_form(text),
        f"<p class=found>{_found(archive, listing, text)}</p>",
        _video_table(archive, listing) if listing.videos else "",
        _pager(archive, listing, text),
        _breakdown(archive),
    ]
    return _page(name, parts)


def video_page(archive: Archive, place: int, entry: VideoEntry, preview: str | None, frames: int) -> str:
    """One video: it plays, and what is known of it. `preview`: why it is coded again; `frames`: how many are shown."""
    height, width = entry.original_size
    if preview is None:
        note = "What plays are the archive's own AV1 packets, not coded again."
    else:
        shown = "all" if frames == entry.timing.num_frames else f"the first {frames:,}"
        note = f"A preview: {shown} of its frames, coded as H.264 just now, since {_text(preview)}."
    way = [("Previous", place - 1, "prev"), ("All videos", None, "up"), ("Next", place + 1, "next")]
    links = [
        f'<a rel={kind} href="{_list_at(place) if at is None else f"/video/{at}"}">{word}</a>'
        if at is None or 0 <= at < len(archive)
        else f"<span>{word}</span>"
        for word, at, kind in way
    ]
    clip = f"/clip/{place}.mp4"
    parts = [
        f"<nav class=pager>{''.join(links)}</nav>",
        f"<header><h1>{_text(entry.name)}</h1></header>",
        f'<figure><video controls loop playsinline preload=auto src="{clip}" width={width} height={height}>'
        f"This needs a browser that plays {'H.264' if preview else 'AV1'}.</video>"
        f'<figcaption>{note} <a href="{clip}" download="{_download(entry)}">Save it</a>.</figcaption></figure>',
        f"<dl>{''.join(f'<div><dt>{key}</dt><dd>{value}</dd></div>' for key, value in _facts(archive, entry))}</dl>",
    ]
    return _page(f"{entry.name} – {archive.title}", parts)


def error_page(title: str, reason: str) -> str:
    """What went wrong."""
    return _page(
        title, [f"<header><h1>{_text(title)}</h1></header><p>{_text(reason)}</p><p><a href=/>All videos</a></p>"]
    )


def style() -> str:
    """The pages' CSS."""
    return (files(__package__) / "page.css").read_text(encoding="utf-8")


def _page(title: str, parts: Iterable[str]) -> str:
    frame = Template((files(__package__) / "page.html").read_text(encoding="utf-8"))
    return frame.substitute(title=_text(title), content="\n".join(parts), version=_text(__version__))


def _search_form(text: str) -> str:
    return (
        "<form action=/ role=search><label for=q>Name or label holds</label>"
        f'<input id=q type=search name=q value="{_text(text)}">'
        "<button>Search</button></form>"
    )


def _found(archive: Archive, listing: Listing, text: str) -> str:
    if not text and not listing.videos:
        return f"Past the last of {count(len(archive), 'video')}"
    if not text:
        last = listing.videos[-1][0]
        return f"Videos {listing.start + 1:,} to {last + 1:,} of {len(archive):,}, by name"
    number = count(len(listing.videos), "video")
    if listing.stop is None:
        return f"{number} from place {listing.start + 1:,} on" if listing.start else number
    where = f"among places {listing.start + 1:,} to {listing.stop:,} of {len(archive):,}"
    return f"{number} {where}"


def _video_table(archive: Archive, listing: Listing) -> str:
    rows, has_labels = [], any(entry.label is not None for _, entry in listing.videos)
    for place, entry in listing.videos:
        height, width = entry.original_size
        label = "" if entry.label is None else f'<a href="{_list_at(0, entry.label)}">{_text(entry.label)}</a>'
        cells = [
            f'<th scope=row><a href="/video/{place}">{_text(entry.name)}</a></th>',
            f"<td class=label>{label}</td>" if has_labels else "",
            f'<td data-is="frames">{entry.timing.num_frames:,}</td>',
            f'<td data-is="seconds">{_seconds(entry):.2f}</td>',
            f'<td data-is="size">{width}×{height}</td>',
            f'<td data-is="bytes">{entry.num_bytes:,}</td>',
            f'<td data-is="of the file">{_share(entry.num_bytes, archive)}</td>',
        ]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    heads = ["Video", *(["Label"] if has_labels else []), "Frames", "Seconds", "Size", "Bytes", "Of the file"]
    head = "".join(f"<th scope=col{' class=label' if word == 'Label' else ''}>{word}</th>" for word in heads)
    return f"<table class=videos><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _pager(archive: Archive, listing: Listing, text: str) -> str:
    last = (len(archive) - 1) // PAGE * PAGE
    ways: list[tuple[str, int | None, str]] = []
    if text:
        ways = [("From the start", 0 if listing.start else None, "first")]
        word = "Search on" if listing.is_partial else "Next"
        ways.append((word, listing.stop, "next"))
    elif len(archive) > PAGE or listing.start:
        start = listing.start
        ways = [
            ("First", 0 if start else None, "first"),
            ("Previous", max(0, start - PAGE) if start else None, "prev"),
            ("Next", listing.stop, "next"),
            ("Last", last if start < last else None, "last"),
        ]
    if all(at is None for _, at, _ in ways):
        return ""
    links = [
        f"<span>{word}</span>" if at is None else f'<a rel={kind} href="{_list_at(at, text)}">{word}</a>'
        for word, at, kind in ways
    ]
    return f"<nav class=pager>{''.join(links)}</nav>"


def _list_at(place: int, text: str = "") -> str:
    """The address of a list, for an attribute. Text that is no Unicode is searched for as far as it is."""
    asked: dict[str, str | int] = {"q": text.encode(errors="ignore").decode()} if text else {}
    return escape("/?" + urlencode(asked | {"from": place}) if asked or place else "/")


def _breakdown(archive: Archive) -> str:
    rows = [
        f"<tr><th scope=row>{_text(name)}</th><td>{number:,}</td><td>{_share(number, archive)}</td></tr>"
        for name, number in archive.breakdown().items()
        if number
    ]
    return (
        "<details><summary>Where the bytes of the file go</summary><table><thead><tr><th scope=col>What</th>"
        f"<th scope=col>Bytes</th><th scope=col>Share</th></tr></thead><tbody>{''.join(rows)}</tbody></table></details>"
    )


def _facts(archive: Archive, entry: VideoEntry) -> list[tuple[str, str]]:
    height, width = entry.original_size
    facts = [("Label", _text(entry.label))] if entry.label is not None else []
    facts += [
        ("Frames", f"{entry.timing.num_frames:,}, {float(entry.timing.average_fps):.4g} a second"),
        ("Seconds", f"{_seconds(entry):.3f}"),
        ("Size", f"{width}×{height}" + ("" if entry.coded_size == entry.original_size else _coded(entry))),
        ("Bytes", f"{entry.num_bytes:,}, {_share(entry.num_bytes, archive)} of the file"),
        ("Bits per pixel", f"{8 * entry.num_bytes / entry.num_pixels:.4f}"),
        ("Made by", _maker(archive, entry)),
    ]
    if entry.num_coded:
        shared = len([place for place in entry.references if place >= 0])
        start = f", {shared:,} of which start{'s' if shared == 1 else ''} from a shared picture" if shared else ""
        facts.append(("Groups", f"{entry.num_groups:,}{start}"))
        facts.append(("Quality", f"crf {entry.crf:g}"))
    return facts


def _coded(entry: VideoEntry) -> str:
    return f", coded at {entry.coded_size[1]}×{entry.coded_size[0]}"


def _maker(archive: Archive, entry: VideoEntry) -> str:
    if archive.uses_network(entry):
        return "the network"
    every = "every frame" if entry.num_coded == entry.timing.num_frames else f"every {entry.distance}th frame"
    return f"{every} coded as AV1" + ("" if every == "every frame" else ", blends between")


def _seconds(entry: VideoEntry) -> float:
    return entry.timing.end_seconds - entry.timing.begin_seconds


def _share(number: int, archive: Archive) -> str:
    return f"{number / archive.file_bytes:.2%}"


def _download(entry: VideoEntry) -> str:
    """The last part of a name, as a suggestion; browsers replace what their file system cannot have."""
    name = entry.name.rsplit("/", 1)[-1]
    return _text(name if name.lower().endswith(".mp4") else name + ".mp4")


def _text(text: str) -> str:
    """Of an archive or a user, for HTML's text and for attributes in double quotes."""
    return escape(printable(text))

"""Hostile archives: mutations whose checksums are right, so that the parsers behind them are reached.

    python benchmarks/fuzzing.py ARCHIVE... [--mutations 20000] [--seed 0] [--keep FOLDER]

Each mutation is opened, listed, decoded (a few frames of a few videos, with the network and without) and verified,
within limits of the operating system. What is right: a named error, or frames. What is counted as wrong: another
exception, more than 3 seconds of processor time, more than 1 GB beyond what the process had, and a process that died.
`--keep` stores those.

The mutations: JSON fields take hostile values, are left out, doubled or moved; numbers of the index, its directory and
the references become others; videos take what belongs to others, or lengths and distances that fit together and mean
nothing; packets, weights and deflated bytes are flipped, cut, repeated, replaced. Checksums of sections, blocks and
groups, names of references and sums over blocks are made right afterwards.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import resource
import sys
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib import import_module
from itertools import accumulate
from pathlib import Path
from typing import Any
from zlib import crc32

import torch

from dnerv.archive import Archive, VideoEntry, verify_archive
from dnerv.archive.archive import KINDS
from dnerv.archive.entry import Rows, encode_block, sort_key
from dnerv.archive.index import Block, encode_directory
from dnerv.archive.limits import Bounds, Limits
from dnerv.archive.references import DIGEST_BYTES, Reference, digest_of, encode_references
from dnerv.bitstream import (
    Container,
    decode_integers,
    decode_json,
    encode_integers,
    encode_json,
    split_integers,
)
from dnerv.bitstream.header import HEADER_SIZE, Section, Slot, encode_slot, encode_table, slot_position
from dnerv.cli.commands.given import ReadableGiven
from dnerv.cli.commands.info import COMMAND as INFO
from dnerv.errors import DnervError
from dnerv.video import Timing

SECONDS, GIGABYTE = 3.0, 1 << 30
FRAMES = 3  # decoded of a video
_LIMIT_SECONDS, _LIMIT_BYTES = 20, 6 << 30  # at which the operating system ends it
_AT_ONCE = 64  # mutations for a child process: its start costs more than a mutation
_UNREADABLE = (DnervError, ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, zlib.error)
_TRUSTING = Bounds(Limits(1 << 40, 1e6), 1 << 30, 1 << 30, 1 << 60)  # for reading one's own mutations

_NUMBERS = (
    0,
    1,
    -1,
    2,
    3,
    7,
    255,
    256,
    4095,
    65535,
    65536,
    8192,
    1 << 20,
    2**31 - 1,
    2**31,
    2**53,
    2**62,
    2**64,
    10**30,
)
_VALUES: tuple[Any, ...] = (
    None, True, False, "", "a", "..", "a/../b", "\x1b[2J", "\ud800", "x" * 5000, 0.5, -0.0, 1e308, 1e-320,
    [], {}, [[]], [1], [1, 2], [0, 0], [-1, 5], [65535, 1], [11585, 11585], [4096, 4096], [1 << 20, 1],
    [1] * 1000, {"a": 1}, *_NUMBERS,
)  # fmt: skip
Change = Callable[[bytes], bytes]
_STORED = tuple(number for number in _NUMBERS if 0 <= number < 2**63)  # what a list of integers may hold


@dataclass(frozen=True)
class Outcome:
    """Of one mutation."""

    kind: str  # "named error", "decoded", or what is wrong: "wrong exception", "slow", "large", "died"
    what: str  # the error's words
    seconds: float = 0.0  # of processor time
    bytes: int = 0  # beyond what the process had before

    @property
    def is_wrong(self) -> bool:
        """Whether it is a fault."""
        return self.kind not in ("named error", "decoded")


@dataclass
class Parts:
    """An archive taken apart; `file` puts it together again, whatever its parts have become."""

    data: bytearray  # the file as it was: packets, references and weights are taken from it
    config: bytes  # sections
    made: bytes
    weights: bytes | None
    references: list[Reference]
    blocks: list[bytes]  # of the index, deflated
    directory: list[Block]
    original: Parts | None = None  # what it was made of
    change_directory: Change | None = None  # of the section's bytes, once they are known
    change_references: Change | None = None

    @classmethod
    def of(cls, path: Path) -> Parts:
        """Take apart."""
        with Container.open(path, KINDS) as container, Archive(container) as archive:
            return cls(
                bytearray(path.read_bytes()[: container.size]),
                container.read("CONF"),
                container.read("made"),
                container.read("NETW") if "NETW" in container else None,
                list(archive.references),
                [container.read_at(block.offset, block.length) for block in archive.index.blocks],
                list(archive.index.blocks),
            )

    def copied(self) -> Parts:
        """Another one to be changed."""
        lists = {name: list(getattr(self, name)) for name in ("references", "blocks", "directory")}
        return replace(self, data=bytearray(self.data), original=self, **lists)

    @property
    def _is_untouched(self) -> bool:
        """Whether blocks and packets are the original's."""
        return self.original is not None and (self.data, self.blocks) == (self.original.data, self.original.blocks)

    def entries(self, number: int) -> list[VideoEntry]:
        """The videos of a block. Raises ArchiveError where a mutation has made it unreadable."""
        return list(Rows(self.blocks[number], self.directory[number].rows, _TRUSTING))

    def set_entries(self, number: int, entries: Sequence[VideoEntry]) -> None:
        """Put videos into a block, sorted by name."""
        rows = sorted(entries, key=lambda entry: sort_key(entry.name))
        self.blocks[number] = encode_block(rows)
        self.directory[number] = replace(self.directory[number], rows=len(rows))

    def file(self, *, has_true_sums: bool = True) -> bytes:
        """The bytes of a file, a change of the original. `has_true_sums`: of groups and blocks, as they are now."""
        data = bytearray(self.data)
        if has_true_sums and not self._is_untouched:
            for number in range(len(self.blocks)):
                with suppress(*_UNREADABLE):
                    self._make_right(number)
        blocks = []
        for block, content in zip(self.directory, self.blocks, strict=True):
            blocks.append(replace(block, offset=len(data), length=len(content), crc32=crc32(content)))
            data += content
        directory = encode_directory(blocks)
        if self.change_directory is not None:
            directory = self.change_directory(directory)
        contents = [("CONF", self.config), ("INDX", directory), ("made", self.made)]
        contents += [("NETW", self.weights)] if self.weights is not None else []
        if self.references:
            contents.append(("REFS", self._reference_section()))
        sections = []
        for kind, content in contents:
            sections.append(Section(kind, len(data), len(content), crc32(content)))
            data += content
        start, table = sections[0].offset, encode_table(sections)
        data += table
        slot = Slot(1000, start, len(table), len(data))
        data[slot_position(1000) : slot_position(1000) + 28] = encode_slot(slot)
        return bytes(data)

    def _make_right(self, number: int) -> None:
        """Checksums of a block's groups and the sums over its videos, as its bytes and the packets are."""
        entries = self.entries(number)
        for place, entry in enumerate(entries):
            spans = [entry.group_span(group) for group in range(entry.num_groups)]
            sums = tuple(crc32(self.data[offset : offset + length]) & 0xFFFF for offset, length in spans)
            entries[place] = replace(entry, checksums=sums)
        self.blocks[number] = encode_block(entries)
        self.directory[number] = replace(
            self.directory[number],
            first=sort_key(entries[0].name),
            frames=sum(entry.timing.num_frames for entry in entries),
            pixels=sum(entry.num_pixels for entry in entries),
            packet_bytes=sum(entry.num_bytes for entry in entries),
        )

    def _reference_section(self) -> bytes:
        named = [
            replace(each, digest=digest_of(bytes(self.data[each.offset : each.offset + each.length])))
            for each in self.references
        ]
        data = encode_references(named)
        return data if self.change_references is None else self.change_references(data)


def main() -> None:
    """Parse, mutate, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", type=Path, nargs="+", help="what is mutated")
    parser.add_argument("--mutations", type=int, default=20_000, help="in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the mutations that went wrong")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    words: Counter[str] = Counter()
    most = {"seconds": 0.0, "bytes": 0}
    started = time.monotonic()
    for number, (data, outcome) in enumerate(fuzz(options.archives, options.mutations, options.seed)):
        counts[outcome.kind] += 1
        most = {"seconds": max(most["seconds"], outcome.seconds), "bytes": max(most["bytes"], outcome.bytes)}
        if outcome.is_wrong:
            words[f"{outcome.kind}: {outcome.what}"] += 1
            if options.keep is not None:
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / f"{outcome.kind.replace(' ', '-')}-{options.seed}-{number}.dnerv").write_bytes(data)
    seconds = time.monotonic() - started
    print(json.dumps({"mutations": options.mutations, "seconds": round(seconds), **counts, "most": most}, indent=1))
    for text, count in words.most_common():
        print(f"{count:>6}  {text}")
    sys.exit(bool(words))


def fuzz(paths: Sequence[Path], mutations: int, seed: int, at_once: int = _AT_ONCE) -> Iterator[tuple[bytes, Outcome]]:
    """Mutated archives and what became of them; the same for the same archives, seed and number."""
    originals = [Parts.of(path) for path in paths]
    import_module("dnerv.archive.network_layer")  # here, and not in every child
    dice = random.Random(seed)
    for start in range(0, mutations, at_once):
        batch = [mutated(dice, dice.choice(originals)) for _ in range(min(at_once, mutations - start))]
        yield from zip(batch, outcomes(batch), strict=True)


def mutated(dice: random.Random, original: Parts) -> bytes:
    """A file like the original but for one part, or two, with checksums that match."""
    parts = original.copied()
    for _ in range(dice.choice((1, 1, 2))):
        with suppress(*_UNREADABLE):  # what a mutation before this one has left behind
            dice.choices(list(_MUTATIONS), list(_MUTATIONS.values()))[0](dice, parts)
    data = parts.file(has_true_sums=dice.random() < 0.8)
    return _mutated_header(dice, data) if dice.random() < 0.05 else data


def outcomes(files: Sequence[bytes]) -> list[Outcome]:
    """What becomes of each, tried one after the other in child processes that are limited in time and memory."""
    found: list[Outcome] = []
    while len(found) < len(files):
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            _run_child(files[len(found) :], writer)
        os.close(writer)
        with os.fdopen(reader) as lines:
            found += [Outcome(**json.loads(line)) for line in lines]
        _, status = os.waitpid(child, 0)
        if len(found) < len(files):
            code = os.waitstatus_to_exitcode(status)
            found.append(Outcome("slow" if code == -24 else "died", f"exit status {code}"))  # 24: SIGXCPU
    return found


def try_archive(path: Path) -> str:
    """Open, list, decode, verify; "decoded" or the named error's words. Raises whatever is no named error."""
    try:
        json.dumps(INFO.tables(INFO.run(ReadableGiven(archives=(str(path),))) or {}), default=str)
        for layers in ("all", "base"):
            with Archive(path, layers=layers) as archive:  # type: ignore[arg-type]
                for name in archive.names[:2] + archive.names[-1:]:
                    reader = archive[name]
                    if layers == "base" and not reader.entry.distance:
                        continue
                    places = sorted({0, len(reader) // 2, len(reader) - 1})[:FRAMES]
                    for frame in reader.get_frames_at(places).data:
                        assert frame.dtype == torch.uint8
        report = verify_archive(path)
    except DnervError as error:
        return str(error)
    return "decoded" if report["intact"] else str(report["problem"])


def _run_child(files: Sequence[bytes], writer: int) -> None:
    """Try each; one line of JSON for it. Does not return."""
    status = 1
    path = Path(f"/dev/shm/dnerv-fuzz-{os.getpid()}.dnerv")
    try:
        torch.set_num_threads(1)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with os.fdopen(writer, "w") as lines:
            for data in files:
                path.write_bytes(data)
                lines.write(json.dumps(_tried(path).__dict__) + "\n")
                lines.flush()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        path.unlink(missing_ok=True)
        os._exit(status)


def _tried(path: Path) -> Outcome:
    before, had = time.process_time(), _begin_peak()
    now = resource.getrusage(resource.RUSAGE_SELF)
    used = int(now.ru_utime + now.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (used + _LIMIT_SECONDS, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + _LIMIT_BYTES, resource.RLIM_INFINITY))
    try:
        what = try_archive(path)
        kind = "decoded" if what == "decoded" else "named error"
    except BaseException as error:  # a panic in a library is no Exception
        kind, what = "wrong exception", f"{type(error).__name__}: {error}"
    seconds, more = time.process_time() - before, _peak() - had
    if kind in ("decoded", "named error"):
        kind = "slow" if seconds > SECONDS else "large" if more > GIGABYTE else kind
    return Outcome(kind, what[:300], seconds, more)


def _begin_peak() -> int:
    """Bytes of memory that the process has; its peak counts from here."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) << 10


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _mutate_config(dice: random.Random, parts: Parts) -> None:
    parts.config = _mutated_json(dice, parts.config)


def _mutate_made(dice: random.Random, parts: Parts) -> None:
    parts.made = _mutated_json(dice, parts.made)


def _mutate_weights(dice: random.Random, parts: Parts) -> None:
    if parts.weights is None or dice.random() < 0.1:
        parts.weights = dice.choice((None, b"", dice.randbytes(50)))
    else:
        parts.weights = _mutated_bytes(dice, parts.weights)


def _mutate_packets(dice: random.Random, parts: Parts) -> None:
    """Bytes of a video's packets, of a reference or of a seed; lengths stay."""
    entries = [entry for number in range(len(parts.blocks)) for entry in parts.entries(number) if entry.num_coded]
    spans = [(entry.offset, entry.num_bytes) for entry in entries]
    for reference in parts.references:
        spans += [(reference.offset, reference.length), (reference.seed_offset, reference.seed_length)]
    offset, length = dice.choice([span for span in spans if sum(span) <= len(parts.data)])
    changed = (_mutated_bytes(dice, bytes(parts.data[offset : offset + length])) + bytes(length))[:length]
    parts.data[offset : offset + length] = changed


def _mutate_block(dice: random.Random, parts: Parts) -> None:
    """Numbers of a block, or its bytes, deflated or not."""
    number = dice.randrange(len(parts.blocks))
    if dice.random() < 0.1:
        parts.blocks[number] = _mutated_bytes(dice, parts.blocks[number])
        return
    body = zlib.decompress(parts.blocks[number], -15)
    if dice.random() < 0.2:
        body = _mutated_bytes(dice, body)
    else:
        (size, checksums), start = split_integers(body, 2)
        coded = _mutated_numbers(dice, body[start : start + size])
        body = encode_integers([len(coded), checksums]) + coded + body[start + size :]
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    parts.blocks[number] = deflater.compress(body) + deflater.flush()


def _mutate_directory(dice: random.Random, parts: Parts) -> None:
    """Places, numbers and names of blocks."""

    def changed(data: bytes) -> bytes:
        if dice.random() < 0.3:
            return _mutated_bytes(dice, data)
        (count, size), start = split_integers(data, 2)
        coded = _mutated_numbers(dice, data[start : start + size])
        count = dice.choice((count, count, count, *_STORED))
        return encode_integers([count, len(coded)]) + coded + data[start + size :]

    parts.change_directory = changed


def _mutate_references(dice: random.Random, parts: Parts) -> None:
    """Numbers of references, or which there are."""
    if dice.random() < 0.3:
        dice.shuffle(parts.references)
        del parts.references[dice.randrange(len(parts.references) + 1) :]
        return

    def changed(data: bytes) -> bytes:
        if dice.random() < 0.2:
            return _mutated_bytes(dice, data)
        start = DIGEST_BYTES * len(parts.references)
        return data[:start] + _mutated_numbers(dice, data[start:])

    parts.change_references = changed


def _mutate_videos(dice: random.Random, parts: Parts) -> None:
    """Records that fit together and lie all the same."""
    number = dice.randrange(len(parts.blocks))
    entries = parts.entries(number)
    for _ in range(dice.choice((1, 1, 2, 4))):
        place = dice.randrange(len(entries))
        entries[place] = _mutated_video(dice, entries[place], dice.choice(entries), len(parts.data))
    if dice.random() < 0.03:
        entries += [replace(dice.choice(entries), name=f"more/{i}") for i in range(dice.choice((1, 300, 4000)))]
    parts.set_entries(number, entries)


_SIZES = ((1, 1), (32, 32), (64, 64), (27, 31), (65_536, 1), (2048, 2048), (4096, 4096), (11_585, 11_585))
_TEXTS = ("", "a", "../a", "a/../b", "a\\b", "\x1b[2J", "\ud800", "x" * 5000)


def _mutated_video(dice: random.Random, entry: VideoEntry, other: VideoEntry, file_bytes: int) -> VideoEntry:
    references = (-1, -1, 0, 1, 2, len(entry.references))
    match dice.randrange(11):
        case 0:
            name = dice.choice([each for each in vars(entry) if each != "name"])
            return replace(entry, **{name: getattr(other, name)})
        case 1:  # frames further apart
            distance = dice.choice((1, 2, 3, 5, 8, 1000, 65_535))
            frames = max(1, (entry.num_coded - 1) * distance + 1 - dice.randrange(distance))
            return replace(entry, distance=distance, timing=Timing.constant(Fraction(25), frames))
        case 2:  # other groups
            length = dice.choice((1, 2, 3, 5, 100, 1 << 26))
            groups = -(-entry.num_coded // length)
            chosen = tuple(dice.choice(references) for _ in range(groups))
            return replace(entry, group_length=length, references=chosen, checksums=(0,) * groups)
        case 3:
            return replace(entry, coded_size=dice.choice(_SIZES))
        case 4:
            return replace(entry, original_size=dice.choice(_SIZES))
        case 5:
            offset = dice.choice((HEADER_SIZE, other.offset, dice.randrange(file_bytes), file_bytes, *_STORED))
            return replace(entry, offset=offset)
        case 6:
            lengths = list(entry.packet_lengths)
            dice.shuffle(lengths)
            return replace(entry, packet_lengths=tuple(lengths))
        case 7:  # a packet more here, a packet less there
            lengths = list(entry.packet_lengths)
            at = dice.randrange(len(lengths))
            more = dice.choice((1, -1, lengths[at] // 2, dice.choice(_STORED)))
            lengths[at] = max(0, lengths[at] - more)
            lengths[at - 1] += more
            return replace(entry, packet_lengths=tuple(lengths))
        case 8:
            steps = [dice.choice((1, 40, 2**31, 2**52)) for _ in range(entry.timing.num_frames - 1)]
            times = [*accumulate(steps, initial=0)]
            base = Fraction(dice.choice((1, 1001, 2**31 - 1)), dice.choice((1, 90_000, 2**31 - 1)))
            return replace(entry, timing=Timing(base, times, dice.choice((1, 2**31))))
        case 9:
            return replace(entry, network_frame=dice.choice((None, 0, 1, dice.choice(_STORED) >> 1)))
        case _:
            return replace(entry, name=dice.choice((*_TEXTS, other.name)), label=dice.choice((None, *_TEXTS)))


_MUTATIONS: dict[Callable[[random.Random, Parts], None], int] = {  # how often, beside the others
    _mutate_config: 4,
    _mutate_videos: 6,
    _mutate_block: 4,
    _mutate_directory: 1,
    _mutate_references: 2,
    _mutate_packets: 4,
    _mutate_weights: 2,
    _mutate_made: 1,
}


def _mutated_header(dice: random.Random, data: bytes) -> bytes:
    """The slot that counts, or the section table, with other numbers in it, its checksum made right."""
    place = slot_position(1000)
    changed = bytearray(data)
    if dice.random() < 0.5:
        start, length = place, 24
    else:
        length = int.from_bytes(data[place + 12 : place + 16], "little") - 4
        start = len(data) - 4 - length
    at = start + dice.randrange(length)
    size = min(dice.choice((1, 1, 4, 8)), start + length - at)
    changed[at : at + size] = dice.choice((dice.randbytes(size), bytes(size), b"\xff" * size))
    changed[start + length : start + length + 4] = crc32(changed[start : start + length]).to_bytes(4, "little")
    return bytes(changed)


def _mutated_numbers(dice: random.Random, data: bytes) -> bytes:
    """A list of integers with some of them other ones, left out or doubled."""
    numbers: list[int] = decode_integers(data).tolist()
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        at = dice.randrange(len(numbers))
        match dice.randrange(6):
            case 0:
                del numbers[at]
            case 1:
                numbers[at:at] = numbers[at : at + 1] * dice.choice((1, 2, 5000))
            case 2:
                numbers[at] = dice.choice(numbers)
            case 3:
                numbers[at] = max(0, numbers[at] + dice.choice((-2, -1, 1, 2)))
            case _:
                numbers[at] = dice.choice(_STORED)
    return encode_integers(numbers)


def _mutated_json(dice: random.Random, data: bytes) -> bytes:
    record = copy.deepcopy(decode_json(data))
    if dice.random() < 0.05:
        return _mutated_bytes(dice, data)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        places = list(_places(record))
        holder, key = dice.choice(places)
        action = dice.random()
        if action < 0.1:
            del holder[key]
        elif action < 0.2 and isinstance(holder, list):
            holder.extend(copy.deepcopy(holder[key]) for _ in range(dice.choice((1, 3, 1000))))
        elif action < 0.25 and isinstance(holder, dict):
            holder[dice.choice(("more", "planes", "head", "references", "matrix"))] = copy.deepcopy(
                dice.choice(_VALUES)
            )
        elif action < 0.35:
            other, there = dice.choice(places)
            holder[key] = copy.deepcopy(other[there])
        elif type(holder[key]) is int and action < 0.8:
            holder[key] = dice.choice((holder[key] + 1, holder[key] - 1, 2 * holder[key], *_NUMBERS))
        else:
            holder[key] = copy.deepcopy(dice.choice(_VALUES))
        if not list(_places(record)):
            break
    return encode_json(record)


def _places(record: Any) -> Iterator[tuple[Any, Any]]:
    """(holder, key) of every value below `record`."""
    keys = list(record) if isinstance(record, dict) else range(len(record)) if isinstance(record, list) else ()
    for key in keys:
        yield record, key
        yield from _places(record[key])


def _mutated_bytes(dice: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 8))):
        if not changed:
            return dice.randbytes(3)
        start = dice.randrange(min(len(changed), 16) if dice.random() < 0.4 else len(changed))
        length = dice.choice((1, 2, 4, 50))
        match dice.randrange(5):
            case 0:
                changed[start] ^= 1 << dice.randrange(8)
            case 1:
                changed[start : start + length] = dice.randbytes(min(length, len(changed) - start))
            case 2:
                del changed[start : start + length]
            case 3:
                changed[start:start] = changed[start : start + length]
            case 4:
                changed[start : start + length] = bytes([dice.choice((0, 255))]) * min(length, len(changed) - start)
    return bytes(changed)


if __name__ == "__main__":
    main()

"""Hostile archives: mutations whose checksums are right, so that the parsers behind them are reached.

    python benchmarks/fuzzing.py ARCHIVE... [--mutations 10000] [--seed 0] [--keep FOLDER]

Each mutation is opened, listed, decoded (a few frames of a few videos) and verified, within limits of the operating
system. What is right: a named error, or frames. What is counted as wrong: another exception, more than 3 seconds of
processor time, more than 1 GB beyond what the process had, and a process that died. `--keep` stores those.

The mutations: JSON fields take hostile values, are left out, doubled or moved; packet tables, weights and packets are
flipped, cut, repeated, replaced. Checksums of sections, groups of packets and tensors are made right afterwards.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import resource
import struct
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import torch

from dnerv.archive import Archive, verify_archive
from dnerv.bitstream import Container, decode_json, decode_packet_table, encode_json, encode_packet_table
from dnerv.bitstream.section_table import Section, encode_table, table_size
from dnerv.cli.commands.given import ArchiveGiven
from dnerv.cli.commands.info import COMMAND as INFO
from dnerv.errors import DnervError

SECONDS, GIGABYTE = 3.0, 1 << 30
FRAMES = 3  # decoded of a video
_LIMIT_SECONDS, _LIMIT_BYTES = 20, 6 << 30  # at which the operating system ends it
_AT_ONCE = 64  # mutations for a child process: its start costs more than a mutation
_UNREADABLE = (DnervError, ValueError, IndexError, KeyError, TypeError, AttributeError)
Contents = dict[str, bytes]

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


def main() -> None:
    """Parse, mutate, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", type=Path, nargs="+", help="what is mutated")
    parser.add_argument("--mutations", type=int, default=10_000, help="in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the mutations that went wrong")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    words: Counter[str] = Counter()
    started = time.monotonic()
    for number, (data, outcome) in enumerate(fuzz(options.archives, options.mutations, options.seed)):
        counts[outcome.kind] += 1
        if outcome.is_wrong:
            words[f"{outcome.kind}: {outcome.what}"] += 1
            if options.keep is not None:
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / f"{outcome.kind.replace(' ', '-')}-{options.seed}-{number}.dnerv").write_bytes(data)
    seconds = time.monotonic() - started
    print(json.dumps({"mutations": options.mutations, "seconds": round(seconds), **counts}, indent=1))
    for text, count in words.most_common():
        print(f"{count:>6}  {text}")
    sys.exit(bool(words))


def fuzz(paths: Sequence[Path], mutations: int, seed: int, at_once: int = _AT_ONCE) -> Iterator[tuple[bytes, Outcome]]:
    """Mutated archives and what became of them; the same for the same archives, seed and number."""
    originals = [_contents(path) for path in paths]
    dice = random.Random(seed)
    for start in range(0, mutations, at_once):
        batch = [mutated(dice, dice.choice(originals)) for _ in range(min(at_once, mutations - start))]
        yield from zip(batch, outcomes(batch), strict=True)


def mutated(dice: random.Random, original: Contents) -> bytes:
    """A file like the original but for one section, or two, with checksums that match."""
    contents = dict(original)
    for _ in range(dice.choice((1, 1, 2))):
        kind = dice.choice(("CONF", "INDX", "INDX", "PKTS", "NETW", "KEYF", "header"))
        if kind == "header":
            return _mutated_header(dice, _file(contents))
        with suppress(*_UNREADABLE):  # what a mutation before this one has left behind
            contents |= _mutated_section(dice, kind, contents)
    return _file(_with_true_groups(contents) if dice.random() < 0.8 else contents)


def _mutated_section(dice: random.Random, kind: str, contents: Contents) -> Contents:
    if kind in ("CONF", "INDX"):
        return {kind: _mutated_json(dice, contents[kind])}
    if kind == "PKTS":
        return _with_tables(dice, contents)
    return {kind: _mutated_bytes(dice, contents[kind])}


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
        json.dumps(INFO.tables(INFO.run(ArchiveGiven(archive=path)) or {}), default=str)
        with Archive(path) as archive:
            for name in archive.names[:2] + archive.names[-1:]:
                reader = archive[name]
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
    try:
        torch.set_num_threads(1)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        path = Path(f"/dev/shm/dnerv-fuzz-{os.getpid()}.dnerv")
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


def _contents(path: Path) -> Contents:
    with Container.open(path) as container:
        return {kind: container.read(kind) for kind in container.kinds}


def _file(contents: Contents) -> bytes:
    offset, sections = table_size(len(contents)), []
    for kind, data in contents.items():
        sections.append(Section(kind, offset, len(data), crc32(data)))
        offset += len(data)
    return encode_table(sections) + b"".join(contents.values())


def _mutated_header(dice: random.Random, data: bytes) -> bytes:
    """Section table with another number in it, its checksum made right."""
    count = struct.unpack_from("<H", data, 10)[0]
    end = table_size(count) - 4
    head, rest = bytearray(data[:end]), data[end + 4 :]
    place = dice.randrange(8, end)
    head[place : place + 1] = bytes([dice.randrange(256)])
    return bytes(head) + struct.pack("<I", crc32(bytes(head))) + rest


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
            holder[dice.choice(("more", "keyframes", "head", "coded", "deltas", "label"))] = copy.deepcopy(
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


def _with_tables(dice: random.Random, contents: Contents) -> Contents:
    """A packet table changed: its bytes, or lengths and flags in it; the index told of its length as often as not."""
    index = decode_json(contents["INDX"])
    tables = list(_tables(index, contents["PKTS"]))
    if not tables:
        return contents | {"PKTS": _mutated_bytes(dice, contents["PKTS"])}
    place = dice.randrange(len(tables))
    if dice.random() < 0.5:
        tables[place] = _mutated_bytes(dice, tables[place])
    else:
        table = decode_packet_table(tables[place])
        lengths = [table.packet_range(packet)[1] for packet in range(len(table))]
        sync = [packet in table.first_packets for packet in range(len(table))]
        chosen = dice.randrange(len(lengths))
        lengths[chosen] = dice.choice((0, 1, lengths[chosen] + 1, max(0, lengths[chosen] - 1), (1 << 34) - 1))
        sync[dice.randrange(len(sync))] ^= True
        sync[0] = True
        if dice.random() < 0.2:
            lengths, sync = lengths * 50, sync * 50
        tables[place] = encode_packet_table(lengths, sync, [0] * sum(sync))
    if dice.random() < 0.7:
        for video, table_bytes in zip(_coded(index), tables, strict=True):
            video["bytes"][0] = len(table_bytes)
    return contents | {"INDX": encode_json(index), "PKTS": b"".join(tables)}


def _coded(index: Any) -> list[Any]:
    """The videos with keyframes, where the index is one; a mutated index may be anything."""
    try:
        videos = [video for video in index["videos"] if sum(video.get("bytes", (0, 0)))]
        return videos if all(type(n) is int and n >= 0 for video in videos for n in video["bytes"][:2]) else []
    except (TypeError, KeyError, AttributeError, IndexError):
        return []


def _tables(index: Any, packets: bytes) -> Iterator[bytes]:
    start = 0
    for video in _coded(index):
        yield packets[start : start + video["bytes"][0]]
        start += video["bytes"][0]


def _with_true_groups(contents: Contents) -> Contents:
    """The checksums in the packet tables made right for the packets as they are, where they can be read."""
    try:
        index, start, tables = decode_json(contents["INDX"]), 0, []
        for video, data in zip(_coded(index), _tables(index, contents["PKTS"]), strict=True):
            table = decode_packet_table(data)
            ends = [start + group.byte_offset for group in table.groups]
            sums = [
                crc32(contents["KEYF"][end : end + group.byte_length])
                for end, group in zip(ends, table.groups, strict=True)
            ]
            tables.append(data[: len(data) - 4 * len(sums)] + struct.pack(f"<{len(sums)}I", *sums))
            start += video["bytes"][1]
    except _UNREADABLE:
        return contents
    return contents | {"PKTS": b"".join(tables)} if tables else contents


if __name__ == "__main__":
    main()

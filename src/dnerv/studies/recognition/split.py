"""Which videos are trained on, which are tested on, and what they show.

A CSV file                          UCF101's official lists, trainlist01.txt [testlist01.txt, classInd.txt beside it]
    path,label,split                    ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1
    fight/fi001.mp4,fight,train         ...

Without a file, a third of each class is drawn for the test, or each class is cut into parts that take turns as the
test (cross-validation). Neighbours, clips of one recording for example, may then be in both parts, and a classifier
that knows the place looks as if it knew the action.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from dnerv.errors import InputError
from dnerv.video import Member
from dnerv.video.labels import csv_rows, spelled_names

DRAWN = "drawn at random, a third of each class; neighbours may leak"
FOLDED = "drawn at random, {} parts of each class in turn; neighbours may leak"
_TEST_SHARE = 1 / 3
_PARTS = ("train", "test")
_OTHER_PARTS = ("", "val", "validation", "valid")  # known words for what is neither
_NAMED = 3  # videos that a message names
_SPLIT_DRAW = 7  # first word of the seed


@dataclass(frozen=True)
class Split:
    """Names of videos, in the order of the corpus, and their labels."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    labels: Mapping[str, str]  # of all videos of both parts
    source: str  # where it comes from, in words
    missing: tuple[str, ...] = ()  # listed, and not among the videos
    unused: tuple[str, ...] = ()  # among the videos, and in no part

    @property
    def classes(self) -> list[str]:
        """Labels, sorted; a class's number is its place."""
        return sorted(set(self.labels.values()))

    def numbers(self, names: Iterable[str]) -> list[int]:
        """Classes of some videos."""
        places = {label: place for place, label in enumerate(self.classes)}
        return [places[self.labels[name]] for name in names]

    def warnings(self) -> list[str]:
        """What a user will want to know before hours of work."""
        lines = []
        if self.missing:
            lines.append(
                f"{len(self.missing)} videos of the split are not among the videos given: {_some(self.missing)}"
            )
        if self.unused:
            lines.append(f"{len(self.unused)} videos are in no part of the split: {_some(self.unused)}")
        return lines

    @property
    def most_frequent(self) -> int:
        """Test videos of their most frequent class: what chance gives."""
        return max(Counter(self.labels[name] for name in self.test).values())

    def to_json(self) -> dict[str, Any]:
        """Sizes, and what did not fit."""
        sizes = {"train": len(self.train), "test": len(self.test), "from": self.source}
        share = {"most_frequent": self.most_frequent / len(self.test)}
        return sizes | share | {"missing": list(self.missing), "unused": list(self.unused)}


@dataclass(frozen=True)
class _Listed:
    line: str  # file and line number
    path: str
    label: str
    part: str


def read_split(path: Path, members: Sequence[Member]) -> Split:
    """The split of the file; where it has no label, the videos' own are taken.

    Raises:
        InputError: a file that cannot be read or understood, a video listed twice, a part or a class without videos,
            or a video without a label.
    """
    listed = _ucf101(path) if path.name.lower().startswith("trainlist") else _from_csv(path)
    names, parts, labels, missing = spelled_names(members), dict[str, str](), _labels(members), list[str]()
    for entry in listed:
        name = names.get(str(PurePosixPath(entry.path)))
        if name is None:
            missing.append(entry.path)
            continue
        if name in parts:
            raise InputError(f"{entry.line}: video {name!r} is in the split already; list each video once")
        parts[name] = entry.part
        if entry.label:
            labels[name] = entry.label
    return _checked(members, parts, labels, str(path), missing)


def drawn_split(members: Sequence[Member], seed: int) -> Split:
    """A third of each class, rounded, one at least, for the test. Raises InputError for a class of one, or none."""
    labels, parts = _labels(members), dict[str, str]()
    if not labels:
        raise InputError("no video has a label; use class folders or --labels")
    for number, label in enumerate(sorted(set(labels.values()))):
        names = [member.name for member in members if labels.get(member.name) == label]
        if len(names) < 2:
            raise InputError(f"class {label!r} has a single video; two are needed, to train and to test on")
        order = np.random.default_rng((_SPLIT_DRAW, seed, number)).permutation(len(names)).tolist()
        count = max(1, round(len(names) * _TEST_SHARE))
        parts |= {names[place]: "test" if rank < count else "train" for rank, place in enumerate(order)}
    return _checked(members, parts, labels, DRAWN, [])


def drawn_folds(members: Sequence[Member], folds: int, seed: int) -> list[Split]:
    """Each class in `folds` parts, as equal as can be, each the test once. Raises InputError for a class of fewer."""
    labels, part_of = _labels(members), dict[str, int]()
    if not labels:
        raise InputError("no video has a label; use class folders or --labels")
    for number, label in enumerate(sorted(set(labels.values()))):
        names = [member.name for member in members if labels.get(member.name) == label]
        if len(names) < folds:
            raise InputError(f"class {label!r} has {len(names)} videos; --folds {folds} needs as many at least")
        order = np.random.default_rng((_SPLIT_DRAW, seed, number)).permutation(len(names)).tolist()
        part_of |= {names[place]: rank % folds for rank, place in enumerate(order)}

    def split(fold: int) -> Split:
        parts = {name: "test" if part == fold else "train" for name, part in part_of.items()}
        return _checked(members, parts, labels, FOLDED.format(folds), [])

    return [split(fold) for fold in range(folds)]


def _checked(
    members: Sequence[Member], parts: Mapping[str, str], labels: Mapping[str, str], source: str, missing: Sequence[str]
) -> Split:
    train, test = (tuple(m.name for m in members if parts.get(m.name) == part) for part in _PARTS)
    unused = tuple(m.name for m in members if parts.get(m.name) not in _PARTS)
    bare = [name for name in train + test if name not in labels]
    if bare:
        raise InputError(f"{len(bare)} videos have no label: {_some(bare)}; use class folders or --labels")
    used = {name: labels[name] for name in train + test}
    split = Split(train, test, used, source, tuple(missing), unused)
    if not train or not test:
        hint = "; ".join(["", *split.warnings()])
        raise InputError(f"{source}: {len(train)} videos to train on and {len(test)} to test on; each needs some{hint}")
    if len(split.classes) < 2:
        raise InputError(f"{source}: all videos have the label {split.classes[0]!r}; two classes at least are needed")
    unlearned = set(split.classes) - {used[name] for name in train}
    if unlearned:
        raise InputError(f"{source}: no video to train on shows {_some(sorted(unlearned))}")
    return split


def _labels(members: Sequence[Member]) -> dict[str, str]:
    return {member.name: member.label for member in members if member.label is not None}


def _from_csv(path: Path) -> list[_Listed]:
    listed = []
    for number, (video, label, part) in csv_rows(path, ("path", "label", "split")):
        line = f"{path}, line {number}"
        if part not in _PARTS + _OTHER_PARTS:
            raise InputError(f"{line}: split is {part!r}; it is train or test, or nothing for a video in no part")
        listed.append(_Listed(line, video, label, part))
    return listed


def _ucf101(train: Path) -> list[_Listed]:
    test = train.with_name("test" + train.name[len("train") :])
    index = train.with_name("classInd.txt")
    numbers = dict(_class_number(line, words) for line, words in _lines(index)) if index.exists() else {}
    listed = []
    for part, (line, words) in chain(
        (("train", row) for row in _lines(train)), (("test", row) for row in _lines(test))
    ):
        label, slash, _ = words[0].partition("/")
        if not slash or len(words) > 2:
            raise InputError(f"{line}: {' '.join(words)!r} is not ClassName/video.avi, with the class's number or not")
        if numbers and (label not in numbers or words[1:] not in ([], [numbers[label]])):
            raise InputError(f"{line}: {' '.join(words)!r} is not as {index} numbers the classes")
        listed.append(_Listed(line, words[0], label, part))
    return listed


def _class_number(line: str, words: Sequence[str]) -> tuple[str, str]:
    if len(words) != 2 or not words[0].isdecimal():
        raise InputError(f"{line}: {' '.join(words)!r} is not a class's number and its name")
    return words[1], words[0]


def _lines(path: Path) -> list[tuple[str, list[str]]]:
    """Place and words of every line that has some."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a list in UTF-8: {error}") from error
    rows = enumerate((line.split() for line in text.splitlines()), start=1)
    return [(f"{path}, line {number}", words) for number, words in rows if words]


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")

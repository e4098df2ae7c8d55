"""Which actions belong to which frames, and which episodes are kept for the test."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import InputError
from dnerv.video import CachedVideo, Member
from dnerv.video.content import digest_of

_UNREADABLE = (OSError, ValueError, LookupError, EOFError, BadZipFile, zlib.error)
SUFFIX, KEY = ".npz", "action"  # of the file beside each video, and of the array in it


@dataclass(frozen=True)
class Episodes:
    """Frames of all videos one after the other, and what a policy is to do at each."""

    videos: tuple[CachedVideo, ...]
    actions: NDArray[np.float32]  # [frames, values], as the files have them
    held_out: int  # last episodes of each task, in the order of names

    @property
    def num_values(self) -> int:
        """Values of an action."""
        return int(self.actions.shape[1])

    @cached_property
    def tasks(self) -> list[str]:
        """Labels of the videos, sorted; one without a name where they have none."""
        return sorted({video.label or "" for video in self.videos})

    @cached_property
    def lengths(self) -> list[int]:
        """Frames of each video."""
        return [len(video.store) for video in self.videos]

    @cached_property
    def task_of(self) -> NDArray[np.int64]:
        """Of each frame, its place in `tasks`."""
        places = [self.tasks.index(video.label or "") for video in self.videos]
        return np.repeat(np.array(places), self.lengths)

    @cached_property
    def before(self) -> NDArray[np.int64]:
        """Of each frame, the one before it in its video; a first frame's is itself."""
        firsts = np.cumsum([0, *self.lengths[:-1]])
        places = np.arange(len(self.actions)) - 1
        places[firsts] = firsts
        return places

    @cached_property
    def is_test(self) -> NDArray[np.bool_]:
        """Of each frame, whether its episode is kept for the test."""
        seen, kept = dict[str, int](), []
        for video in reversed(self.videos):
            label = video.label or ""
            seen[label] = seen.get(label, 0) + 1
            kept.append(seen[label] <= self.held_out)
        return np.repeat(np.array(kept[::-1]), self.lengths)

    @cached_property
    def targets(self) -> NDArray[np.float32]:
        """Actions less the training frames' mean, over their standard deviation."""
        trained = self.actions[~self.is_test]
        spread = trained.std(0)
        return np.asarray((self.actions - trained.mean(0)) / np.where(spread > 0, spread, 1), np.float32)

    def to_json(self) -> dict[str, Any]:
        """What a policy depends on, beside the pixels."""
        names = [[video.name, video.label] for video in self.videos]
        return {"episodes": digest_of([names, self.actions.tolist(), self.held_out])}


def read_episodes(members: Sequence[Member], videos: Sequence[CachedVideo], held_out: int) -> Episodes:
    """Actions of every frame, of the file beside each video.

    Raises InputError for a file that is missing or is none, another number of frames or of values, or a task that has
    no episode left to train on.
    """
    found = [_read(member, video) for member, video in zip(members, videos, strict=True)]
    widths = {actions.shape[1] for actions in found}
    if len(widths) > 1:
        raise InputError(f"actions have {' and '.join(map(str, sorted(widths)))} values: a policy has one number")
    episodes = Episodes(tuple(videos), np.concatenate(found), held_out)
    trained = set(episodes.task_of[~episodes.is_test].tolist())
    for place, task in enumerate(episodes.tasks):
        if place not in trained:
            name = f"task {task!r}" if task else "the folder"
            raise InputError(
                f"--held-out keeps {held_out} episodes of each task, and {name} has no more: none to train on"
            )
    return episodes


def actions_file(video: Path) -> Path:
    """Where a video's actions are. Raises InputError for a video in a tar file, which has no place beside it."""
    if "::" in str(video) or any(parent.is_file() for parent in video.parents):
        raise InputError(f"{video}: actions stand in files beside videos, and a tar file's have none: unpack it")
    return video.with_name((video.name if video.is_dir() else video.stem) + SUFFIX)


def _read(member: Member, video: CachedVideo) -> NDArray[np.float32]:
    path = actions_file(member.source_path)
    try:
        with path.open("rb") as file:
            actions = np.asarray(np.load(file, allow_pickle=False)[KEY], np.float32)
    except FileNotFoundError:
        raise InputError(
            f"{path}: not found; it holds the video's actions, an array {KEY!r} with a row a frame"
        ) from None
    except _UNREADABLE as error:
        raise InputError(f"{path}: holds no array {KEY!r} of numbers ({error})") from None
    if actions.ndim < 2 or len(actions) != len(video.store):
        raise InputError(f"{path}: {KEY!r} is {list(actions.shape)}, and the video has {len(video.store)} frames")
    if not np.isfinite(actions).all():
        raise InputError(f"{path}: {KEY!r} has values that are no numbers")
    return actions.reshape(len(actions), -1)

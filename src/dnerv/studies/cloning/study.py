"""The whole study: codings, policies, and what they lose against the originals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from itertools import groupby, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from dnerv import progress
from dnerv.encoding.options import EncodeOptions, FrameOptions
from dnerv.errors import InputError
from dnerv.options import Options, like, option
from dnerv.studies.charts import Chart, Level, Lines, Series
from dnerv.studies.paired import paired
from dnerv.studies.study import Every, Record, Study, StudyOptions, distance_of
from dnerv.studies.tables import figures_table
from dnerv.tables import Part, Table

if TYPE_CHECKING:
    from dnerv.studies.cloning.episodes import Episodes
    from dnerv.studies.cloning.policy import Pixels
    from dnerv.studies.content import Content
    from dnerv.studies.runner import Run
    from dnerv.video import CachedVideo

ORIGINALS, LEROBOT = "originals", "AV1, as LeRobot"
_ARCHIVES: Mapping[Every, str] = {
    "chosen": "archive",
    "1": "every frame",
    "2": "every 2nd frame",
    "4": "every 4th frame",
}
_STYLES = {LEROBOT: "svtav1", _ARCHIVES["chosen"]: "base", _ARCHIVES["1"]: "every"}  # of lines in charts
TESTS = {"originals": "tested on the originals", "own": "tested on its own frames"}
_POLICY = "The policy"
_VERSION = 1  # raise it when the same policy would give other figures
_FACTS = ("bytes", "bits_per_pixel", "psnr", "worst_psnr")


@dataclass(frozen=True)
class PolicyOptions(Options):
    """How a policy is made; the same for every coding."""

    size: tuple[int, int] = option(
        (64, 80),
        "Height x width that it sees frames at.",
        flag="--policy-resolution",
        low=16,
        form="size",
        group=_POLICY,
    )
    steps: int = option(1000, "Of its training.", flag="--policy-steps", low=1, group=_POLICY)
    width: int = option(8, "Channels of its first layer, a multiple of 4.", low=4, is_typed=False)
    batch: int = option(128, "Pairs of frames of a step.", is_typed=False)
    shift: int = option(3, "Pixels that frames are moved by at most, in training.", is_typed=False)
    learning_rate: float = option(1e-3, "Of AdamW, at its start.", is_typed=False)
    weight_decay: float = option(0.01, "Of AdamW.", is_typed=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % 4:
            raise InputError(f"width is {self.width}; it must be a multiple of 4")


@dataclass(frozen=True)
class CloningOptions(StudyOptions):
    """What is coded, and who learns from it."""

    resolution: tuple[int, int] | None = like(FrameOptions, "resolution")
    crf: tuple[float, ...] = option((24.0, 32.0, 40.0, 56.0), "Qualities of the archives.", low=1, high=70)
    access: int | None = like(EncodeOptions, "access", default=8, unset=None)
    every: tuple[Every, ...] = option(("chosen",), "Frames from one coded to the next.")
    effort: Literal["fast", "default", "small"] = like(EncodeOptions, "effort")
    held_out: int = option(2, "Last episodes of each task that are kept for the test.", low=1)
    seeds: int = option(5, "Policies from each coding.", low=1)
    policy: PolicyOptions = PolicyOptions()

    def __post_init__(self) -> None:
        super().__post_init__()
        for every in self.every:
            self.encoding_of(self.crf[0], every)

    def encoding_of(self, crf: float, every: Every) -> EncodeOptions:
        """Of one archive: without a network, as a loader's."""
        own = {"access": self.access, "effort": self.effort, "every": distance_of(every)}
        return self.encoding(network="none", crf=crf, **own)


class Plan(NamedTuple):
    """Frames, and what is done at each."""

    content: Content
    episodes: Episodes


class Coded(NamedTuple):
    """One coding, and what policies learned from it."""

    facts: Record
    policies: Sequence[Record]  # of each seed: errors by whose frames it was tested on and by task, and a curve


class Cloning(Study[CloningOptions, Plan, Sequence[Coded]]):
    """The study."""

    name = "cloning"
    title = "Behaviour cloning"
    question = "What does a policy lose that learns from compressed videos?"
    options = CloningOptions

    def plan(self, run: Run[CloningOptions]) -> Plan:
        """Frames and actions. Raises InputError where they do not fit."""
        from dnerv.studies.cloning.episodes import read_episodes

        content = run.content()
        return Plan(content, read_episodes(run.members, content.videos, run.options.held_out))

    def measure(self, run: Run[CloningOptions], plan: Plan) -> Sequence[Coded]:
        """Each coding, and then its policies."""
        originals = cache(partial(_seen, plan.content, _originals, run.options.policy.size))
        found = [Coded({"coding": ORIGINALS}, _policies(run, plan, ORIGINALS, "", {"originals": originals}))]
        for facts, decoded, digest in _codings(run, plan.content):
            own = cache(partial(_seen, plan.content, decoded, run.options.policy.size))
            frames = {"own": own, "originals": originals}
            found.append(Coded(facts, _policies(run, plan, facts["coding"], digest, frames)))
        return found

    def rows(self, run: Run[CloningOptions], plan: Plan, measured: Sequence[Coded]) -> Mapping[str, Any]:
        """Of each coding: bytes, quality, errors, and how they differ from the originals'."""
        content, episodes, held_out = plan.content, plan.episodes, run.options.held_out
        of_originals = [policy["errors"]["originals"] for policy in measured[0].policies]
        tested = held_out * len(episodes.tasks)
        return {
            "content": {
                "videos": len(content.videos),
                "frames": content.num_frames,
                "height": content.videos[0].height,
                "width": content.videos[0].width,
                "digest": content.digest,
            },
            "tasks": episodes.tasks,
            "episodes": {"trained": len(content.videos) - tested, "tested": tested},
            "frames": {"trained": int((~episodes.is_test).sum()), "tested": int(episodes.is_test.sum())},
            "values": episodes.num_values,
            "rows": [
                {
                    **coded.facts,
                    "curve": np.mean([policy["curve"] for policy in coded.policies], axis=0).tolist(),
                    **{
                        tested_on: _summary([policy["errors"][tested_on] for policy in coded.policies], of_originals)
                        for tested_on in TESTS
                        if tested_on in coded.policies[0]["errors"]
                    },
                }
                for coded in measured
            ],
        }

    def files(self, run: Run[CloningOptions]) -> Iterable[Path]:
        """The videos, and their actions."""
        from dnerv.studies.cloning.episodes import actions_file

        videos = list(super().files(run))
        return [*videos, *map(actions_file, videos)]

    def tables(self, record: Mapping[str, Any]) -> Sequence[Part]:
        """Bytes and quality of each coding; then errors and differences, by whose frames the test shows."""
        content, policy = record["content"], record["options"]["policy"]
        return [
            f"{content['videos']} episodes, tasks: {len(record['tasks'])}, {content['frames']} frames of "
            f"{content['height']}x{content['width']}; {record['episodes']['trained']} to train on, "
            f"{record['episodes']['tested']} to test on",
            f"policies see {policy['size'][0]}x{policy['size'][1]}, {policy['steps']} steps of {policy['batch']} pairs "
            f"of frames; {record['options']['seeds']} from each coding",
            "",
            _codings_table(record["rows"]),
            *(part for tested_on in TESTS for part in ("", _errors_table(record["rows"], tested_on))),
            "",
            "error: squared error of the held-out actions, over that of the training's mean action, mean over tasks: "
            "1 is a policy that sees nothing. more: in per cent of the originals', same seeds and tasks; its 95 % "
            "interval, over whichever are several. visible: the smallest that this would show four times out of five.",
        ]

    def charts(self, record: Mapping[str, Any]) -> Sequence[Chart]:
        """What policies lose by rate, and how training went."""
        originals, *coded = record["rows"]
        groups = [
            (_STYLES.get(name, name), name, list(rows))
            for name, rows in groupby(coded, lambda row: str(row["coding"]).partition(", crf ")[0])
        ]
        return [
            *(
                Lines(
                    f"Policies {title}",
                    "bits per pixel of what they were trained from (log scale)",
                    "error above that from originals, %",
                    [
                        Series(
                            name,
                            style,
                            [(row["bits_per_pixel"], _more(row[tested_on], originals).mean) for row in _rising(rows)],
                            [_more(row[tested_on], originals).interval for row in _rising(rows)],
                        )
                        for style, name, rows in groups
                    ],
                    "log",
                    [Level("from originals", 0.0)],
                )
                for tested_on, title in TESTS.items()
            ),
            Lines(
                "How training went",
                "steps",
                "squared error / that of the mean action, own frames",
                [
                    Series(row["coding"], f"published-{place}" if place else "plain", row["curve"])
                    for place, row in enumerate(record["rows"])
                ],
            ),
        ]


Decoded = Callable[["CachedVideo"], Iterator[Any]]  # frames of one video, uint8 [H, W, 3]


def _codings(run: Run[CloningOptions], content: Content) -> Iterator[tuple[Record, Decoded, str]]:
    """LeRobot's, then archives of a kind from the best quality on: facts, how to decode a video, a digest of files."""
    from dnerv.studies import streams

    found = streams.coded_once(
        run.steps, streams.LEROBOT, streams.LEROBOT_CRF, streams.LEROBOT_EFFORT, content, restart=streams.LEROBOT.group
    )
    paths = {video.name: run.path_of(found, place) for place, video in enumerate(content.videos)}
    yield _facts(LEROBOT, found), partial(_decoded_stream, paths), _digest(list(paths.values()))
    for every, crf in product(run.options.every, sorted(run.options.crf)):
        name = f"{_ARCHIVES[every]}, crf {crf:g}"
        found = run.archive(name, content, run.options.encoding_of(crf, every))
        path = run.path_of(found)
        yield _facts(name, found), partial(_decoded_archive, path, run.options.device), _digest([path])


def _facts(name: str, found: Record) -> Record:
    return {"coding": name, **{fact: found[fact] for fact in _FACTS}}


def _digest(paths: Sequence[Path]) -> str:
    from dnerv.video.content import digest_of

    return digest_of([path.read_bytes().hex() for path in paths])


def _originals(video: CachedVideo) -> Iterator[Any]:
    return iter(video.store)


def _decoded_stream(paths: Mapping[str, Path], video: CachedVideo) -> Iterator[Any]:
    from dnerv.studies.streams import LEROBOT as CODEC

    return CODEC.decode_file(paths[video.name], video.height, video.width)


def _decoded_archive(path: Path, device: str, video: CachedVideo) -> Iterator[Any]:
    from dnerv.archive import Archive

    with Archive(path, device=device, size="coded") as archive:
        yield from archive[video.name][:].permute(0, 2, 3, 1).cpu().numpy()


def _seen(content: Content, decoded: Decoded, size: tuple[int, int]) -> Pixels:
    """Frames of all videos, one after the other, as a policy sees them."""
    from dnerv.families import channels_first
    from dnerv.video import scale_frames

    progress.stage("decoding and scaling", len(content.videos))
    seen = []
    for video in content.videos:
        frames = channels_first(np.stack(list(decoded(video))))
        seen.append(scale_frames(frames, size, "bilinear").contiguous().numpy())
        progress.advance()
    return np.concatenate(seen)


def _policies(
    run: Run[CloningOptions], plan: Plan, coding: str, digest: str, frames: Mapping[str, Callable[[], Pixels]]
) -> Sequence[Record]:
    """A policy from each seed, trained on the first of `frames` and tested on all of them; a step."""
    from dnerv.studies.cloning.policy import clone

    options = run.options
    seeds = range(options.seed, options.seed + options.seeds)

    def make(stem: Path) -> Record:
        pixels = {name: of() for name, of in frames.items()}
        progress.stage(f"training policies from {coding}", len(seeds))
        trained = []
        for one in clone(plan.episodes, pixels, options.policy, seeds, run.device):
            trained.append(asdict(one))
            progress.advance()
        return {"policies": trained}

    depends_on = {
        "version": _VERSION,
        "content": plan.content.digest,
        "coded": digest,
        "policy": options.policy.to_json(),
        "seeds": list(seeds),
        "device": run.device.type,
        **plan.episodes.to_json(),
    }
    policies: Sequence[Record] = run.step(f"policies from {coding}", depends_on, make)["policies"]
    return policies


def _summary(errors: Sequence[Sequence[float]], of_originals: Sequence[Sequence[float]]) -> Record:
    """Errors of each seed and task; the originals' likewise."""
    found = paired(errors)
    values = np.array(errors)
    return {
        "error": found["mean"],
        "interval": found["interval"],
        "seeds": values.mean(1).tolist(),
        "tasks": values.mean(0).tolist(),
        "more": paired(values - np.array(of_originals)),
    }


def _codings_table(rows: Sequence[Record]) -> Table:
    table = figures_table("trained from", "bytes", "bits/pixel", "PSNR dB", "worst 5 %")
    for row in rows[1:]:
        rate, psnr, worst = row["bits_per_pixel"], row["psnr"], row["worst_psnr"]
        table.add_row(row["coding"], f"{row['bytes']:,}", f"{rate:.4f}", f"{psnr:.2f}", f"{worst:.2f}")
    return table


def _errors_table(rows: Sequence[Record], tested_on: str) -> Table:
    table = figures_table(TESTS[tested_on], "error", "more", "95 % interval", "visible")
    originals, *coded = rows
    table.add_row(originals["coding"], f"{originals['originals']['error']:.4f}", "")
    for row in coded:
        more, cells = _more(row[tested_on], originals), list[str]()
        if more.interval is not None:
            cells = [f"{more.interval[0]:+.1f} to {more.interval[1]:+.1f} %", f"{more.visible:.1f}%"]
        table.add_row(row["coding"], f"{row[tested_on]['error']:.4f}", f"{more.mean:+.1f}%", *cells)
    return table


class _More(NamedTuple):
    """What a policy loses, in per cent of the error from originals."""

    mean: float
    interval: tuple[float, float] | None
    visible: float | None


def _more(found: Record, originals: Record) -> _More:
    more, unit = found["more"], originals["originals"]["error"] / 100
    if more["interval"] is None:
        return _More(more["mean"] / unit, None, None)
    low, high = more["interval"]
    return _More(more["mean"] / unit, (low / unit, high / unit), more["visible"] / unit)


def _rising(rows: Sequence[Record]) -> Sequence[Record]:
    return sorted(rows, key=lambda row: float(row["bits_per_pixel"]))

"""The paper's table of loading speed, remade on the machine at hand: `dnerv bench`.

archive ── sample (random clips, their frames) ─┬─ stored frames: JPEG, PNG ──────┐
   │                                            ├─ H.264 at the archive's bytes ──┤
   │                                            ├─ AV1 as LeRobot has it ─────────┤
   │                                            └─ any command (`--decoder`) ─────┤
   ├─ a NeRV of the same bytes ───────────────────────────────────────────────────┼─ rounds: one process, all cores
   ├─ the plain modules in float32, one clip at a time: the reference ────────────┤  rounds: 1 and 2 workers of 1 core
   ├─ its base layer ─────────────────────────────────────────────────────────────┤     record, tables, bars
   └─ its network in every precision and batch size ──────────────────────────────┘

Every way to load is a `Candidate` (`candidate.py`): a name, the files it reads, and how to open it. To add one, write a
function that makes it and name that function in `candidates_of`. Every round is a step, and runs in a fresh process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from dnerv import progress
from dnerv.engine.precision import ChosenPrecision, chosen_precision, computes_in_bf16
from dnerv.errors import InputError
from dnerv.options import option
from dnerv.studies.bench.tables import tables
from dnerv.studies.charts import Bar, Bars
from dnerv.studies.study import Record, Study, StudyOptions
from dnerv.tables import Part

if TYPE_CHECKING:
    import torch

    from dnerv.archive import Archive
    from dnerv.studies.bench.candidate import Candidate
    from dnerv.studies.bench.sample import Sample
    from dnerv.studies.runner import Run

_STYLES = {
    "archive": "dnerv",
    "reference": "plain",
    "loader": "loader",
    "nerv": "nerv",
    "stored frames": "stills",
    "video codec": "x264",
    "command": "command",
}


@dataclass(frozen=True)
class BenchOptions(StudyOptions):
    """One measurement."""

    originals: tuple[Path, ...] = option(
        (),
        "What was encoded.",
        metavar="VIDEO|FOLDER",
        is_repeatable=True,
        unset="the archive's frames",
        group="Content",
    )
    clips: int = option(32, "Length of the random list that everybody loads.", low=1, group="Content")
    batch_sizes: tuple[int, ...] = option((1, 4, 8), "Clips decoded together.", low=1, group="Who takes part")
    precisions: tuple[Literal["fp32", "bf16", "fp16"], ...] | None = option(
        None, "Of the network.", unset="fp32 and what the device is fast in", group="Who takes part"
    )
    against: tuple[Literal["jpeg", "png", "h264", "av1", "nerv"], ...] = option(
        ("jpeg", "png", "h264", "av1", "nerv"), "Opponents, or none.", may_be_empty=True, group="Who takes part"
    )
    nerv: Path | None = option(
        None, "A NeRV archive.", metavar="FILE", unset="random weights, same bytes", group="Who takes part"
    )
    decoders: tuple[str, ...] = option(
        (),
        "Another decoder, run for each clip. Fields: {archive} {video} {name} {first} {frames} {height} {width} "
        "{output}; raw RGB goes to {output}.",
        flag="--decoder",
        metavar="NAME=COMMAND",
        is_repeatable=True,
        group="Who takes part",
    )
    workers: tuple[int, ...] = option(
        (1, 2), "Numbers of worker processes, each of one core, or none.", low=1, may_be_empty=True, group="Timing"
    )
    seconds: float = option(3.0, "Of warm loading for each figure, over all rounds.", low=0, group="Timing")
    repeats: int = option(5, "Rounds; medians are shown.", low=1, group="Timing")


class Plan(NamedTuple):
    """The archive, and a hash of all that is given."""

    path: Path
    digest: str


class Measured(NamedTuple):
    """What `measure` gives."""

    sample: Sample
    candidates: Sequence[Candidate]
    rounds: Sequence[Sequence[Record]]  # by round, in the order of the candidates
    worked: Mapping[tuple[str, int], Mapping[str, Sequence[Record]]]  # by name, batch size; number of workers; round
    quality: Sequence[Record]
    breakdown: Sequence[Record]


class Bench(Study[BenchOptions, Plan, Measured]):
    """Loading speed against stored frames, H.264 and NeRV."""

    name = "bench"
    title = "Loading speed"
    question = "How fast do clips come from disk to tensors?"
    options = BenchOptions
    takes = "ARCHIVE"

    def files(self, run: Run[BenchOptions]) -> Iterable[Path]:
        """The archive, a NeRV beside it, and the original videos."""
        from dnerv.video import discover

        asked = run.options
        originals = [member.source_path for member in discover(asked.originals)] if asked.originals else []
        return [*run.inputs, *([] if asked.nerv is None else [asked.nerv]), *originals]

    def plan(self, run: Run[BenchOptions]) -> Plan:
        """Check what is given. Raises InputError for a decoder's command that cannot be used."""
        from dnerv.studies.bench.command import check_commands
        from dnerv.studies.record import hashed_files
        from dnerv.video.content import digest_of

        if len(run.inputs) != 1:
            raise InputError(f"{len(run.inputs)} archives are given; give one")
        check_commands(run.options.decoders, bool(run.options.originals))
        return Plan(run.inputs[0], digest_of([file["sha256"] for file in hashed_files(self.files(run))]))

    def measure(self, run: Run[BenchOptions], plan: Plan) -> Measured:
        """What opponents need is made first; then rounds, quality and the breakdown, each in fresh processes."""
        from dnerv.archive import Archive
        from dnerv.evaluation.machine import describe_machine
        from dnerv.studies.bench.archives import break_down
        from dnerv.studies.bench.candidate import compared_frames, measured_round
        from dnerv.studies.bench.sample import draw_sample

        asked = run.options
        with Archive(plan.path, device=run.device, size="coded") as archive:
            sample = draw_sample(
                run, archive, plan.digest, originals=asked.originals, clips=asked.clips, seed=asked.seed
            )
            precisions = _precisions(run, archive)
            candidates = list(candidates_of(run, archive, sample, precisions))
        depends_on = {
            "sample": sample.digest,
            "candidates": [(c.name, c.batch_size, c.size, c.note) for c in candidates],
            "machine": asdict(describe_machine(run.device)),
        }
        seconds = asked.seconds / asked.repeats

        def of_round(number: int) -> Record:
            arguments = candidates, sample.places, seconds, asked.seed + number, run.device
            timing = {"seconds": seconds, "number": number, "seed": asked.seed}
            name = f"round {number + 1} of {asked.repeats}"
            return run.step(name, depends_on | timing, lambda _: run.fresh(measured_round, *arguments))

        rounds = [of_round(number)["speeds"] for number in range(asked.repeats)]
        worked = _worked(run, sample, candidates, depends_on)
        quality = run.step(
            "frames compared",
            depends_on,
            lambda _: run.fresh(compared_frames, candidates, sample, bool(asked.originals)),
        )
        times = plan.path, precisions, max(asked.batch_sizes), sample, run.device
        parts = run.step("times taken apart", depends_on, lambda _: run.fresh(break_down, *times))
        return Measured(sample, candidates, rounds, worked, quality["quality"], parts["breakdown"])

    def rows(self, run: Run[BenchOptions], plan: Plan, measured: Measured) -> Record:
        """A row for each candidate and batch size, quality, and where the time goes."""
        from dnerv.archive import Archive
        from dnerv.studies.bench.candidate import row
        from dnerv.studies.bench.readers import missing_readers

        with Archive(plan.path, device=run.device, size="coded") as archive:
            facts = _facts(archive)
        sample, candidates = measured.sample, measured.candidates
        of_each = list(zip(*measured.rounds, strict=True))
        reference = of_each[[candidate.kind for candidate in candidates].index("reference")]
        return {
            "archive": facts,
            "content": {
                "from": "originals" if run.options.originals else "archive",
                "videos": [video.name for video in sample.videos.values()],
                "frames": sample.num_frames,
                "clips": len(sample.places),
                "clip_length": sample.clip_length,
                "share_of_pixels": sample.share,
            },
            "rows": [
                row(c, r, reference, measured.worked.get((c.name, c.batch_size), {}))
                for c, r in zip(candidates, of_each, strict=True)
            ],
            "quality": measured.quality,
            "automatic_precision": chosen_precision("auto", run.device),
            "breakdown": measured.breakdown,
            "missing": missing_readers({candidate.name for candidate in candidates}),
        }

    def tables(self, record: Mapping[str, Any]) -> Sequence[Part]:
        """What was measured on, speeds, quality, breakdown, notes."""
        return tables(record)

    def charts(self, record: Mapping[str, Any]) -> Sequence[Bars]:
        """A pair of bars for each row: frames per second warm and, paler, cold."""
        bars = []
        for row in record["rows"]:
            for state, is_pale in (("warm", False), ("cold", True)):
                speed, name = row[state]["frames_per_second"], f"{row['name']}, batch {row['batch_size']}"
                text = f"{speed['median']:,.0f} ({row[state]['ratio']['median']:.3g}x)"
                spread = speed["low"], speed["high"]
                name = "cold" if is_pale else name
                bars.append(Bar(name, speed["median"], _STYLES[row["kind"]], text, spread, is_pale=is_pale))
        across = "frames per second, from disk to tensor (in brackets: ratio to the reference)"
        loading = Bars("Loading, warm and cold", across, bars, scale="log")
        return [loading, *_worker_bars(record)]


def _worker_bars(record: Mapping[str, Any]) -> list[Bars]:
    """Bars for each row that ran in worker processes: the most of them and, paler, the fewest."""
    counts = sorted(record["options"]["workers"], reverse=True)
    bars = []
    for row in (row for row in record["rows"] if row["workers"]):
        for count in dict.fromkeys((counts[0], counts[-1])):
            found, is_pale = row["workers"][str(count)], count != counts[0]
            speed, first = found["samples_per_second"], found["first_batch_milliseconds"]["median"]
            text = f"{speed['median']:,.0f} (first batch after {first:,.0f} ms)"
            name = f"{count} worker" if is_pale else row["name"]
            spread = speed["low"], speed["high"]
            bars.append(Bar(name, speed["median"], _STYLES[row["kind"]], text, spread, is_pale=is_pale))
    what = f"{record['content']['clip_length']}-frame samples per second, {counts[0]} worker processes" if bars else ""
    return [Bars("Loading in worker processes", what, bars, scale="log")] if bars else []


def _worked(
    run: Run[BenchOptions], sample: Sample, candidates: Sequence[Candidate], depends_on: Mapping[str, Any]
) -> Mapping[tuple[str, int], Mapping[str, Sequence[Record]]]:
    """Rounds in worker processes: by candidate, by the number of processes."""
    from dnerv.studies.bench.workers import in_workers, measured_workers

    asked, ours = run.options, in_workers(candidates)
    if not asked.workers:
        return {}
    rounds = []
    for number in range(asked.repeats):
        arguments = ours, sample.places, asked.workers, asked.seconds / asked.repeats, asked.seed + number, run.device
        timing = {"seconds": asked.seconds, "number": number, "seed": asked.seed, "workers": asked.workers}
        found = run.step(
            f"workers, round {number + 1} of {asked.repeats}",
            {**depends_on, **timing},
            lambda _, arguments=arguments: run.fresh(measured_workers, *arguments),  # type: ignore[misc]
        )
        rounds.append(found["workers"])
    return {
        (one.name, one.batch_size): {str(count): [r[place][str(count)] for r in rounds] for count in asked.workers}
        for place, one in enumerate(ours)
    }


def default_precisions(device: torch.device) -> tuple[ChosenPrecision, ...]:
    """float32, and what the device computes in faster."""
    precisions: list[ChosenPrecision] = ["fp32"]
    if computes_in_bf16(device):
        precisions.append("bf16")
    if device.type == "cuda":
        precisions.append("fp16")
    return tuple(precisions)


def _precisions(run: Run[BenchOptions], archive: Archive) -> tuple[ChosenPrecision, ...]:
    """Those asked for. Raises InputError for some of an archive that has no network to compute in them."""
    if archive.config.network is not None:
        return run.options.precisions or default_precisions(run.device)
    if run.options.precisions not in (None, ("fp32",)):
        raise InputError(f"{archive.container.path} has no network: leave --precisions out")
    return ("fp32",)


def candidates_of(
    run: Run[BenchOptions], archive: Archive, sample: Sample, precisions: Sequence[ChosenPrecision]
) -> Iterator[Candidate]:
    """The reference first; what needs files writes them into the run's folder. Opponents load the largest batches."""
    from dnerv.families import family_of
    from dnerv.studies.bench.archives import REFERENCE, base_layer, loaders, network
    from dnerv.studies.bench.command import command
    from dnerv.studies.bench.nerv import FAMILY
    from dnerv.studies.bench.readers import candidates as read_videos
    from dnerv.studies.bench.stills import stills
    from dnerv.studies.bench.streams import h264, lerobot

    asked, path, most = run.options, archive.container.path, max(run.options.batch_sizes)
    share = round(archive.file_bytes * sample.share)
    network_of = archive.config.network
    yield network(path, REFERENCE, 1, run.device, share, kind="reference")
    for precision in precisions if network_of is not None else ():
        for batch_size in asked.batch_sizes:
            yield network(path, precision, batch_size, run.device, share)
    if all(archive.entries[video].num_coded for video in sample.videos):
        yield base_layer(path, sample, most, run.device, share)
    automatic: ChosenPrecision = "fp32" if network_of is None else chosen_precision("auto", run.device)
    yield from loaders(archive, sample, automatic, most, run.device)
    if "nerv" in asked.against and (network_of is None or family_of(network_of.model).name != FAMILY):
        yield from _nervs(run, archive, sample, precisions)
    for restart in (None, sample.clip_length) if "h264" in asked.against else ():
        yield from read_videos(run, sample, h264(run, sample, archive.file_bytes, restart), most)
    if "av1" in asked.against:
        yield from read_videos(run, sample, lerobot(run, sample), most)
    for name in ("jpeg", "png"):
        if name in asked.against:
            yield stills(run, name, sample, most)
    for text in asked.decoders:
        yield command(text, path, sample, most, run.device)


def _nervs(
    run: Run[BenchOptions], archive: Archive, sample: Sample, precisions: Sequence[ChosenPrecision]
) -> Iterator[Candidate]:
    """The NeRV that is given or, of the same bytes, one of random weights."""
    from dnerv.archive import Archive
    from dnerv.studies.bench.archives import network
    from dnerv.studies.bench.nerv import check_nerv, write_nerv

    def make(stem: Path) -> Record:
        progress.stage("making a NeRV of the same bytes")
        made = stem.with_name(stem.name + ".dnerv")
        write_nerv(archive, made)
        return {"files": run.steps.listed([made])}

    path, most = run.options.nerv, max(run.options.batch_sizes)
    if path is None:
        path = run.path_of(run.step("NeRV", {"sample": sample.digest}, make))
    with Archive(path, size="coded") as other:
        check_nerv(archive, other)
        share, width = round(other.file_bytes * sample.share), other.network.config.model.base_channels
        weights = "random weights" if run.options.nerv is None else str(run.options.nerv)
        note = f"width {width}, {weights}, {other.file_bytes:,} bytes; {most} clips in one pass"
    for precision in precisions:
        yield network(path, precision, most, run.device, share, kind="nerv", note=note)


def _facts(archive: Archive) -> Record:
    from dnerv.studies.archive_quality import network_facts

    network = archive.config.network
    return {
        "path": str(archive.container.path),
        "file_bytes": archive.file_bytes,
        "bits_per_pixel": archive.bits_per_pixel,
        "videos": len(archive),
        "frames": archive.num_frames,
        "canvas": None if network is None else list(network.model.canvas),
        "model": None if network is None else network_facts(network.model),
    }

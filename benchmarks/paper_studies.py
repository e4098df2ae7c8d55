"""The paper's claims about its network with enough steps and seeds, in minutes on one accelerator.

    python benchmarks/paper_studies.py prepare FOLDER          # on a processor: FOLDER/demo, FOLDER/davis hold videos
    python benchmarks/paper_studies.py run FOLDER --device cuda --seconds 400 --json FILE
    python benchmarks/paper_studies.py run FOLDER --device cpu --seconds 20 --tiny

prepare: frames are scaled, coded frames coded to their share of the bytes, and every network is sized to fill the rest.
run: all networks train in lockstep (`lockstep.py`), so that all have had as many steps; those that ask whether more of
them help take half, twice, four or eight times as many. At the end each is quantised, packed and read back from its
bytes; what was known before that is in the record from the first minute on.

Bytes are those of the packed network and of an archive that holds the coded frames alone; PSNR is that of the frames,
8 bits RGB, that the network read from its bytes makes, mean over frames, then over videos. The few hundred bytes in
which an archive describes the network are in neither.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, takewhile
from pathlib import Path
from typing import Any

import lockstep
import torch
from lockstep import ClipTable, Task, Trained
from side_by_side import machine

from dnerv.archive import Archive
from dnerv.families import FAMILIES, Components, ModelConfig, Sizing, config_from_json, config_to_json, count_parameters
from dnerv.studies.content import Content, read_videos
from dnerv.training.clip_set import ClipSet, TrainingVideo
from dnerv.video import FrameStore, FrameStoreWriter, Timeline

BITS, CLIP_LENGTH, SHARE = 5, 8, 0.45  # of the weights; frames; the network's of all bytes, where there are keyframes
INDEX_BYTES = 625  # of an archive without coded frames, beside its network
SEEDS = (0, 1, 2)
RECIPE_RATE, SMALL_NETWORK = 5e-3, 20_000  # AdamW's for networks up to so many weights, as `encode` takes it
T95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}  # Student's t, two-sided 95 %, by number of seeds
# What a network that keeps everything in its weights comes to, over the size that the dial expects.
PLAIN_RATIO = 0.96

Row = dict[str, Any]


@dataclass(frozen=True)
class Corpus:
    """Which videos, at which size and rate."""

    name: str  # of their folder too
    size: tuple[int, int] | None  # height, width; None: their own
    bits_per_pixel: float
    distances: tuple[int, ...]  # of keyframes, the first the usual one


CORPORA = (Corpus("demo", (128, 160), 0.05, (8, 4, 16)), Corpus("davis", None, 0.08, (8,)))


@dataclass(frozen=True)
class Kind:
    """A network of the study, whatever its width."""

    name: str
    parts: Mapping[str, Any] | None  # of `Components`; None: family NeRV
    distance: int = 8
    starts_at_identity: bool = False

    @property
    def uses_keyframes(self) -> bool:
        """Whether a part of its bytes is keyframes."""
        return self.parts is not None and self.parts.get("fusion") != "none"


def _paper(name: str, *, distance: int = 8, starts_at_identity: bool = False, **parts: Any) -> Kind:
    return Kind(name, {"is_compact": False, **parts}, distance, starts_at_identity)


NERV, DNERV = Kind("NeRV", None), _paper("D-NeRV")
IDENTITY = "GTMLP from zero"
ABLATION = (
    _paper("no fusion, no GTMLP", fusion="none", temporal="none"),
    _paper("no fusion, GTMLP", fusion="none"),
    _paper(f"no fusion, {IDENTITY}", fusion="none", starts_at_identity=True),
    _paper("SAF, no GTMLP, no flow", temporal="none", flow="none"),
    _paper("SAF, GTMLP, no flow", flow="none"),
    _paper(f"SAF, {IDENTITY}, no flow", flow="none", starts_at_identity=True),
    DNERV,
    _paper(f"D-NeRV, {IDENTITY}", starts_at_identity=True),
    _paper("D-NeRV, no GTMLP", temporal="none"),
    _paper("D-NeRV, flow at one scale", flow="single-scale"),
    _paper("D-NeRV, concatenation", fusion="concatenation"),
    _paper("D-NeRV, keyframe every 4", distance=4),
    _paper("D-NeRV, keyframe every 16", distance=16),
    _paper("D-NeRV, residual head", head="residual"),
)


def main() -> None:
    """Parse and do."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("prepare", "run"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=400.0, help="that all takes, from start to table (400)")
    parser.add_argument("--json", type=Path, help="file for the record")
    parser.add_argument("--networks", type=Path, help="file for the packed networks, a zip")
    parser.add_argument("--parts", default="nerv,ablation,davis", help="of the study (nerv,ablation,davis)")
    parser.add_argument("--tiny", action="store_true", help="few networks of little width: does it run?")
    parser.add_argument("--eager", action="store_true", help="no CUDA graphs, but processes side by side")
    parser.add_argument("--processes", type=int, default=14, help="of those (14)")
    parser.add_argument("--shard", help=argparse.SUPPRESS)  # I/N/FOLDER of one such process
    options = parser.parse_args()
    if options.what == "prepare":
        prepare(options.folder)
    else:
        run(options)


# ------------------------------------------------------------------------------------------------------- prepare


def prepare(folder: Path) -> None:
    """Code keyframes and size networks: FOLDER/plan.json, FOLDER/CORPUS-DISTANCE.dnerv."""
    plan: dict[str, Any] = {}
    for corpus in CORPORA:
        if not (folder / corpus.name).is_dir():
            continue
        with tempfile.TemporaryDirectory() as work:
            content = read_videos([folder / corpus.name], Path(work), resolution=corpus.size)
            plan[corpus.name] = _planned(folder, corpus, content, Path(work))
    (folder / "plan.json").write_text(json.dumps(plan, indent=1))


def _planned(folder: Path, corpus: Corpus, content: Content, work: Path) -> Row:
    from dnerv.encoding.statistics import colour_statistics

    target = content.num_pixels * corpus.bits_per_pixel / 8
    bases = {str(k): _coded(folder, corpus, content, k, (1 - SHARE) * target, work) for k in corpus.distances}
    mean, std = colour_statistics(content.videos)
    sizing = Sizing((content.videos[0].height, content.videos[0].width), CLIP_LENGTH, 8, mean, std)
    kinds: dict[str, Row] = {}
    for kind in (NERV, *(k for k in ABLATION if k.distance in corpus.distances)):
        base = bases[str(kind.distance)]["bytes"] if kind.uses_keyframes else INDEX_BYTES
        config = _widest(kind, replace(sizing, keyframe_every=kind.distance), target - base)
        rate = RECIPE_RATE * min(1.0, (SMALL_NETWORK / count_parameters(config)) ** 0.25)
        kinds[kind.name] = {"config": config_to_json(config), "learning_rate": rate, "base_bytes": base}
        print(f"{corpus.name}: {kind.name}: width {config.base_channels}, {count_parameters(config):,} weights")
    return {"content": content.to_json(), "target_bytes": target, "bases": bases, "kinds": kinds}


def _widest(kind: Kind, sizing: Sizing, target: float) -> ModelConfig:
    """The network whose bytes come closest to those that it has."""
    from dnerv.encoding.dial import network_bytes

    def built(width: int) -> ModelConfig:
        made: ModelConfig
        if kind.parts is None:
            made = FAMILIES["nerv"].sized(width, sizing)
        else:
            made = FAMILIES["dnerv"].sized(width, replace(sizing, components=Components(**kind.parts)))
        return made

    def off(config: ModelConfig) -> float:
        return network_bytes(config, BITS) * (1.0 if kind.uses_keyframes else PLAIN_RATIO) - target

    # A step of width is many bytes: the stem's hidden layer takes what is left.
    widest = list(takewhile(lambda config: off(config) <= 0, map(built, range(2, 200))))[-1]
    fuller = (replace(widest, stem_channels=widest.stem_channels + more) for more in count())  # type: ignore[type-var, attr-defined]
    fitting = list(takewhile(lambda config: off(config) <= 0, fuller))
    return fitting[-1]


def _coded(folder: Path, corpus: Corpus, content: Content, every: int, target: float, work: Path) -> Row:
    """Every k-th frame, coded to so many bytes: the archive FOLDER/CORPUS-K.dnerv, where it is not there yet."""
    from dnerv.codecs import mse, psnr

    archive = folder / f"{corpus.name}-{every}.dnerv"
    if not archive.exists():
        _code(archive, corpus, content, every, target, work)
    qualities = []
    with Archive(archive, size="coded") as opened:
        for video in content.videos:
            made = opened[video.name][:].movedim(1, -1).numpy()
            errors = mse(video.store.read(range(len(video.store))), made, axis=(1, 2, 3))
            qualities.append(float(psnr(errors).mean()))
    size, blend = archive.stat().st_size, statistics.fmean(qualities)
    print(f"{corpus.name}: every {every}: {size:,} bytes, blended {blend:.2f} dB", flush=True)
    return {"bytes": size, "blend_psnr": blend}


def _code(archive: Path, corpus: Corpus, content: Content, every: int, target: float, work: Path) -> None:
    from dnerv.encoding import EncodeOptions
    from dnerv.encoding.base_stage import BaseSettings, BaseStage
    from dnerv.encoding.packing import write_base
    from dnerv.encoding.probe import KeyframeProbe

    options = EncodeOptions(network="always", every=every, bits_per_pixel=corpus.bits_per_pixel, references=False)
    start = KeyframeProbe(content.videos).crf_for(every, target / content.num_pixels)
    settings = BaseSettings(options.encoder_preset, 64, False, (every,), 10.0, 1.0, start, 0.0)
    coded = work / f"coded-{every}"
    coded.mkdir()
    stage = BaseStage(content.videos, coded, settings)
    found = stage.code_to(target, start, lambda made: write_base(archive, content.videos, made, options, settings))
    write_base(archive, content.videos, found, options, settings)


# ----------------------------------------------------------------------------------------------------------- run


def tasks_of(plan: Mapping[str, Any], parts: Sequence[str], *, tiny: bool) -> list[tuple[str, str, Task]]:
    """Corpus, kind and task of every network."""
    found: list[tuple[str, str, Task]] = []

    def add(corpus: str, kind: Kind, *, factor: float = 1.0, pace: float = 1.0, seed: int = 0) -> None:
        planned = plan[corpus]["kinds"][kind.name]
        rate = factor * planned["learning_rate"]
        name = f"{corpus}: {kind.name}, rate x{factor:.2g}, steps x{pace:g}, seed {seed}"
        config = config_from_json(planned["config"])
        if tiny:
            config = replace(config, base_channels=3)  # type: ignore[type-var]
        task = Task(name, config, rate, seed, BITS, kind.starts_at_identity, pace)
        if all(task != other for _, _, other in found):
            found.append((corpus, kind.name, task))

    factors, seeds = ((1.0,), SEEDS[:2]) if tiny else ((1 / 3, 1.0, 3.0), SEEDS)
    if "nerv" in parts:
        for factor in factors:
            for pace in (0.5, 2.0) if tiny else (0.5, 2.0, 8.0):
                add("demo", NERV, factor=factor, pace=pace)
            add("demo", DNERV, factor=factor)
        for pace in () if tiny else (0.5, 2.0, 4.0):
            add("demo", DNERV, pace=pace)
    if "ablation" in parts:
        for seed in seeds:
            for kind in ABLATION[-3:] if tiny else ABLATION:
                add("demo", kind, seed=seed)
    if "davis" in parts and "davis" in plan:
        for factor in factors:
            for pace in (1.0, 4.0):
                add("davis", NERV, factor=factor, pace=pace)
            add("davis", DNERV, factor=factor)
        add("davis", DNERV, pace=2.0)
    return found


def run(options: argparse.Namespace) -> None:
    """Train all, write the record as it grows, print the table."""
    started = time.monotonic()
    deadline = started + options.seconds
    os.environ.setdefault("CUDA_DEVICE_MAX_CONNECTIONS", "32")  # streams that a device takes work from at once
    plan = json.loads((options.folder / "plan.json").read_text())
    device = torch.device(options.device)
    tasks = tasks_of(plan, options.parts.split(","), tiny=options.tiny)
    record: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else str(device),
        "machine": machine(),
        "torch": torch.__version__,
        "command": " ".join(sys.argv[1:]),
        "plan": {n: {k: v for k, v in p.items() if k != "kinds"} for n, p in plan.items()},
        "measures": {
            "curve": "steps taken, and the mean PSNR, dB, of the clips since the point before, as training met them",
            "psnr": "frames of the network read back from its packed bytes, dB; psnr_before_quantisation: before",
            "bytes": "the packed network, and an archive of the coded frames alone",
        },
        "notes": [],
        "rows": [
            {
                "corpus": corpus,
                "kind": kind,
                "base_bytes": plan[corpus]["kinds"][kind]["base_bytes"],
                **lockstep.described(task),
            }
            for corpus, kind, task in tasks
        ],
    }
    _write(options.json, record)
    if device.type == "cuda":
        gc.collect()
        gc.freeze()  # every recording collects garbage
    if options.shard:
        _run_shard(options, tasks, record, deadline)
        return
    is_trained = False
    if not options.eager:
        recorded = device.type == "cuda"
        try:
            with tempfile.TemporaryDirectory() as work:
                tables = _tables(options.folder, plan, tasks, Path(work), device, record)
                if recorded:
                    _check_recording(tasks, tables)
                _train(options, range(len(tasks)), tasks, tables, record, deadline, started, recorded=recorded)
            is_trained = True
        except Exception:  # the machine is there for minutes: what can still be had is
            if not recorded:
                raise
            record["notes"].append("not recorded as CUDA graphs: " + traceback.format_exc())
            print(record["notes"][-1], flush=True)
            _write(options.json, record)
    if not is_trained:
        _in_processes(options, tasks, record, deadline)
    record["seconds"] = time.monotonic() - started
    _write(options.json, record)
    for line in table(record):
        print(line)


def _tables(
    folder: Path,
    plan: Mapping[str, Any],
    tasks: Sequence[tuple[str, str, Task]],
    work: Path,
    device: torch.device,
    record: dict[str, Any],
) -> dict[tuple[str, int, bool], ClipTable]:
    """The clips of each corpus, keyframe distance, and of networks without keyframes."""
    tables: dict[tuple[str, int, bool], ClipTable] = {}
    for corpus in CORPORA:
        wanted = [task.config for name, _, task in tasks if name == corpus.name]
        if not wanted:
            continue
        content = read_videos([folder / corpus.name], work / corpus.name, resolution=corpus.size)
        if content.digest != plan[corpus.name]["content"]["digest"]:
            record["notes"].append(f"{corpus.name}: the frames are not to the bit those that the plan was made of")
        for config in wanted:
            key = _key(corpus.name, config)
            if key not in tables:
                tables[key] = lockstep.clip_table(_clip_set(folder, corpus, content, config, work), device)
    return tables


def _key(corpus: str, config: ModelConfig) -> tuple[str, int, bool]:
    return corpus, config.keyframe_every, config.uses_keyframes


def _clip_set(folder: Path, corpus: Corpus, content: Content, config: ModelConfig, work: Path) -> ClipSet:
    videos, first = [], 0
    for video in content.videos:
        timeline = Timeline(len(video.store), config.clip_length, config.keyframe_every)
        store = None
        if config.uses_keyframes:
            store = _stored(folder / f"{corpus.name}-{config.keyframe_every}.dnerv", video.name, timeline, work)
        videos.append(TrainingVideo(video, timeline, store, first))
        first += len(video.store)
    return ClipSet(videos, config.canvas, 0, absolute_time=config.absolute_time)


def _stored(path: Path, name: str, timeline: Timeline, work: Path) -> FrameStore:
    """A video's keyframes, decoded from the archive."""
    with Archive(path, size="coded") as archive:
        frames = archive[name][:][torch.from_numpy(timeline.keyframe_positions)]
    with FrameStoreWriter(work / f"{path.stem}-{name.replace('/', '-')}.rgb") as writer:
        for frame in frames.movedim(1, -1).numpy():
            writer.append(frame)
    return writer.store()


def _check_recording(tasks: Sequence[tuple[str, str, Task]], tables: Mapping[tuple[str, int, bool], ClipTable]) -> None:
    """RuntimeError where recorded steps of a network of each sort are not those of the steps as they are written."""
    kinds = {kind: (corpus, task) for corpus, kind, task in reversed(tasks)}
    for kind in [kind for kind in (NERV.name, DNERV.name, "D-NeRV, flow at one scale") if kind in kinds]:
        corpus, task = kinds[kind]
        curves = []
        for recorded in (True, False):
            network = Trained(task, tables[_key(corpus, task.config)], 40, recorded=recorded)
            network.plan(40)
            lockstep.wait([network])
            for step in range(12):
                network.step(quantised=step >= 8)
            lockstep.wait([network])
            curves.append(network.curve[:12].cpu())
        apart = (curves[0] - curves[1]).abs()
        print(f"{kind}: recorded steps are {apart.max().item():.4f} dB at most from plain ones", flush=True)
        if not (apart[:8].max().item() < 0.1 and apart.max().item() < 1.0):  # rounding to levels may fall otherwise
            raise RuntimeError(f"{kind}: recorded steps differ from plain ones: {curves}")


def _train(
    options: argparse.Namespace,
    places: Sequence[int],
    tasks: Sequence[tuple[str, str, Task]],
    tables: Mapping[tuple[str, int, bool], ClipTable],
    record: dict[str, Any],
    deadline: float,
    started: float,
    *,
    recorded: bool,
    agree: Any = None,
) -> None:
    """Make networks, settle the rounds, train, measure. `agree`: of several processes, the rounds that all can take."""
    rows = record["rows"]
    networks = []
    most = 20 if options.tiny else 30_000
    for place in places:
        corpus, _, task = tasks[place]
        networks.append(Trained(task, tables[_key(corpus, task.config)], most, recorded=recorded))
    _say(started, f"{len(networks)} networks ready{_memory(options.device)}")
    # Packing, reading back and measuring of each at the end, and what is beside it.
    reserve = min(0.25 * options.seconds, 8 + 0.5 * len(networks))
    round_seconds = lockstep.seconds_a_round(networks, min(8.0, 0.04 * options.seconds))
    left = deadline - reserve - time.monotonic()
    rounds = max(2, min(most, int(0.9 * left / round_seconds)))
    if agree is not None:
        rounds = agree(rounds)
    record |= {"round_seconds": round_seconds, "rounds": rounds, "recorded": recorded}
    _say(started, f"{1000 * round_seconds:.1f} ms a round; {rounds} rounds of {left:.0f} s")

    def told(taken: int) -> None:
        for place, network in zip(places, networks, strict=True):
            rows[place] |= {"steps": network.steps, "steps_planned": network.total, "curve": network.curve_in(32)}
        _write(options.json, record)
        _say(started, f"{taken} rounds")

    begun = time.monotonic()
    taken = lockstep.train(networks, rounds, deadline - reserve, told, every=max(20.0, options.seconds / 10))
    told(taken)
    record |= {"rounds_taken": taken, "training_seconds": time.monotonic() - begun}
    for number, (place, network) in enumerate(zip(places, networks, strict=True)):
        try:
            found = network.quality()
            packed = found.pop("packed")
            if options.networks:
                with zipfile.ZipFile(options.networks, "a") as archive:
                    archive.writestr(f"{place}.weights", packed)
            rows[place] |= found
        except ValueError as error:  # a network that has diverged cannot be packed
            rows[place]["failure"] = str(error)
        if number % 8 == 7:
            _write(options.json, record)
    _write(options.json, record)
    _say(started, "all measured")


def _in_processes(
    options: argparse.Namespace, tasks: Sequence[tuple[str, str, Task]], record: dict[str, Any], deadline: float
) -> None:
    """The same without recordings: processes that each train a part of the networks, all for as many rounds."""
    number = min(options.processes, len(tasks))
    with tempfile.TemporaryDirectory() as work:
        left = deadline - time.monotonic() - 4
        command = [sys.executable, __file__, "run", str(options.folder), "--device", options.device, "--eager"]
        command += ["--seconds", str(left), "--parts", options.parts, *(["--tiny"] if options.tiny else [])]
        around = os.environ | {"OMP_NUM_THREADS": "1"}
        processes = [
            subprocess.Popen(
                [*command, f"--shard={i}/{number}/{work}", f"--json={work}/{i}.json", f"--networks={work}/{i}.zip"],
                env=around,
            )
            for i in range(number)
        ]
        for process in processes:
            try:
                process.wait(max(1.0, deadline + 5 - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
        for i in range(number):
            _merge(record, Path(work), i, number, options.networks)
            _write(options.json, record)


def _merge(record: dict[str, Any], work: Path, shard: int, shards: int, networks: Path | None) -> None:
    try:
        part = json.loads((work / f"{shard}.json").read_text())
    except (OSError, ValueError):
        record["notes"].append(f"process {shard} left no record")
        return
    record |= {key: part[key] for key in ("round_seconds", "rounds", "recorded", "rounds_taken") if key in part}
    record["notes"] += part["notes"]
    record["rows"][shard::shards] = part["rows"][shard::shards]
    if networks and (work / f"{shard}.zip").exists():
        with zipfile.ZipFile(work / f"{shard}.zip") as source, zipfile.ZipFile(networks, "a") as target:
            for name in source.namelist():
                target.writestr(name, source.read(name))


def _run_shard(
    options: argparse.Namespace, tasks: Sequence[tuple[str, str, Task]], record: dict[str, Any], deadline: float
) -> None:
    """One process of several."""
    number, shards, work = options.shard.split("/", 2)
    torch.set_num_threads(1)
    places = list(range(int(number), len(tasks), int(shards)))
    device = torch.device(options.device)
    plan = json.loads((options.folder / "plan.json").read_text())

    def agree(rounds: int) -> int:
        mine = Path(work) / f"rounds-{number}"
        mine.with_suffix(".partial").write_text(str(rounds))
        mine.with_suffix(".partial").rename(mine)
        others = [Path(work) / f"rounds-{i}" for i in range(int(shards))]
        waited = time.monotonic()
        while not all(path.exists() for path in others) and time.monotonic() - waited < 0.15 * options.seconds:
            time.sleep(0.1)
        return min(int(path.read_text()) for path in others if path.exists())

    with tempfile.TemporaryDirectory() as scratch:
        mine = [tasks[place] for place in places]
        tables = _tables(options.folder, plan, mine, Path(scratch), device, record)
        _train(options, places, tasks, tables, record, deadline, time.monotonic(), recorded=False, agree=agree)


# --------------------------------------------------------------------------------------------------------- table


def table(record: Mapping[str, Any]) -> list[str]:
    """What was found, in short."""
    rows = [row for row in record["rows"] if "psnr" in row]
    lines = ["", f"{record['device']}, torch {record['torch']}; {record.get('seconds', 0):.0f} s", *_base_lines(record)]
    for corpus in dict.fromkeys(row["corpus"] for row in rows):
        here = [row for row in rows if row["corpus"] == corpus]
        lines += _fair(corpus, [row for row in here if row["seed"] == 0 and row["kind"] in (NERV.name, DNERV.name)])
    lines += _ablation([row for row in rows if row["corpus"] == "demo" and row["pace"] == 1 and _at_recipe(row, rows)])
    failed = [row["name"] for row in record["rows"] if "psnr" not in row]
    return [*lines, *(f"not measured: {name}" for name in failed), *(note.splitlines()[-1] for note in record["notes"])]


def _base_lines(record: Mapping[str, Any]) -> Iterator[str]:
    for name, plan in record["plan"].items():
        bases = ", ".join(f"every {k}: {b['bytes']:,} bytes {b['blend_psnr']:.2f} dB" for k, b in plan["bases"].items())
        yield f"{name}: {plan['target_bytes']:,.0f} bytes asked for; coded frames alone, blended: {bases}"


def _fair(corpus: str, rows: Sequence[Row]) -> list[str]:
    """Each network by learning rate and number of steps."""
    lines = [f"{corpus}: PSNR dB by steps, one line for each learning rate at its height"]
    for kind in (NERV.name, DNERV.name):
        mine = [row for row in rows if row["kind"] == kind]
        for rate in sorted({row["learning_rate"] for row in mine}):
            found = sorted((row for row in mine if row["learning_rate"] == rate), key=lambda row: row["steps"])
            points = ", ".join(f"{row['steps']:,}: {row['psnr']:.2f}" for row in found)
            lines.append(f"  {kind:7} {_bytes(found[0]):>7,} bytes, rate {rate:.1e}  {points}")
    return lines


def _ablation(rows: Sequence[Row]) -> list[str]:
    """Mean and 95 % interval over seeds, and of the paired difference from D-NeRV."""
    by_kind: dict[str, dict[int, Row]] = {}
    for row in rows:
        by_kind.setdefault(row["kind"], {})[row["seed"]] = row
    reference = by_kind.get(DNERV.name, {})
    heading = ("bytes", "PSNR", "±95 %", "differs", "±95 %")
    lines = ["{:34} {:>7} {:>6} {:>6} {:>8} {:>6}  at 1/4, 1/2, 3/4".format("demo, equal steps", *heading)]
    for kind in (kind.name for kind in ABLATION):
        found = by_kind.get(kind)
        if not found:
            continue
        values = [row["psnr"] for row in found.values()]
        apart = [row["psnr"] - reference[seed]["psnr"] for seed, row in found.items() if seed in reference]
        size = statistics.fmean(_bytes(row) for row in found.values())
        is_compared = apart and kind != DNERV.name
        lines.append(
            f"{kind:34} {size:7,.0f} {statistics.fmean(values):6.2f} {_half(values):>6} "
            + (f"{statistics.fmean(apart):+8.2f} {_half(apart):>6}" if is_compared else f"{'-':>8} {'':6}")
            + f"  {_on_the_way(found.values())}"
        )
    return lines


def _at_recipe(row: Row, rows: Sequence[Row]) -> bool:
    """Whether it was trained at the recipe's learning rate: the middle one of its kind."""
    rates = sorted({r["learning_rate"] for r in rows if (r["corpus"], r["kind"]) == (row["corpus"], row["kind"])})
    return bool(row["learning_rate"] == rates[len(rates) // 2])


def _on_the_way(rows: Any) -> str:
    """Mean PSNR of the clips around these shares of the steps, as training met them."""
    shares = []
    for share in (0.25, 0.5, 0.75):
        points = [row["curve"][min(len(row["curve"]) - 1, round(share * len(row["curve"])))][1] for row in rows]
        shares.append(f"{statistics.fmean(points):.2f}")
    return " ".join(shares)


def _half(values: Sequence[float]) -> str:
    """Half of the 95 % interval of a mean, by Student's t."""
    if len(values) < 2:
        return ""
    return f"{T95[len(values)] * statistics.stdev(values) / len(values) ** 0.5:.2f}"


def _bytes(row: Row) -> int:
    return int(row["network_bytes"] + row["base_bytes"])


def _memory(device: str) -> str:
    if not device.startswith("cuda"):
        return ""
    return f", {torch.cuda.memory_reserved() / 2**30:.1f} GiB"


def _say(started: float, what: str) -> None:
    print(f"{time.monotonic() - started:6.1f} s  {what}", flush=True)


def _write(path: Path | None, record: Mapping[str, Any]) -> None:
    if path is not None:
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(record))
        partial.rename(path)


if __name__ == "__main__":
    main()

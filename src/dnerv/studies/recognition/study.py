"""The whole study: archives and video codecs at equal bytes, classifiers, how sure their accuracy is."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from dnerv import progress
from dnerv.encoding.options import EncodeOptions
from dnerv.engine.precision import Precision
from dnerv.errors import InputError
from dnerv.options import Options, like, option
from dnerv.studies.archive_kinds import KINDS
from dnerv.studies.charts import Chart, Level, Lines, Series
from dnerv.studies.paired import paired
from dnerv.studies.study import PAPER, FramesOptions, Record, Study
from dnerv.studies.tables import figures_table
from dnerv.tables import Part, Table

if TYPE_CHECKING:
    from dnerv.studies.content import Content
    from dnerv.studies.recognition.footage import Condition, Projector
    from dnerv.studies.recognition.network import TemporalShiftNetwork
    from dnerv.studies.recognition.split import Split
    from dnerv.studies.recognition.training import Task
    from dnerv.studies.runner import Run

CodecName = Literal["h264", "svtav1", "nerv", "paper", "dnerv", "base", "every", "alone"]
# Video codecs with their effort (SVT-AV1's is that of archives) and colour; the others are kinds of archives.
STREAM_EFFORTS = {"h264": "veryslow", "svtav1": "slow"}
_STREAM_TITLES = {"h264": ("H.264", "x264"), "svtav1": ("SVT-AV1", "svtav1")}
SHOWN = (*STREAM_EFFORTS, *KINDS)
PROTOCOLS = {
    "trained_raw_tested_compressed": "trained raw, tested compressed",
    "trained_compressed_tested_raw": "trained compressed, tested raw",
}
PUBLISHED: dict[str, Any] = {
    "raw": 91.3,
    "bits_per_pixel": [0.056, 0.067, 0.081],  # of models S, M and L
    "trained_raw_tested_compressed": {
        "h264": [77.2, 82.4, 85.5],
        "nerv": [71.9, 75.9, 80.0],
        "dnerv": [81.1, 84.4, 86.4],
    },
    "trained_compressed_tested_raw": {
        "h264": [86.7, 87.9, 88.9],
        "nerv": [84.5, 85.8, 86.9],
        "dnerv": [87.9, 89.0, 90.0],
    },
    "set": "UCF101, first split, 256x320, 2 frames a second; TSM with pretrained weights, top-1 in percent",
    "source": f"{PAPER}, recognition table",
}
_FACTS = ("bytes", "bits_per_pixel", "psnr", "psnr_of_mean_mse", "setting")
_VERSION = 4  # raise it when the same classifier would give other figures
_CLASSIFIER = "The classifier"


@dataclass(frozen=True)
class ClassifierOptions(Options):
    """How the classifier is made; the same in every condition."""

    epochs: int = option(20, "Passes over the training videos.", flag="--classifier-epochs", low=1, group=_CLASSIFIER)
    frames: int = option(8, "Frames of a clip, spread over its video.", low=1, group=_CLASSIFIER)
    crop: int = option(112, "Side of the square that it sees.", low=16, group=_CLASSIFIER)
    flip: bool = option(True, "Do not mirror clips: where classes tell left from right.", group=_CLASSIFIER)
    width: int = option(16, "Channels of its first stage.", is_typed=False)
    blocks: int = option(1, "Of each of its stages.", is_typed=False)
    batch: int = option(16, "Clips of a step.", is_typed=False)
    learning_rate: float = option(3e-3, "Of AdamW, at its height.", is_typed=False)
    weight_decay: float = option(0.05, "Of AdamW.", is_typed=False)
    label_smoothing: float = option(0.1, "Of the loss.", is_typed=False)
    warm_up: float = option(0.15, "Of all steps.", is_typed=False)


@dataclass(frozen=True)
class RecognitionOptions(FramesOptions):
    """What is recognised, in what."""

    labels: Path | None = option(None, "Labels by columns path,label.", metavar="CSV", unset="class folders")
    split: Path | None = option(
        None,
        "CSV with columns path,label,split, or UCF101's trainlist01.txt.",
        metavar="FILE",
        unset="a third is drawn",
    )
    folds: int = option(1, "Parts of each class that take turns as the test; 1: a third is drawn.", low=1)
    codecs: tuple[CodecName, ...] = option(
        ("h264", "svtav1", "nerv", "dnerv", "base"), "Video codecs and kinds of archives that take part."
    )
    rates: tuple[float, ...] = option(
        (0.02, 0.04, 0.08), "Bits per pixel; video codecs get the bytes of dnerv, or of base.", low=1e-4, high=24
    )
    budget_seconds: float | None = like(EncodeOptions, "budget_seconds", help="Training of each archive.")
    epochs: int | None = like(EncodeOptions, "epochs")
    seeds: int = option(3, "Trainings of the classifier in each condition.", low=1)
    efforts: str | None = option(None, "Of video codecs, one for all.", is_typed=False)
    live: bool = option(False, "Decode archives in every step, instead of once to the disk.")
    precision: Precision = option("auto", "Of the archives' networks, as for decode.")
    classifier: ClassifierOptions = ClassifierOptions()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.split is not None and self.folds > 1:
            raise InputError("--split names the test, and --folds draws it: leave one of them out")
        for codec in self.codecs:
            if codec in KINDS:
                KINDS[codec].encoding(self, bits_per_pixel=self.rates[0])


class Plan(NamedTuple):
    """Frames, and which of the videos are trained on; of each fold."""

    content: Content
    splits: Sequence[Split]


Hits = Sequence[Sequence[bool]]  # of each seed and each video of all tests, whether it was recognised


class Measured(NamedTuple):
    """Which videos were recognised: on raw frames, and by condition and protocol."""

    raw: Hits
    coded: Sequence[tuple[Record, Mapping[str, Hits]]]


class Recognition(Study[RecognitionOptions, Plan, Measured]):
    """The study."""

    name = "recognition"
    title = "Action recognition"
    question = "How much of what a classifier needs survives compression?"
    options = RecognitionOptions

    def plan(self, run: Run[RecognitionOptions]) -> Plan:
        """Frames and split. Raises InputError for labels, a split or sizes that do not fit."""
        from dnerv.studies.recognition.split import drawn_folds, drawn_split, read_split
        from dnerv.video import labelled

        options, members = run.options, run.members
        if options.labels is not None:
            members = labelled(members, options.labels)
        if options.split is not None:
            splits = [read_split(options.split, members)]
        elif options.folds > 1:
            splits = drawn_folds(members, options.folds, options.seed)
        else:
            splits = [drawn_split(members, options.seed)]
        for line in splits[0].warnings():
            progress.warning(line)
        content = run.content()
        _check_sizes(content, options.classifier.crop)
        return Plan(content, splits)

    def measure(self, run: Run[RecognitionOptions], plan: Plan) -> Measured:
        """All videos, of both parts, by each codec at each rate; then the classifiers."""
        from dnerv.studies.recognition.footage import Condition, Projector, video_lengths
        from dnerv.studies.recognition.training import Task

        options, seeds = run.options, range(run.options.seed, run.options.seed + run.options.seeds)
        coded = _coded(run, plan.content)
        tasks = [Task(split, video_lengths(plan.content), options.classifier, run.device) for split in plan.splits]
        projector = Projector(plan.content, run.folder / "decoded", options.device, options.precision, options.live)
        raw, rows = Condition("raw"), []
        on_raw = [_hits(run, tasks, projector, raw, raw, seed) for seed in seeds]
        for found in coded:
            files = tuple(run.steps.folder / file["path"] for file in found["files"])
            condition = Condition(f"{found['codec']}-{found['rate']:g}", found["codec"], files)
            pairs = {
                "trained_raw_tested_compressed": (raw, condition),
                "trained_compressed_tested_raw": (condition, raw),
            }
            with projector:  # then the decoded frames go
                hits = {
                    protocol: [_hits(run, tasks, projector, *pair, seed) for seed in seeds]
                    for protocol, pair in pairs.items()
                }
            rows.append((found, hits))
        return Measured(on_raw, rows)

    def rows(self, run: Run[RecognitionOptions], plan: Plan, measured: Measured) -> Mapping[str, Any]:
        """One for each codec and rate: both protocols."""
        split, first = plan.splits[0], plan.content.videos[0]
        content, tests = plan.content.to_json(), sum(len(each.test) for each in plan.splits)
        return {
            "content": content | {"videos": len(content["videos"]), "height": first.height, "width": first.width},
            "classes": split.classes,
            "split": split.to_json()
            | {
                "test": tests,
                "folds": len(plan.splits),
                "most_frequent": sum(each.most_frequent for each in plan.splits) / tests,
            },
            "raw": summary(_percents(measured.raw), tests),
            "rows": [
                {
                    "codec": found["codec"],
                    "rate": found["rate"],
                    **{name: found[name] for name in _FACTS},
                    "psnrs": {video["name"]: round(video["psnr"], 3) for video in found["videos"]},
                    **{
                        protocol: summary(_percents(hits), tests) | {"less": paired(_less(measured.raw, hits))}
                        for protocol, hits in by_protocol.items()
                    },
                }
                for found, by_protocol in measured.coded
            ],
            "published": PUBLISHED,
        }

    def files(self, run: Run[RecognitionOptions]) -> Iterable[Path]:
        """The videos, and the lists that say what they show."""
        lists = [path for path in (run.options.labels, run.options.split) if path is not None]
        return [*super().files(run), *lists]

    def tables(self, record: Mapping[str, Any]) -> Sequence[Part]:
        """What was classified, how well, and the paper's figures."""
        published = record["published"]
        return [
            *_heading(record),
            "",
            _accuracy_table(record),
            *_losses(record),
            "",
            *_notes(record),
            "",
            _published_table(published),
            f"published, by bits per pixel: {published['set']} ({published['source']}).",
        ]

    def charts(self, record: Mapping[str, Any]) -> Sequence[Chart]:
        """Accuracy against bits per pixel, a chart for each protocol; raw video and chance are the levels."""
        raw = record["raw"]
        interval = None if raw["interval"] is None else tuple(raw["interval"])
        chance = 100 * record["split"]["most_frequent"]
        levels = [Level("raw, both ways", raw["top1"], interval), Level("chance", chance, is_dashed=False)]
        across, up = "bits per pixel of all bytes", "top-1 accuracy, % (bars: 95 % intervals over seeds)"
        return [
            Lines(
                title, across, up, [_series(rows, codec, protocol) for codec, rows in _by_codec(record)], levels=levels
            )
            for protocol, title in PROTOCOLS.items()
        ]


def summary(percents: Sequence[float], tests: int) -> Record:
    """Mean of the seeds' accuracies, in percent, and its 95 % intervals.

    Returns:
        `top1`; `interval`, over seeds by Student's t, None for a single one; `test_set`, what as many other test
        videos could give (Wilson's, of the nearest number of videos); `seeds`, the accuracies. Intervals end at 0, 100.
    """
    from scipy import stats

    mean = fmean(percents)
    interval = None
    if len(percents) > 1:
        ends = (
            stats.t.interval(0.95, len(percents) - 1, mean, stats.sem(percents))
            if len(set(percents)) > 1
            else (mean,) * 2
        )
        interval = [max(0.0, float(ends[0])), min(100.0, float(ends[1]))]
    share = stats.binomtest(round(mean / 100 * tests), tests).proportion_ci(0.95, "wilson")
    return {
        "top1": mean,
        "interval": interval,
        "test_set": [100 * float(share.low), 100 * float(share.high)],
        "seeds": list(percents),
    }


def _check_sizes(content: Content, crop: int) -> None:
    sizes = {(video.height, video.width): video.name for video in content.videos}
    if len(sizes) > 1:
        listed = ", ".join(f"{height}x{width} ({name})" for (height, width), name in list(sizes.items())[:3])
        raise InputError(f"videos have {len(sizes)} sizes, {listed}: bring them to one with --resolution")
    ((height, width),) = sizes
    if crop > min(height, width):
        raise InputError(
            f"--crop is {crop}, and frames have {height}x{width} pixels; give {min(height, width)} at most"
        )


def _coded(run: Run[RecognitionOptions], content: Content) -> list[Record]:
    """All videos by each codec at each rate, video codecs at the bytes of an archive; in the order of the tables."""
    from dnerv.codecs import CODECS
    from dnerv.studies.recognition.footage import STREAMS
    from dnerv.studies.streams import coded_at_bytes

    options = run.options
    found: dict[str, list[Record]] = {codec: [] for codec in SHOWN if codec in options.codecs}
    for rate in sorted(options.rates):
        setting, target = f"{rate:g} bpp", round(rate * content.num_pixels / 8)
        for codec in reversed([codec for codec in found if codec in KINDS]):
            facts = {"codec": codec, "setting": setting, "rate": rate}
            encoding = KINDS[codec].encoding(options, bits_per_pixel=rate)
            found[codec].append(run.archive(f"{codec} {setting}", content, encoding, facts=facts))
        if models := [codec for codec in ("dnerv", "base") if codec in found]:
            target = found[models[0]][-1]["bytes"]
        for codec in STREAMS:
            if codec in found:
                effort = options.efforts or STREAM_EFFORTS[codec]
                made = coded_at_bytes(run.steps, CODECS[STREAMS[codec]], target, effort, content, setting)
                found[codec].append(made | {"codec": codec, "rate": rate})
    return [one for of_codec in found.values() for one in of_codec]


def _hits(
    run: Run[RecognitionOptions],
    tasks: Sequence[Task],
    projector: Projector,
    trained_on: Condition,
    tested_on: Condition,
    seed: int,
) -> list[bool]:
    """Of the test videos of all folds, whether classifiers with this seed recognise them."""
    return [
        hit
        for fold, task in enumerate(tasks)
        for hit in _hits_of(run, task, projector, trained_on, tested_on, seed, f"fold {fold} " if fold else "")
    ]


def _hits_of(
    run: Run[RecognitionOptions],
    task: Task,
    projector: Projector,
    trained_on: Condition,
    tested_on: Condition,
    seed: int,
    fold: str,
) -> list[bool]:
    """Of one classifier: a step for its training, and one for its test. `fold` begins their names' last part."""
    import torch

    from dnerv.studies.recognition.training import classify, read_weights, train_classifier

    depends_on = task.to_json() | {
        "version": _VERSION,
        "trained_on": projector.key(trained_on),
        "content": projector.content.digest,
        "seed": seed,
    }

    def train(stem: Path) -> Record:
        path, buffer = stem.with_name(stem.name + ".pt"), io.BytesIO()
        torch.save(train_classifier(task, projector.footage(trained_on), seed).state_dict(), buffer)
        path.write_bytes(buffer.getvalue())
        return {"files": run.steps.listed([path])}

    def test(stem: Path) -> Record:
        network: TemporalShiftNetwork = read_weights(task, run.path_of(classifier))
        logits = classify(task, network, projector.footage(tested_on))
        wanted = torch.tensor(task.split.numbers(task.split.test))
        hits = (logits.argmax(1) == wanted).tolist()
        return {"hits": hits, "labels": wanted.tolist(), "logits": logits.tolist()}

    classifier = run.step(f"classifier {trained_on.name} {fold}seed {seed}", depends_on, train)
    name = f"{trained_on.name} on {tested_on.name} {fold}seed {seed}"
    found = run.step(name, depends_on | {"tested_on": projector.key(tested_on)}, test)
    hits: list[bool] = found["hits"]
    return hits


def _percents(hits: Hits) -> list[float]:
    return [100 * fmean(of_seed) for of_seed in hits]


def _less(raw: Hits, hits: Hits) -> list[list[float]]:
    """By how many percent a seed's classifier recognises a video less often than on raw frames: -100, 0 or 100."""
    return [[100.0 * (a - b) for a, b in zip(*pair, strict=True)] for pair in zip(raw, hits, strict=True)]


def _by_codec(record: Mapping[str, Any]) -> Iterator[tuple[str, list[Record]]]:
    for codec in SHOWN:
        if rows := [row for row in record["rows"] if row["codec"] == codec]:
            yield codec, rows


def _look(codec: str) -> tuple[str, str]:
    """Title, and the style of its lines."""
    return _STREAM_TITLES[codec] if codec in _STREAM_TITLES else (KINDS[codec].title, KINDS[codec].style)


def _losses(record: Mapping[str, Any]) -> list[Part]:
    """What is lost against raw frames; records of before do not have it."""
    if not all("less" in row[protocol] for row in record["rows"] for protocol in PROTOCOLS):
        return []
    table = figures_table("less than raw, points", "bits/pixel", "raw->comp.", "visible", "comp.->raw", "visible")
    for codec, rows in _by_codec(record):
        table.add_section()
        for place, row in enumerate(rows):
            cells = [text for protocol in PROTOCOLS for text in _loss(row[protocol]["less"])]
            table.add_row("" if place else _look(codec)[0], f"{row['bits_per_pixel']:.4f}", *cells)
    return ["", table]


def _loss(less: Mapping[str, Any]) -> tuple[str, str]:
    if less["interval"] is None:
        return f"{less['mean']:.1f}", ""
    low, high = less["interval"]
    return f"{less['mean']:.1f} ±{(high - low) / 2:.1f}", f"{less['visible']:.1f}"


def _series(rows: Sequence[Record], codec: str, protocol: str) -> Series:
    rows = sorted(rows, key=lambda row: float(row["bits_per_pixel"]))  # more may be asked for, and less be taken
    points = [(row["bits_per_pixel"], row[protocol]["top1"]) for row in rows]
    spreads = [None if row[protocol]["interval"] is None else tuple(row[protocol]["interval"]) for row in rows]
    return Series(*_look(codec), points, spreads)


def _accuracy_table(record: Mapping[str, Any]) -> Table:
    table = figures_table("top-1, %", "bytes", "bits/pixel", "PSNR dB", "raw->comp.", "", "comp.->raw", "")
    table.add_row("raw", "", "", "", *_figures(record["raw"]), *_figures(record["raw"]))
    for codec, rows in _by_codec(record):
        table.add_section()
        for place, row in enumerate(rows):
            accuracies = [text for protocol in PROTOCOLS for text in _figures(row[protocol])]
            facts = f"{row['bytes']:,}", f"{row['bits_per_pixel']:.4f}", f"{row['psnr']:.2f}"
            table.add_row("" if place else _look(codec)[0], *facts, *accuracies)
    return table


def _published_table(published: Mapping[str, Any]) -> Table:
    """The paper's: both protocols of each size of its models."""
    table = figures_table("published, raw->comp. / comp.->raw", *(f"{rate:g}" for rate in published["bits_per_pixel"]))
    table.add_row("raw", f"{published['raw']:.1f}")
    for codec in published["trained_raw_tested_compressed"]:
        pairs = zip(*(published[protocol][codec] for protocol in PROTOCOLS), strict=True)
        table.add_row(_look(codec)[0], *(f"{tested:.1f} / {trained:.1f}" for tested, trained in pairs))
    return table


def _heading(record: Mapping[str, Any]) -> list[str]:
    content, split, options = (record[name] for name in ("content", "split", "options"))
    training = "for 5 minutes" if options["budget_seconds"] is None else f"for {options['budget_seconds']:g} s"
    if options["epochs"] is not None:
        training = f"for {options['epochs']} epochs"
    return [
        f"{content['videos']} videos, {content['frames']} frames of {content['height']}x{content['width']}, "
        f"{len(record['classes'])} classes; {split['train']} to train on, {split['test']} to test on"
        f"{' in all' if split.get('folds', 1) > 1 else ''} (split: {split['from']})",
        f"networks trained {training} each; video codecs: one crf for all videos, at the bytes of an archive",
    ]


def _notes(record: Mapping[str, Any]) -> list[str]:
    raw, split, options = record["raw"], record["split"], record["options"]
    low, high = raw["test_set"]
    notes = [
        f"raw->comp.: trained on raw frames, tested on compressed ones; comp.->raw the other way round. Means over "
        f"{len(raw['seeds'])} seeds of the classifier, beside them half the 95 % interval (Student's t). The choice of "
        f"{split['test']} test videos adds to it: at {raw['top1']:.1f} % alone {low:.1f} to {high:.1f} % (95 %, "
        "binomial), the same videos for every row.",
        *_note_of_losses(record),
        f"Chance, the most frequent class of the test: {100 * split['most_frequent']:.1f} %.",
        f"TSM from scratch ({options['classifier']['epochs']} epochs): the paper's network was pretrained, so that "
        "orderings and differences are to be compared, not levels.",
    ]
    for name, words in (("missing", "listed in the split, and not given"), ("unused", "in no part of the split")):
        if split[name]:
            notes.append(f"{len(split[name])} videos are {words}: {', '.join(split[name][:3])} ...")
    return notes


def _note_of_losses(record: Mapping[str, Any]) -> list[str]:
    if not _losses(record):
        return []
    return [
        "less than raw: paired by seed and video, ± half the 95 % interval over both; where that has 0 in it, no loss "
        "was seen. visible: the smallest that as many seeds and videos would show four times out of five."
    ]


def _figures(found: Mapping[str, Any]) -> tuple[str, str]:
    interval = found["interval"]
    return f"{found['top1']:.1f}", "" if interval is None else f"±{(interval[1] - interval[0]) / 2:.1f}"

"""What the command line shows: records for `--json`, tables for people, progress while it works."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from dnerv.archive import Archive
from dnerv.encoding import EncodeListener, EncodeResult
from dnerv.errors import InputError
from dnerv.families import PUBLISHED, DNeRVConfig, compact_dnerv, config_to_json, count_parameters
from dnerv.training import Progress as TrainingProgress

_LONGEST_LIST = 40  # rows of videos; more are summed up, --json has them all
_PRESET_CANVAS = (128, 160)  # for which our own sizes are listed
Record = dict[str, Any]


def show(record: Record, tables: Callable[[Record], Sequence[Table | str]], as_json: bool) -> None:
    """Print a record: as JSON, or through the function that lays it out."""
    if as_json:
        print(json.dumps(record, indent=2))
        return
    # No markup: a video may be called "[bold].mp4".
    console = Console(highlight=False, markup=False, emoji=False)
    for part in tables(record):
        console.print(_wrapped(part, console.width) if isinstance(part, str) else part, soft_wrap=isinstance(part, str))


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[], None]]:
    """A counter of frames on standard error, where that is a terminal."""
    columns = (SpinnerColumn(), TextColumn(f"{title}: {{task.completed}} frames"))
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(title, total=None)
        yield lambda: bar.advance(task)


class EncodeDisplay(EncodeListener):
    """Shows an encoding on standard error: bars on a terminal, one line per step and training epoch elsewhere."""

    def __init__(self, tensorboard: Path | None = None) -> None:
        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", visible=False)
        self._folder = tensorboard
        self._curves: Any = None
        if tensorboard is not None:
            _summary_writer()
        self._last_epoch = -1

    def __enter__(self) -> EncodeDisplay:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()
        if self._curves is not None:
            self._curves.close()

    def stage(self, title: str, total: int | None = None) -> None:
        """Begin a new bar, or print the step's name."""
        self._bar.remove_task(self._task)
        self._task = self._bar.add_task(title, total=total)
        if not self._console.is_terminal:
            self._console.print(f"{title} ..." if total is None else f"{title} ({total}) ...", soft_wrap=True)

    def advance(self) -> None:
        """Move the bar."""
        self._bar.advance(self._task)

    def note(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, soft_wrap=True)

    def warning(self, text: str) -> None:
        """Print a line that stands out."""
        self._console.print(f"warning: {text}", style="yellow", soft_wrap=True)

    def training(self, progress: TrainingProgress) -> None:
        """Show epoch, PSNR, speed and time left; write curves where asked for."""
        text = (
            f"training: epoch {progress.epoch + 1}  {progress.psnr:.2f} dB  "
            f"{progress.frames_per_second:.0f} frames/s  {_clock(progress.seconds_left)} left"
        )
        self._bar.update(self._task, description=text, total=100, completed=int(100 * progress.done))
        if self._folder is not None and self._curves is None:
            self._curves = _summary_writer()(self._folder)
        if self._curves is not None:
            self._curves.add_scalar("psnr", progress.psnr, progress.step)
            self._curves.add_scalar("frames per second", progress.frames_per_second, progress.step)
        if not self._console.is_terminal and progress.epoch >= max(self._last_epoch + 1, _next_line(self._last_epoch)):
            self._console.print(text, soft_wrap=True)
            self._last_epoch = progress.epoch


def encode_record(result: EncodeResult) -> Record:
    """What `encode` reports."""
    return {
        "path": str(result.path),
        "file_bytes": result.file_bytes,
        "bits_per_pixel": result.bits_per_pixel,
        "parameters": result.parameters,
        "model": config_to_json(result.design.model),
        "weight_bits": result.design.weight_bits,
        "keyframe_crf": result.keyframe_crf,
        "quality": asdict(result.quality),
    }


def encode_tables(record: Record) -> Sequence[Table | str]:
    """The new archive's quality, and where it is."""
    line = f"{record['path']}: {record['file_bytes']:,} bytes, {record['parameters']:,} parameters"
    return [*quality_tables(record["quality"]), line]


def quality_tables(record: Record) -> Sequence[Table | str]:
    """PSNR, MS-SSIM and bits per pixel of each video and of all."""
    table = _table("video", ">frames", ">size", ">PSNR dB", ">MS-SSIM", ">bits/pixel")
    for video in record["videos"][:_LONGEST_LIST]:
        size = f"{video['height']}x{video['width']}"
        row = [video["name"], str(video["num_frames"]), size, f"{video['psnr']:.2f}"]
        table.add_row(*row, _score(video["ms_ssim"]), f"{video['bits_per_pixel']:.4f}")
    _add_rest(table, record["videos"])
    frames = sum(video["num_frames"] for video in record["videos"])
    table.add_section()
    overall = f"{record['bits_per_pixel']:.4f}"
    table.add_row("all", str(frames), "", f"{record['psnr']:.2f}", _score(record["ms_ssim"]), overall)
    note = f"PSNR of the mean error: {record['psnr_of_mean_mse']:.2f} dB; file: {record['file_bytes']:,} bytes"
    return [table, note]


def info_record(archive: Archive) -> Record:
    """What `info` reports."""
    videos = [
        {
            "name": e.name,
            "label": e.label,
            "frames": e.timing.num_frames,
            "height": e.original_size[0],
            "width": e.original_size[1],
            "coded_height": e.coded_size[0],
            "coded_width": e.coded_size[1],
            "fps": float(e.timing.average_fps),
            "seconds": e.timing.end_seconds - e.timing.begin_seconds,
            "keyframe_bytes": e.keyframe_bytes,
        }
        for e in archive.entries
    ]
    config = archive.config
    return {
        "file_bytes": archive.file_bytes,
        "bits_per_pixel": archive.bits_per_pixel,
        "frames": archive.num_frames,
        "breakdown": archive.breakdown(),
        "model": config_to_json(config.model) | {"parameters": count_parameters(config.model)},
        "canvas": list(config.model.canvas),
        "keyframe_codec": None if config.keyframes is None else config.keyframes.to_json(),
        "source": dict(config.source),
        "videos": videos,
    }


def info_tables(record: Record) -> Sequence[Table | str]:
    """Videos, network, and where the bytes go."""
    videos = _table("video", ">frames", ">size", ">coded at", ">fps", ">seconds", ">keyframes B")
    for v in record["videos"][:_LONGEST_LIST]:
        sizes = f"{v['height']}x{v['width']}", f"{v['coded_height']}x{v['coded_width']}"
        length = str(v["frames"]), *sizes, f"{v['fps']:.2f}", f"{v['seconds']:.2f}", f"{v['keyframe_bytes']:,}"
        videos.add_row(v["name"], *length)
    _add_rest(videos, record["videos"])
    parts = _table("bytes of", ">bytes", ">share")
    for name, count in record["breakdown"].items():
        parts.add_row(name, f"{count:,}", f"{count / record['file_bytes']:.1%}")
    parts.add_section()
    parts.add_row("the file", f"{record['file_bytes']:,}", "100.0%")
    return [videos, _network_line(record), parts, f"{record['bits_per_pixel']:.4f} bits per pixel"]


def verify_tables(record: Record) -> Sequence[Table | str]:
    """One line a section, then the verdict."""
    lines = [f"{kind}: {'ok' if ok else 'DAMAGED'}" for kind, ok in record["sections"].items()]
    return [*lines, "intact" if record["intact"] else f"damaged: {record['problem']}"]


def presets_record() -> Record:
    """What `presets` reports."""
    published = [
        {
            "name": name,
            "family": "dnerv" if isinstance(model.config, DNeRVConfig) else "nerv",
            "width": model.config.base_channels,
            "parameters": count_parameters(model.config),
            "published_millions": model.millions,
        }
        for name, model in PUBLISHED.items()
    ]
    ours = []
    for width in (2, 4, 8, 16, 32, 64, 128, 256):
        config = compact_dnerv(width, _PRESET_CANVAS, clip_length=8, keyframe_every=8)
        ours.append({"width": width, "parameters": count_parameters(config), "canvas": list(config.canvas)})
    return {"published": published, "compact": ours}


def presets_tables(record: Record) -> Sequence[Table | str]:
    """The paper's table of sizes, and our widths."""
    paper = _table("--size", "network", ">width C0", ">parameters", ">in the paper")
    for row in record["published"]:
        family = {"dnerv": "D-NeRV", "nerv": "NeRV"}[row["family"]]
        count, published = f"{row['parameters']:,}", f"{row['published_millions']:.2f} M"
        paper.add_row(row["name"], family, str(row["width"]), count, published)
    ours = _table("--width", ">parameters", ">canvas")
    for row in record["compact"]:
        canvas = "x".join(map(str, row["canvas"]))
        ours.add_row(str(row["width"]), f"{row['parameters']:,}", canvas)
    return [paper, "Without --size the dial chooses the width of a compact network, among them:", ours]


def _network_line(record: Record) -> str:
    model, canvas = record["model"], "x".join(map(str, record["canvas"]))
    name = {"dnerv": "D-NeRV", "nerv": "NeRV"}[model["family"]]
    text = f"{name} of width {model['base_channels']}, {model['parameters']:,} parameters, canvas {canvas}"
    if record["keyframe_codec"] is None:
        return text
    crf = f", crf {record['source']['crf']:g}" if "crf" in record["source"] else ""
    every, codec = model.get("keyframe_every", 8), record["keyframe_codec"]["bitstream"]
    mode = f" {record['source']['mode']}" if "mode" in record["source"] else ""
    head = f"{model.get('head', 'paper')} head"
    return f"{text}, {head}; a keyframe every {every} frames, {codec}{mode}{crf}"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        right = column[0] == ">"
        # Names are broken, never cut: they are there to be copied.
        table.add_column(column.lstrip(">"), justify="right" if right else "left", no_wrap=right, overflow="fold")
    return table


def _add_rest(table: Table, videos: Sequence[Record]) -> None:
    if len(videos) > _LONGEST_LIST:
        table.add_row(f"... and {len(videos) - _LONGEST_LIST} more (--json lists all)")


def _wrapped(text: str, width: int) -> str:
    """Lines broken between words only: a path stays whole, to be copied."""
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def _score(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4f}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _next_line(epoch: int) -> int:
    """Lines on a log are for epochs 0, 1, 2, 4, 8, ... and then every hundredth."""
    return min(2 * epoch, epoch + 100) if epoch > 0 else 0


def _summary_writer() -> Any:
    """TensorBoard's writer class. Raises InputError where the extra is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise InputError("--tensorboard needs the extra: pip install 'dnerv[tensorboard]'") from None
    return SummaryWriter

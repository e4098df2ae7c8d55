"""The command line: parse, call one function, print.

Exit codes: 0, 1 for a named error (one line on stderr), 2 for usage, 130 after an interruption.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, NoReturn, ParamSpec, TypeVar

import typer

from dnerv import __version__
from dnerv.errors import ArchiveError, DnervError, InputError
from dnerv.process import tune_process

app = typer.Typer(
    help="A whole video collection in one neural file.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
study = typer.Typer(
    help="The paper's experiments, on your own videos.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(study, name="study")

P = ParamSpec("P")
R = TypeVar("R")
ArchivePath = Annotated[Path, typer.Argument(metavar="ARCHIVE", help="A .dnerv file.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Device = Annotated[str, typer.Option(help="Where the network runs: cpu, cuda, cuda:1, ...")]


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    if version:
        print(f"dnerv {__version__}")
        raise typer.Exit


@app.command()
def encode(
    inputs: Annotated[list[Path], typer.Argument(metavar="VIDEO|FOLDER...", help="Videos, and folders of them.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The .dnerv file to write.")],
    bpp: Annotated[
        float | None, typer.Option(help="The dial: bits of the whole file per pixel. [default: 0.05]")
    ] = None,
    quality: Annotated[int | None, typer.Option(help="The dial by quality instead: 1 to 100.")] = None,
    size: Annotated[str | None, typer.Option(help="The dial by name instead: one of `dnerv presets`.")] = None,
    budget: Annotated[str | None, typer.Option(help="Time for training: 90s, 5m, 2h. [default: 5m]")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over all clips, in place of a time.")] = None,
    resolution: Annotated[str | None, typer.Option(metavar="HxW", help="Scale frames to this size.")] = None,
    fps: Annotated[
        str | None,
        typer.Option(
            help="Resample videos to this rate (2, 23.976, 30000/1001); of image folders, otherwise 24, it is the rate."
        ),
    ] = None,
    model: Annotated[Literal["dnerv", "nerv"], typer.Option(help="The network's family.")] = "dnerv",
    paper: Annotated[bool, typer.Option("--paper", help="The paper's output head and recipe.")] = False,
    width: Annotated[int | None, typer.Option(help="The network's width C0, in place of the dial's choice.")] = None,
    clip_length: Annotated[int, typer.Option(help="Frames decoded together.")] = 8,
    keyframe_every: Annotated[
        int | None, typer.Option(help="Frames between keyframes, from 1. [default: chosen]")
    ] = None,
    keyframe_crf: Annotated[
        float | None, typer.Option(help="Keyframe quality, 1 (best) to 70. [default: chosen]")
    ] = None,
    keyframe_mode: Annotated[
        Literal["inter", "stills"] | None, typer.Option(help="How keyframes are coded. [default: measured]")
    ] = None,
    weight_bits: Annotated[int | None, typer.Option(help="Bits of the weights' quantiser, 4 to 8.")] = None,
    loss: Annotated[str | None, typer.Option(help="log-mse, mse, l1, l1-ssim or mse-ssim.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of AdamW, at its height.")] = None,
    batch: Annotated[int | None, typer.Option(help="Clips per training step.")] = None,
    ema: Annotated[float | None, typer.Option(help="Store an average of the weights with this decay per step.")] = None,
    precision: Annotated[Literal["auto", "fp32", "bf16"], typer.Option(help="Of training.")] = "auto",
    seed: Annotated[int, typer.Option(help="Of initial weights and clip order.")] = 0,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Labels by columns path,label. [default: class folders]"),
    ] = None,
    device: Device = "cpu",
    tensorboard: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write training curves there.")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave unreadable videos out.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing output.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Discard an interrupted run's state.")] = False,
    keep_work: Annotated[bool, typer.Option("--keep-work", help="Keep OUTPUT.work at the end.")] = False,
    as_json: Json = False,
) -> None:
    """Encode videos into one archive.

    Interrupted, even killed, it goes on when the same command is given again.

    In several processes: torchrun --nproc-per-node N -m dnerv encode ...
    """
    from dnerv import compression, terminal
    from dnerv.training import check_loss, join_processes, local_device

    options = _usage(
        compression.EncodeOptions,
        model=model,
        bits_per_pixel=bpp,
        quality=quality,
        preset=size,
        paper=paper,
        resolution=_resolution(resolution),
        fps=_rate(fps),
        epochs=epochs,
        budget_seconds=_seconds(budget),
        keyframe_every=keyframe_every,
        keyframe_crf=keyframe_crf,
        keyframe_mode=keyframe_mode,
        width=width,
        clip_length=clip_length,
        weight_bits=weight_bits,
        loss=None if loss is None else _usage(check_loss, loss, 11, 11),
        learning_rate=learning_rate,
        batch_clips=batch,
        ema=ema,
        precision=precision,
        seed=seed,
    )
    device = local_device(device)
    with join_processes(device) as group:
        if group.rank > 0:
            if not compression.follow(device, group):
                raise typer.Exit(1)
            return
        with terminal.EncodeDisplay(tensorboard) as display:
            result = compression.encode(
                inputs,
                output,
                options,
                labels=labels,
                skip_bad=skip_bad,
                force=force,
                restart=restart,
                keep_work=keep_work,
                device=device,
                listener=display,
                group=group,
            )
    terminal.show(terminal.encode_record(result), terminal.encode_tables, as_json)


@app.command()
def decode(
    archive: ArchivePath,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write into.")],
    video: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this video; may be repeated.")] = None,
    frames: Annotated[str | None, typer.Option(metavar="A:B", help="Only frames A to B - 1.")] = None,
    format: Annotated[Literal["mp4", "png"], typer.Option(help="What to write.")] = "mp4",
    device: Device = "cpu",
    precision: Annotated[
        str, typer.Option(help="Of the network: fp32, bf16, fp16, openvino-bf16, openvino-int8, auto or reference.")
    ] = "fp32",
    force: Annotated[bool, typer.Option("--force", help="Replace existing outputs.")] = False,
    as_json: Json = False,
) -> None:
    """Get videos back: all of them, some, or some frames."""
    from dnerv import terminal
    from dnerv.archive import Archive, checked_device, export_videos
    from dnerv.engine import chosen_precision

    span, chosen = _span(frames), chosen_precision(precision, checked_device(device))
    with Archive(archive, device=device, precision=chosen) as opened, terminal.progress_bar("decoding") as advance:
        written = export_videos(
            opened, output, names=video or None, frames=span, format=format, force=force, advance=advance
        )
    terminal.show({"written": [str(path) for path in written]}, lambda record: record["written"], as_json)


@app.command()
def interpolate(
    archive: ArchivePath,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write into.")],
    factor: Annotated[int, typer.Option(help="Frames made for each one, 2 to 64.")] = 4,
    video: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this video; may be repeated.")] = None,
    format: Annotated[Literal["mp4", "png"], typer.Option(help="What to write.")] = "mp4",
    slow_motion: Annotated[
        bool, typer.Option("--slow-motion/--keep-duration", help="Stretch time, or raise the frame rate.")
    ] = True,
    device: Device = "cpu",
    force: Annotated[bool, typer.Option("--force", help="Replace existing outputs.")] = False,
    as_json: Json = False,
) -> None:
    """Slow motion: videos with frames in between those that were encoded."""
    from dnerv import terminal
    from dnerv.archive import Archive, interpolate_videos

    with Archive(archive, device=device) as opened, terminal.progress_bar("interpolating") as advance:
        written = interpolate_videos(
            opened,
            output,
            factor=factor,
            slow_motion=slow_motion,
            names=video or None,
            format=format,
            force=force,
            advance=advance,
        )
    terminal.show({"written": [str(path) for path in written]}, lambda record: record["written"], as_json)


@app.command()
def inpaint(
    inputs: Annotated[list[Path], typer.Argument(metavar="VIDEO|FOLDER...", help="Videos, and folders of them.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for archive and videos; taken up again.")],
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="IMAGE|FOLDER|VIDEO",
            help="What to hide is white: one image for all frames, or one a frame; in a folder also by video name.",
        ),
    ] = None,
    boxes: Annotated[int, typer.Option(help="Without --masks: random boxes a frame.")] = 5,
    box_size: Annotated[int, typer.Option(help="Their side in pixels.")] = 50,
    seed: Annotated[int, typer.Option(help="Of boxes, initial weights and clip order.")] = 0,
    resolution: Annotated[str | None, typer.Option(metavar="HxW", help="Scale frames to this size.")] = None,
    bpp: Annotated[float | None, typer.Option(help="Bits of the archive per pixel. [default: 0.05]")] = None,
    budget: Annotated[str | None, typer.Option(help="Time for training: 90s, 5m, 2h. [default: 5m]")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over all clips, in place of a time.")] = None,
    model: Annotated[Literal["dnerv", "nerv"], typer.Option(help="The network's family.")] = "dnerv",
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Hide parts of videos and have the network make them up.

    Nothing that is hidden reaches the archive. Interrupted, it goes on when the same command is given again.
    """
    from dnerv import terminal
    from dnerv.compression import EncodeOptions
    from dnerv.studies import inpainting
    from dnerv.studies.sheet import check_drawing
    from dnerv.video import GivenMasks, RandomBoxes

    check_drawing()
    options = _usage(
        EncodeOptions,
        model=model,
        bits_per_pixel=bpp,
        budget_seconds=_seconds(budget),
        epochs=epochs,
        resolution=_resolution(resolution),
        seed=seed,
    )
    hidden = _usage(RandomBoxes, boxes, box_size, seed) if masks is None else GivenMasks(masks)
    with terminal.EncodeDisplay() as display:
        record = inpainting.inpaint(inputs, output, options, hidden, display, device=device)
        display.stage("drawing the picture")
        inpainting.draw(inputs, output, options, hidden, output / "picture.png")
    terminal.show(record, inpainting.tables, as_json)


@app.command()
def info(archive: ArchivePath, as_json: Json = False) -> None:
    """Say what an archive holds and where its bytes go."""
    from dnerv import terminal
    from dnerv.archive import Archive

    with Archive(archive) as opened:
        terminal.show(terminal.info_record(opened), terminal.info_tables, as_json)


@app.command()
def evaluate(
    archive: ArchivePath,
    originals: Annotated[list[Path], typer.Argument(metavar="VIDEO|FOLDER...", help="What was encoded.")],
    at: Annotated[Literal["coded", "original"], typer.Option(help="Size at which frames are compared.")] = "coded",
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Compare an archive's frames with the original videos."""
    from dnerv import terminal
    from dnerv.evaluation import evaluate as measure

    with terminal.progress_bar("comparing") as advance:
        quality = measure(archive, originals, at=at, device=device, advance=advance)
    terminal.show(asdict(quality), terminal.quality_tables, as_json)


@app.command()
def verify(archive: ArchivePath, as_json: Json = False) -> None:
    """Check every byte of an archive against its checksums."""
    from dnerv import terminal
    from dnerv.archive import verify_archive

    report = verify_archive(archive)
    terminal.show(report, terminal.verify_tables, as_json)
    if not report["intact"]:
        raise ArchiveError(f"{archive}: {report['problem']}")


@app.command()
def bench(
    archive: ArchivePath,
    originals: Annotated[
        list[Path] | None,
        typer.Option(metavar="VIDEO|FOLDER", help="What was encoded; may be repeated. [default: the archive's frames]"),
    ] = None,
    batch_sizes: Annotated[str, typer.Option(help="Clips decoded together.")] = "1,4,8",
    precisions: Annotated[
        str | None,
        typer.Option(
            help="fp32, bf16, fp16, openvino-bf16, openvino-int8. [default: fp32 and what the device is fast in]"
        ),
    ] = None,
    against: Annotated[str, typer.Option(help="Opponents, or none.")] = "jpeg,png,h264,nerv",
    nerv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A NeRV archive. [default: random weights, same bytes]")
    ] = None,
    decoder: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=COMMAND",
            help="Another decoder, run for each clip; may be repeated. Fields: {archive} {video} {name} {first} "
            "{frames} {height} {width} {output}; raw RGB goes to {output}.",
        ),
    ] = None,
    device: Device = "cpu",
    clips: Annotated[int, typer.Option(help="Length of the random list that everybody loads.")] = 32,
    seconds: Annotated[float, typer.Option(help="Of warm loading for each row.")] = 3.0,
    repeats: Annotated[int, typer.Option(help="Rounds; medians are shown.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the choice of videos and clips.")] = 0,
    picture: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw bars: .png, .svg or .pdf.")] = None,
    as_json: Json = False,
) -> None:
    """Measure loading speed against stored frames, H.264 and NeRV."""
    from dnerv import terminal
    from dnerv.archive import checked_device
    from dnerv.studies import loading_speed
    from dnerv.studies.loading_speed.picture import check_picture, draw_bars

    checked_device(device)
    options = _usage(
        loading_speed.BenchOptions,
        originals=tuple(originals or ()),
        batch_sizes=_integers(batch_sizes),
        precisions=None if precisions is None else _words(precisions),
        against=() if against == "none" else _words(against),
        nerv=nerv,
        decoders=tuple(decoder or ()),
        device=device,
        clips=clips,
        seconds=seconds,
        repeats=repeats,
        seed=seed,
    )
    if picture is not None:
        check_picture(picture)
    with terminal.EncodeDisplay() as display:
        record = loading_speed.bench(archive, options, display)
    if picture is not None:
        draw_bars(record, picture)
    terminal.show(record, loading_speed.tables, as_json)


StudyInputs = Annotated[list[Path], typer.Argument(metavar="VIDEO|FOLDER...", help="Videos, and folders of them.")]
StudyFolder = Annotated[
    Path, typer.Option("--output", "-o", help="Folder for archives, results.json and the picture; taken up again.")
]


@study.command("interpolation")
def study_interpolation(
    inputs: StudyInputs,
    output: StudyFolder,
    resolution: Annotated[str | None, typer.Option(metavar="HxW", help="Scale frames to this size.")] = None,
    bpp: Annotated[float | None, typer.Option(help="Bits per pixel of the frames kept. [default: 0.05]")] = None,
    budget: Annotated[str | None, typer.Option(help="Time for training: 90s, 5m, 2h. [default: 5m]")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over all clips, in place of a time.")] = None,
    keyframe_every: Annotated[int, typer.Option(help="Frames kept between keyframes.")] = 2,
    seed: Annotated[int, typer.Option(help="Of initial weights and clip order.")] = 0,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Hold out every second frame, and decode it all the same.

    Interrupted, it goes on when the same command is given again.
    """
    from dnerv import terminal
    from dnerv.compression import EncodeOptions
    from dnerv.studies import interpolation as studied
    from dnerv.studies.sheet import check_drawing

    check_drawing()
    options = _usage(
        EncodeOptions,
        bits_per_pixel=bpp,
        budget_seconds=_seconds(budget),
        epochs=epochs,
        resolution=_resolution(resolution),
        keyframe_every=keyframe_every,
        seed=seed,
    )
    with terminal.EncodeDisplay() as display:
        record = studied.interpolation(inputs, output, options, display, device=device)
        display.stage("drawing the picture")
        studied.draw(output, output / "picture.png")
    terminal.show(record, studied.tables, as_json)


@study.command("inpainting")
def study_inpainting(
    inputs: StudyInputs,
    output: StudyFolder,
    boxes: Annotated[int, typer.Option(help="Random boxes a frame.")] = 5,
    box_size: Annotated[int, typer.Option(help="Their side in pixels.")] = 50,
    resolution: Annotated[str | None, typer.Option(metavar="HxW", help="Scale frames to this size.")] = None,
    crop: Annotated[str | None, typer.Option(metavar="HxW", help="Then cut this out of their middle.")] = None,
    bpp: Annotated[float | None, typer.Option(help="Bits per pixel of each way. [default: 0.05]")] = None,
    budget: Annotated[str | None, typer.Option(help="Time for training each way. [default: 5m]")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over all clips, in place of a time.")] = None,
    seed: Annotated[int, typer.Option(help="Of boxes, initial weights and clip order.")] = 0,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Hide random boxes: NeRV, one NeRV for all videos, and D-NeRV.

    Interrupted, it goes on when the same command is given again.
    """
    from dnerv import terminal
    from dnerv.compression import EncodeOptions
    from dnerv.studies import inpainting as studied
    from dnerv.studies.sheet import check_drawing
    from dnerv.video import RandomBoxes

    check_drawing()
    options = _usage(
        EncodeOptions,
        bits_per_pixel=bpp,
        budget_seconds=_seconds(budget),
        epochs=epochs,
        resolution=_resolution(resolution),
        seed=seed,
    )
    hidden = _usage(RandomBoxes, boxes, box_size, seed)
    with terminal.EncodeDisplay() as display:
        record = studied.inpainting(
            inputs, output, options, hidden, display, crop=_resolution(crop, "--crop"), device=device
        )
        display.stage("drawing the picture")
        studied.draw_study(output, hidden, output / "picture.png")
    terminal.show(record, studied.study_tables, as_json)


@study.command("diversity")
def study_diversity(
    inputs: StudyInputs,
    output: StudyFolder,
    sources: Annotated[str, typer.Option(help="Numbers of sources that the clips come from.")] = "4,12,48",
    by: Annotated[Literal["video", "label"], typer.Option(help="What a source is: a video, or a class.")] = "video",
    clips: Annotated[int, typer.Option(help="Clips, whatever the number of sources.")] = 48,
    length: Annotated[int, typer.Option(help="Frames of a clip.")] = 8,
    draws: Annotated[int, typer.Option(help="Choices of sources, each with its own seed.")] = 3,
    resolution: Annotated[str | None, typer.Option(metavar="HxW", help="Scale frames to this size.")] = None,
    fps: Annotated[str | None, typer.Option(help="Resample videos to this rate.")] = None,
    bpp: Annotated[float, typer.Option(help="Bits per pixel of every archive.")] = 0.05,
    epochs: Annotated[int, typer.Option(help="Passes over all clips.")] = 40,
    seed: Annotated[int, typer.Option(help="Of the first draw; the others follow.")] = 0,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Encode as many clips from few sources as from many.

    Interrupted, it goes on when the same command is given again.
    """
    from dnerv import terminal
    from dnerv.studies import diversity as studied
    from dnerv.studies.sheet import check_drawing

    check_drawing()
    options = _usage(
        studied.DiversityOptions,
        sources=_integers(sources, "--sources"),
        by=by,
        clips=clips,
        length=length,
        draws=draws,
        resolution=_resolution(resolution),
        fps=_rate(fps),
        bits_per_pixel=bpp,
        epochs=epochs,
        seed=seed,
        device=device,
    )
    with terminal.EncodeDisplay() as display:
        record = studied.diversity(inputs, output, options, display)
        studied.draw(record, output / "picture.png")
    terminal.show(record, studied.tables, as_json)


@study.command("joint")
def study_joint(
    inputs: StudyInputs,
    output: StudyFolder,
    counts: Annotated[str, typer.Option(help="Numbers of videos held together.")] = "1,2,4,8",
    resolution: Annotated[str | None, typer.Option(metavar="HxW", help="Scale frames to this size.")] = None,
    fps: Annotated[str | None, typer.Option(help="Resample videos to this rate.")] = None,
    bpp: Annotated[float, typer.Option(help="Bits per pixel, together and apart.")] = 0.05,
    epochs: Annotated[int, typer.Option(help="Passes over all clips.")] = 40,
    seed: Annotated[int, typer.Option(help="Of the videos' order, initial weights and clip order.")] = 0,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Compare one archive of all videos with one of each.

    Interrupted, it goes on when the same command is given again.
    """
    from dnerv import terminal
    from dnerv.studies import joint as studied
    from dnerv.studies.sheet import check_drawing

    check_drawing()
    options = _usage(
        studied.JointOptions,
        counts=_integers(counts, "--counts"),
        resolution=_resolution(resolution),
        fps=_rate(fps),
        bits_per_pixel=bpp,
        epochs=epochs,
        seed=seed,
        device=device,
    )
    with terminal.EncodeDisplay() as display:
        record = studied.joint(inputs, output, options, display)
        studied.draw(record, output / "picture.png")
    terminal.show(record, studied.tables, as_json)


@study.command("ablation")
def study_ablation(
    inputs: StudyInputs,
    output: StudyFolder,
    resolution: Annotated[str | None, typer.Option(metavar="HxW", help="Scale frames to this size.")] = None,
    fps: Annotated[str | None, typer.Option(help="Resample videos to this rate.")] = None,
    bpp: Annotated[float, typer.Option(help="Bits per pixel of every archive.")] = 0.05,
    epochs: Annotated[int | None, typer.Option(help="Passes over all clips, for each archive. [default: 20]")] = None,
    budget: Annotated[str | None, typer.Option(help="Training time of each archive, in place of epochs.")] = None,
    seeds: Annotated[int, typer.Option(help="Encodings of every row, with seeds from 0.")] = 1,
    parts: Annotated[str, typer.Option(help="Groups of rows.")] = "components,flow,fusion,temporal,head,clip,share",
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Leave out or replace each part of the method, at equal bytes.

    Every archive is kept: interrupted, it goes on when the same command is given again.
    """
    from dnerv import terminal
    from dnerv.studies import ablation as studied

    options = _usage(
        studied.AblationOptions,
        resolution=_resolution(resolution),
        fps=_rate(fps),
        bits_per_pixel=bpp,
        epochs=epochs,
        budget_seconds=_seconds(budget),
        seeds=seeds,
        parts=_words(parts),
        device=device,
    )
    with terminal.EncodeDisplay() as display:
        record = studied.ablation(inputs, output, options, display)
    terminal.show(record, studied.tables, as_json)


@study.command("recognition")
def study_recognition(
    inputs: StudyInputs,
    output: StudyFolder,
    labels: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Labels by columns path,label. [default: class folders]")
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="CSV with columns path,label,split, or UCF101's trainlist01.txt. [default: a third is drawn]",
        ),
    ] = None,
    resolution: Annotated[str | None, typer.Option(metavar="HxW", help="Scale frames to this size.")] = None,
    fps: Annotated[str | None, typer.Option(help="Resample videos to this rate.")] = None,
    rates: Annotated[str, typer.Option(help="Bits per pixel of the archives.")] = "0.02,0.04,0.08",
    budget: Annotated[str | None, typer.Option(help="Training time of each archive. [default: 5m]")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over all clips, in place of a time.")] = None,
    classifier_epochs: Annotated[int, typer.Option(help="Passes of the classifier over its training videos.")] = 20,
    frames: Annotated[int, typer.Option(help="Of a clip, spread over its video.")] = 8,
    crop: Annotated[int, typer.Option(help="Side in pixels of the square that the classifier sees.")] = 112,
    flip: Annotated[
        bool, typer.Option(help="Mirror clips in training; not where classes tell left from right.")
    ] = True,
    seeds: Annotated[int, typer.Option(help="Trainings of the classifier in each condition.")] = 3,
    seed: Annotated[int, typer.Option(help="The first of them; of archives and a drawn split too.")] = 0,
    live: Annotated[
        bool, typer.Option("--live", help="Decode archives in every step, instead of once to the disk.")
    ] = False,
    precision: Annotated[str, typer.Option(help="Of the archives' networks, as for decode.")] = "auto",
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Recognise actions in compressed videos: raw, H.264, NeRV and D-NeRV.

    Interrupted, it goes on when the same command is given again.
    """
    from dnerv import terminal
    from dnerv.studies import recognition

    options = _usage(
        recognition.RecognitionOptions,
        resolution=_resolution(resolution),
        fps=_rate(fps),
        labels=labels,
        split=split,
        rates=_numbers(rates),
        budget_seconds=_seconds(budget),
        epochs=epochs,
        classifier=_usage(recognition.ClassifierOptions, epochs=classifier_epochs, frames=frames, crop=crop, flip=flip),
        seeds=seeds,
        seed=seed,
        live=live,
        precision=precision,  # type: ignore[arg-type]
        device=device,
    )
    with terminal.EncodeDisplay() as display:
        record = recognition.recognition(inputs, output, options, display)
    terminal.show(record, recognition.tables, as_json)


@app.command()
def compare(
    inputs: Annotated[list[Path], typer.Argument(metavar="VIDEO|FOLDER...", help="Videos, and folders of them.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder of points and results.")],
    resolution: Annotated[str | None, typer.Option(metavar="HxW", help="Scale frames to this size.")] = None,
    fps: Annotated[str | None, typer.Option(help="Resample videos to this rate.")] = None,
    rates: Annotated[
        str, typer.Option(help="Bits per pixel of the archives, covered by the others.")
    ] = "0.02,0.035,0.06,0.1",
    budget: Annotated[str | None, typer.Option(help="Training time of each archive. [default: 60s]")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over all clips, in place of a time.")] = None,
    codecs: Annotated[str, typer.Option(help="Who takes part.")] = "dnerv,nerv,x264,x265,svtav1,aom,vvc",
    anchor: Annotated[str, typer.Option(help="The codec that BD-rates are taken against.")] = "x265",
    preset: Annotated[
        str, typer.Option(help="Effort of the others: veryslow, slow, medium, fast, ultrafast.")
    ] = "veryslow",
    published: Annotated[
        str | None, typer.Option(metavar="SET", help="The videos are this set, ucf101 or uvg: show published points.")
    ] = None,
    vmaf: Annotated[bool, typer.Option("--vmaf", help="Measure VMAF too (imageio-ffmpeg).")] = False,
    perceptual: Annotated[bool, typer.Option("--perceptual", help="Measure ST-LPIPS too (stlpips-pytorch).")] = False,
    seed: Annotated[int, typer.Option(help="Of initial weights and clip order.")] = 0,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Draw rate-distortion curves of dnerv, NeRV and video codecs on your videos.

    Every point is kept: interrupted, it goes on when the same command is given again.
    """
    from dnerv import terminal
    from dnerv.studies import rate_distortion

    options = _usage(
        rate_distortion.CompareOptions,
        resolution=_resolution(resolution),
        fps=_rate(fps),
        rates=_numbers(rates),
        budget_seconds=_seconds(budget),
        epochs=epochs,
        codecs=_words(codecs),
        anchor=anchor,
        preset=preset,
        published=published,
        measures=(*(("vmaf",) if vmaf else ()), *(("perceptual",) if perceptual else ())),
        device=device,
        seed=seed,
    )
    with terminal.EncodeDisplay() as display:
        record = rate_distortion.compare(inputs, output, options, display)
    terminal.show(record, rate_distortion.tables, as_json)


@app.command()
def report(
    results: Annotated[
        list[Path], typer.Argument(metavar="RESULT...", help="Folders of studies, or their records as JSON.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The .html file to write.")],
    frames: Annotated[int, typer.Option(help="Frames shown of each video, from its middle.")] = 32,
    videos: Annotated[int, typer.Option(help="Videos shown of each study; 0 for charts and tables alone.")] = 4,
    rate: Annotated[
        float | None, typer.Option(help="Bits per pixel of the archives shown. [default: the comparison's middle one]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing output.")] = False,
    as_json: Json = False,
) -> None:
    """Put studies on one page: charts, tables, and videos side by side.

    The page is one file and needs no network.
    """
    from dnerv import terminal
    from dnerv.studies.report import ReportOptions, write_report

    options = _usage(ReportOptions, frames=frames, videos=videos, rate=rate)
    with terminal.EncodeDisplay() as display:
        made = write_report(results, output, options, display, force=force)
    terminal.show(made.to_json(), lambda record: [made.line], as_json)


@app.command()
def presets(as_json: Json = False) -> None:
    """List the paper's networks and ours, with their parameter counts."""
    from dnerv import terminal

    terminal.show(terminal.presets_record(), terminal.presets_tables, as_json)


def main() -> None:
    """Run the command line."""
    tune_process()
    # Typed after the command, where people type it, it would be the command's own option.
    arguments = [word for word in sys.argv[1:] if word != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        with _first_process_speaks():
            app(arguments, prog_name="dnerv")
    except (DnervError, OSError, MemoryError) as error:
        if debug:
            raise
        _fail(_one_line(error), 1)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except SystemExit as end:
        if end.code == 130:  # what typer makes of an interruption
            _fail("interrupted", 130)
        raise


@contextmanager
def _first_process_speaks() -> Iterator[None]:
    """Of processes started together all read the same command line: what is wrong with it is said once."""
    if os.environ.get("RANK", "0") == "0":
        yield
        return
    with redirect_stderr(io.StringIO()):
        try:
            yield
        except SystemExit as end:
            if end.code == 2:
                time.sleep(1)  # launchers end all processes as soon as one has ended: let the first one speak
            raise


def _fail(reason: str, code: int) -> NoReturn:
    if code != 130 or os.environ.get("RANK", "0") == "0":
        print(f"dnerv: {reason}", file=sys.stderr)
    sys.exit(code)


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def _usage(make: Callable[P, R], *args: P.args, **options: P.kwargs) -> R:
    """What `make` refuses is a mistake on the command line."""
    try:
        return make(*args, **options)
    except InputError as error:
        raise typer.BadParameter(str(error)) from None


def _resolution(text: str | None, option: str = "--resolution") -> tuple[int, int] | None:
    if text is None:
        return None
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise typer.BadParameter(f"{option} is {text!r}; give height x width in pixels, 256x320 for example")
    return int(height), int(width)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(","))


def _integers(text: str, option: str = "--batch-sizes") -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in _words(text))
    except ValueError:
        raise typer.BadParameter(f"{option} is {text!r}; give integers, 1,4,8 for example") from None


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in _words(text))
    except ValueError:
        raise typer.BadParameter(f"--rates is {text!r}; give bits per pixel, 0.02,0.05,0.1 for example") from None


def _rate(text: str | None) -> Fraction | None:
    if text is None:
        return None
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise typer.BadParameter(f"--fps is {text!r}; give frames per second, 25 or 30000/1001 for example") from None


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        return float(number) * unit
    except ValueError:
        raise typer.BadParameter(f"--budget is {text!r}; give a time, 90s, 5m or 2h for example") from None


def _span(text: str | None) -> tuple[int | None, int | None] | None:
    if text is None:
        return None
    first, colon, past = text.partition(":")
    if not colon or not all(part == "" or part.isdecimal() for part in (first, past)):
        raise typer.BadParameter(f"--frames is {text!r}; give A:B for frames A to B - 1, 16:24 for example")
    return (int(first) if first else None, int(past) if past else None)

"""Commands that make an archive, and those that read one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from dnerv.cli.application import app
from dnerv.cli.parsing import (
    ArchivePath,
    Device,
    Epochs,
    Inputs,
    Json,
    Resolution,
    Seed,
    parse_rate,
    parse_resolution,
    parse_seconds,
    parse_span,
    usage,
)
from dnerv.errors import ArchiveError


@app.command()
def encode(
    inputs: Inputs,
    output: Annotated[Path, typer.Option("--output", "-o", help="The .dnerv file to write.")],
    bpp: Annotated[
        float | None, typer.Option(help="The dial: bits of the whole file per pixel. [default: 0.05]")
    ] = None,
    quality: Annotated[int | None, typer.Option(help="The dial by quality instead: 1 to 100.")] = None,
    size: Annotated[str | None, typer.Option(help="The dial by name instead: one of `dnerv presets`.")] = None,
    budget: Annotated[str | None, typer.Option(help="Time for training: 90s, 5m, 2h. [default: 5m]")] = None,
    epochs: Epochs = None,
    resolution: Resolution = None,
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
    seed: Seed = 0,
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
    from dnerv import encoding, terminal
    from dnerv.training import check_loss, join_processes, local_device

    options = usage(
        encoding.EncodeOptions,
        model=model,
        bits_per_pixel=bpp,
        quality=quality,
        preset=size,
        paper=paper,
        resolution=parse_resolution(resolution),
        fps=parse_rate(fps),
        epochs=epochs,
        budget_seconds=parse_seconds(budget),
        keyframe_every=keyframe_every,
        keyframe_crf=keyframe_crf,
        keyframe_mode=keyframe_mode,
        width=width,
        clip_length=clip_length,
        weight_bits=weight_bits,
        loss=None if loss is None else usage(check_loss, loss, 11, 11),
        learning_rate=learning_rate,
        batch_clips=batch,
        ema=ema,
        precision=precision,
        seed=seed,
    )
    device = local_device(device)
    with join_processes(device) as group:
        if group.rank > 0:
            if not encoding.follow(device, group):
                raise typer.Exit(1)
            return
        with terminal.EncodeDisplay(tensorboard) as display:
            result = encoding.encode(
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
    precision: Annotated[str, typer.Option(help="Of the network: fp32, bf16, fp16, auto or reference.")] = "fp32",
    force: Annotated[bool, typer.Option("--force", help="Replace existing outputs.")] = False,
    as_json: Json = False,
) -> None:
    """Get videos back: all of them, some, or some frames."""
    from dnerv import terminal
    from dnerv.archive import Archive, checked_device, export_videos
    from dnerv.engine import chosen_precision

    span, chosen = parse_span(frames), chosen_precision(precision, checked_device(device))
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
    inputs: Inputs,
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
    resolution: Resolution = None,
    bpp: Annotated[float | None, typer.Option(help="Bits of the archive per pixel. [default: 0.05]")] = None,
    budget: Annotated[str | None, typer.Option(help="Time for training: 90s, 5m, 2h. [default: 5m]")] = None,
    epochs: Epochs = None,
    model: Annotated[Literal["dnerv", "nerv"], typer.Option(help="The network's family.")] = "dnerv",
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Hide parts of videos and have the network make them up.

    Nothing that is hidden reaches the archive. Interrupted, it goes on when the same command is given again.
    """
    from dnerv import terminal
    from dnerv.encoding import EncodeOptions
    from dnerv.studies import inpainting
    from dnerv.studies.drawing import check_drawing
    from dnerv.video import GivenMasks, RandomBoxes

    check_drawing()
    options = usage(
        EncodeOptions,
        model=model,
        bits_per_pixel=bpp,
        budget_seconds=parse_seconds(budget),
        epochs=epochs,
        resolution=parse_resolution(resolution),
        seed=seed,
    )
    hidden = usage(RandomBoxes, boxes, box_size, seed) if masks is None else GivenMasks(masks)
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
def presets(as_json: Json = False) -> None:
    """List the paper's networks and ours, with their parameter counts."""
    from dnerv import terminal

    terminal.show(terminal.presets_record(), terminal.presets_tables, as_json)

"""Commands that measure archives against others, and the report of all that was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dnerv.cli.typed import (
    ArchivePath,
    Device,
    Epochs,
    Fps,
    Inputs,
    Json,
    Resolution,
    Seed,
    parse_integers,
    parse_numbers,
    parse_rate,
    parse_resolution,
    parse_seconds,
    parse_words,
    usage,
)
from dnerv.cli.typed_application import app


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
        typer.Option(help="fp32, bf16, fp16. [default: fp32 and what the device is fast in]"),
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
    from dnerv.archive import checked_device
    from dnerv.cli import typed
    from dnerv.studies import loading_speed
    from dnerv.studies.loading_speed.picture import check_picture, draw_bars

    checked_device(device)
    options = usage(
        loading_speed.BenchOptions,
        originals=tuple(originals or ()),
        batch_sizes=parse_integers(batch_sizes),
        precisions=None if precisions is None else parse_words(precisions),
        against=() if against == "none" else parse_words(against),
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
    with typed.watched() as display:
        record = loading_speed.bench(archive, options, display)
    if picture is not None:
        draw_bars(record, picture)
    typed.show(record, loading_speed.tables, as_json)


@app.command()
def compare(
    inputs: Inputs,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder of points and results.")],
    resolution: Resolution = None,
    fps: Fps = None,
    rates: Annotated[
        str, typer.Option(help="Bits per pixel of the archives, covered by the others.")
    ] = "0.02,0.035,0.06,0.1",
    budget: Annotated[str | None, typer.Option(help="Training time of each archive. [default: 60s]")] = None,
    epochs: Epochs = None,
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
    seed: Seed = 0,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Draw rate-distortion curves of dnerv, NeRV and video codecs on your videos.

    Every point is kept: interrupted, it goes on when the same command is given again.
    """
    from dnerv.cli import typed
    from dnerv.studies import rate_distortion

    options = usage(
        rate_distortion.CompareOptions,
        resolution=parse_resolution(resolution),
        fps=parse_rate(fps),
        rates=parse_numbers(rates),
        budget_seconds=parse_seconds(budget),
        epochs=epochs,
        codecs=parse_words(codecs),
        anchor=anchor,
        preset=preset,
        published=published,
        measures=(*(("vmaf",) if vmaf else ()), *(("perceptual",) if perceptual else ())),
        device=device,
        seed=seed,
    )
    with typed.watched() as display:
        record = rate_distortion.compare(inputs, output, options, display)
    typed.show(record, rate_distortion.tables, as_json)

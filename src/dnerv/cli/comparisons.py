"""Commands that measure archives against others, and the report of all that was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dnerv.cli.typed import (
    Device,
    Epochs,
    Fps,
    Inputs,
    Json,
    Resolution,
    Seed,
    parse_numbers,
    parse_rate,
    parse_resolution,
    parse_seconds,
    parse_words,
    usage,
)
from dnerv.cli.typed_application import app


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

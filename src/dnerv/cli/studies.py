"""Commands of the paper's experiments: `dnerv study ...`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from dnerv.cli.typed import (
    Device,
    Epochs,
    Fps,
    Inputs,
    Json,
    Resolution,
    parse_integers,
    parse_numbers,
    parse_rate,
    parse_resolution,
    parse_seconds,
    parse_words,
    usage,
)
from dnerv.cli.typed_application import study

StudyFolder = Annotated[
    Path, typer.Option("--output", "-o", help="Folder for archives, results.json and the picture; taken up again.")
]


@study.command("diversity")
def study_diversity(
    inputs: Inputs,
    output: StudyFolder,
    sources: Annotated[str, typer.Option(help="Numbers of sources that the clips come from.")] = "4,12,48",
    by: Annotated[Literal["video", "label"], typer.Option(help="What a source is: a video, or a class.")] = "video",
    clips: Annotated[int, typer.Option(help="Clips, whatever the number of sources.")] = 48,
    length: Annotated[int, typer.Option(help="Frames of a clip.")] = 8,
    draws: Annotated[int, typer.Option(help="Choices of sources, each with its own seed.")] = 3,
    resolution: Resolution = None,
    fps: Fps = None,
    bpp: Annotated[float, typer.Option(help="Bits per pixel of every archive.")] = 0.05,
    epochs: Annotated[int, typer.Option(help="Passes over all clips.")] = 40,
    seed: Annotated[int, typer.Option(help="Of the first draw; the others follow.")] = 0,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Encode as many clips from few sources as from many.

    Interrupted, it goes on when the same command is given again.
    """
    from dnerv.cli import typed
    from dnerv.studies import diversity as studied
    from dnerv.studies.drawing import check_drawing

    check_drawing()
    options = usage(
        studied.DiversityOptions,
        sources=parse_integers(sources, "--sources"),
        by=by,
        clips=clips,
        length=length,
        draws=draws,
        resolution=parse_resolution(resolution),
        fps=parse_rate(fps),
        bits_per_pixel=bpp,
        epochs=epochs,
        seed=seed,
        device=device,
    )
    with typed.watched() as display:
        record = studied.diversity(inputs, output, options, display)
        studied.draw(record, output / "picture.png")
    typed.show(record, studied.tables, as_json)


@study.command("joint")
def study_joint(
    inputs: Inputs,
    output: StudyFolder,
    counts: Annotated[str, typer.Option(help="Numbers of videos held together.")] = "1,2,4,8",
    resolution: Resolution = None,
    fps: Fps = None,
    bpp: Annotated[float, typer.Option(help="Bits per pixel, together and apart.")] = 0.05,
    epochs: Annotated[int, typer.Option(help="Passes over all clips.")] = 40,
    seed: Annotated[int, typer.Option(help="Of the videos' order, initial weights and clip order.")] = 0,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Compare one archive of all videos with one of each.

    Interrupted, it goes on when the same command is given again.
    """
    from dnerv.cli import typed
    from dnerv.studies import joint as studied
    from dnerv.studies.drawing import check_drawing

    check_drawing()
    options = usage(
        studied.JointOptions,
        counts=parse_integers(counts, "--counts"),
        resolution=parse_resolution(resolution),
        fps=parse_rate(fps),
        bits_per_pixel=bpp,
        epochs=epochs,
        seed=seed,
        device=device,
    )
    with typed.watched() as display:
        record = studied.joint(inputs, output, options, display)
        studied.draw(record, output / "picture.png")
    typed.show(record, studied.tables, as_json)


@study.command("ablation")
def study_ablation(
    inputs: Inputs,
    output: StudyFolder,
    resolution: Resolution = None,
    fps: Fps = None,
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
    from dnerv.cli import typed
    from dnerv.studies import ablation as studied

    options = usage(
        studied.AblationOptions,
        resolution=parse_resolution(resolution),
        fps=parse_rate(fps),
        bits_per_pixel=bpp,
        epochs=epochs,
        budget_seconds=parse_seconds(budget),
        seeds=seeds,
        parts=parse_words(parts),
        device=device,
    )
    with typed.watched() as display:
        record = studied.ablation(inputs, output, options, display)
    typed.show(record, studied.tables, as_json)


@study.command("recognition")
def study_recognition(
    inputs: Inputs,
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
    resolution: Resolution = None,
    fps: Fps = None,
    rates: Annotated[str, typer.Option(help="Bits per pixel of the archives.")] = "0.02,0.04,0.08",
    budget: Annotated[str | None, typer.Option(help="Training time of each archive. [default: 5m]")] = None,
    epochs: Epochs = None,
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
    from dnerv.cli import typed
    from dnerv.studies import recognition

    options = usage(
        recognition.RecognitionOptions,
        resolution=parse_resolution(resolution),
        fps=parse_rate(fps),
        labels=labels,
        split=split,
        rates=parse_numbers(rates),
        budget_seconds=parse_seconds(budget),
        epochs=epochs,
        classifier=usage(recognition.ClassifierOptions, epochs=classifier_epochs, frames=frames, crop=crop, flip=flip),
        seeds=seeds,
        seed=seed,
        live=live,
        precision=precision,  # type: ignore[arg-type]
        device=device,
    )
    with typed.watched() as display:
        record = recognition.recognition(inputs, output, options, display)
    typed.show(record, recognition.tables, as_json)

"""`dnerv inpaint`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dnerv.cli.command import Command, Record
from dnerv.cli.commands.given import VideosGiven
from dnerv.encoding.options import EncodeOptions, RunOptions
from dnerv.options import REQUIRED, Options, like, option
from dnerv.tables import Part


@dataclass(frozen=True, kw_only=True)
class InpaintOptions(Options):
    """What is hidden, and how the rest is encoded."""

    output: Path = option(
        REQUIRED, "Folder for archive and videos; taken up again.", short="-o", metavar="FOLDER", group="Output"
    )
    masks: Path | None = option(
        None,
        "What to hide is white: one image for all frames, or one a frame; in a folder also by video name.",
        metavar="IMAGE|FOLDER|VIDEO",
        unset="random boxes",
        group="What is hidden",
    )
    boxes: int = option(5, "Random boxes a frame.", low=1, group="What is hidden")
    box_size: int = option(50, "Their side in pixels.", low=1, group="What is hidden")
    resolution: tuple[int, int] | None = like(EncodeOptions, "resolution")
    bits_per_pixel: float | None = like(EncodeOptions, "bits_per_pixel", group="The archive")
    budget_seconds: float | None = like(EncodeOptions, "budget_seconds", group="The archive")
    epochs: int | None = like(EncodeOptions, "epochs", group="The archive")
    model: str = like(EncodeOptions, "model", help="The network's family.", group="The archive")
    seed: int = like(
        EncodeOptions, "seed", help="Of boxes, initial weights and clip order.", low=0, group="The archive"
    )
    device: str = like(RunOptions, "device")

    def __post_init__(self) -> None:
        """Raise InputError for what `encode` would refuse, too."""
        super().__post_init__()
        self.encoding()

    def encoding(self) -> EncodeOptions:
        """Options of the archive."""
        names = ("resolution", "bits_per_pixel", "budget_seconds", "epochs", "model", "seed")
        return EncodeOptions(**{name: getattr(self, name) for name in names})


def _run(videos: VideosGiven, options: InpaintOptions) -> Record:
    from dnerv.progress import stage
    from dnerv.studies import inpainting
    from dnerv.studies.drawing import check_drawing
    from dnerv.video import GivenMasks, RandomBoxes

    check_drawing()
    inputs, encoding, output = list(videos.inputs), options.encoding(), options.output
    masks = (
        RandomBoxes(options.boxes, options.box_size, options.seed)
        if options.masks is None
        else GivenMasks(options.masks)
    )
    record = inpainting.inpaint(inputs, output, encoding, masks, device=options.device)
    stage("drawing the picture")
    inpainting.draw(inputs, output, encoding, masks, output / "picture.png")
    return record


def _tables(record: Record) -> Sequence[Part]:
    from dnerv.studies.inpainting import tables

    return tables(record)


COMMAND = Command(
    "inpaint",
    """Hide parts of videos and have the network make them up.

    Nothing that is hidden reaches the archive. Interrupted, it goes on when the same command is given again.""",
    (VideosGiven, InpaintOptions),
    _run,
    _tables,
)

"""`dnerv encode`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dnerv.cli.command import Command, Record
from dnerv.cli.commands.evaluate import quality_tables
from dnerv.cli.commands.given import VideosGiven
from dnerv.encoding.options import EncodeOptions, RunOptions
from dnerv.options import REQUIRED, Options, option
from dnerv.tables import Part

if TYPE_CHECKING:
    from dnerv.encoding import EncodeResult


@dataclass(frozen=True, kw_only=True)
class EncodeOutput(Options):
    """What is written."""

    output: Path = option(REQUIRED, "The .dnerv file to write.", short="-o", metavar="FILE", group="Output")
    tensorboard: Path | None = option(None, "Write training curves there.", metavar="FOLDER", group="Output")


def _run(videos: VideosGiven, to: EncodeOutput, options: EncodeOptions, how: RunOptions) -> Record | None:
    from dnerv.encoding import encode, follow
    from dnerv.progress import listening
    from dnerv.terminal import Curves
    from dnerv.training import join_processes, local_device

    run = vars(how) | {"device": local_device(how.device)}
    with join_processes(run["device"]) as group:
        if group.rank > 0:
            if not follow(run["device"], group):
                raise SystemExit(1)
            return None
        with Curves(to.tensorboard) as curves, listening(curves, beside=True):
            return _record(encode(videos.inputs, to.output, options, **run, group=group))


def _record(result: EncodeResult) -> Record:
    from dnerv.families import config_to_json

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


def _tables(record: Record) -> Sequence[Part]:
    line = f"{record['path']}: {record['file_bytes']:,} bytes, {record['parameters']:,} parameters"
    return [*quality_tables(record["quality"]), line]


COMMAND = Command(
    "encode",
    """Encode videos into one archive.

    Interrupted, even killed, it goes on when the same command is given again.

    In several processes: torchrun --nproc-per-node N -m dnerv encode ...""",
    (VideosGiven, EncodeOutput, EncodeOptions, RunOptions),
    _run,
    _tables,
)

"""`dnerv encode`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerv.cli.command import Command, Record, is_first_process
from dnerv.cli.commands.evaluate import quality_tables
from dnerv.cli.commands.given import VideosGiven
from dnerv.encoding.options import EncodeOptions, RunOptions
from dnerv.errors import InputError
from dnerv.options import REQUIRED, Options, option
from dnerv.printable import count
from dnerv.tables import Part

if TYPE_CHECKING:
    from dnerv.encoding import EncodeResult


@dataclass(frozen=True, kw_only=True)
class EncodeOutput(Options):
    """What is written."""

    output: Path = option(REQUIRED, "The .dnerv file to write.", short="-o", metavar="FILE", group="Output")
    tensorboard: Path | None = option(None, "Write training curves there.", metavar="FOLDER", group="Output")


def _run(videos: VideosGiven, to: EncodeOutput, options: EncodeOptions, how: RunOptions) -> Record | None:
    from dnerv.encoding import encode

    if options.trains:
        return _train(videos, to, options, how)
    if to.tensorboard is not None:
        raise InputError(
            "--tensorboard: no network is trained from nothing, as --budget or --epochs do without --prior"
        )
    return _record(encode(videos.inputs, to.output, options, **_given(how))) if is_first_process() else None


def _train(videos: VideosGiven, to: EncodeOutput, options: EncodeOptions, how: RunOptions) -> Record | None:
    from dnerv.encoding import encode, follow
    from dnerv.progress import listening
    from dnerv.terminal import Curves
    from dnerv.training import join_processes, local_device

    run = _given(how) | {"device": local_device(how.device)}
    with join_processes(run["device"]) as group:
        if group.rank > 0:
            if not follow(run["device"], group):
                raise SystemExit(1)
            return None
        with Curves(to.tensorboard) as curves, listening(curves, beside=True):
            return _record(encode(videos.inputs, to.output, options, **run, group=group))


def _given(how: RunOptions) -> dict[str, Any]:
    """As arguments of `encode`."""
    given = dict(vars(how))
    address = given.pop("cluster")
    if address is None:
        return given
    from dnerv.integrations.dask import cluster

    return given | {"workers": cluster(address)}


def _record(result: EncodeResult) -> Record:
    return {
        "path": str(result.path),
        "file_bytes": result.file_bytes,
        "bits_per_pixel": result.bits_per_pixel,
        "crf": result.crf,
        "access": result.access,
        "network": _network(result),
        "quality": asdict(result.quality),
        "seconds": result.seconds,
    }


def _network(result: EncodeResult) -> Record | None:
    network = result.network
    if network is None:
        return None
    from dnerv.families import config_to_json

    return {
        "parameters": network.parameters,
        "model": config_to_json(network.model),
        "weight_bits": network.weight_bits,
        "videos": network.videos,
        "gain": network.gain,
    }


def _tables(record: Record) -> Sequence[Part]:
    facts = [f"{record['path']}: {record['file_bytes']:,} bytes"]
    if record["crf"] is not None:
        facts.append(f"crf {record['crf']:g}, any frame by decoding {count(record['access'], 'coded frame')} at most")
    return [*quality_tables(record["quality"]), ", ".join(facts), *_network_lines(record)]


def _network_lines(record: Record) -> list[str]:
    network = record["network"]
    if network is None:
        return []
    gain = "" if network["gain"] is None else f", {network['gain']:+.2f} dB over the base layer at equal bytes"
    what = f"a network of {network['parameters']:,} parameters"
    if network["model"].get("prior"):
        what = (
            f"a prior, {count(network['parameters'], 'parameter')} added to it," if network["parameters"] else "a prior"
        )
    return [f"{what} for {count(network['videos'], 'video')}{gain}"]


COMMAND = Command(
    "encode",
    """Encode videos into one archive.

    Interrupted, even killed, it goes on when the same command is given again.

    In several processes: torchrun --nproc-per-node N -m dnerv encode ...""",
    (VideosGiven, EncodeOutput, EncodeOptions, RunOptions),
    _run,
    _tables,
)

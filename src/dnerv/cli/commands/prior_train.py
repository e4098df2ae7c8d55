"""`dnerv prior train`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dnerv.cli.command import Command, Record
from dnerv.cli.commands.given import VideosGiven
from dnerv.cli.commands.prior_show import card_tables
from dnerv.encoding.options import RunOptions
from dnerv.encoding.prior_options import PriorOptions
from dnerv.options import REQUIRED, Options, like, option


@dataclass(frozen=True, kw_only=True)
class PriorOutput(Options):
    """What is written."""

    output: Path = option(
        REQUIRED, "The file to write; its name ends in .prior.", short="-o", metavar="FILE", group="Output"
    )
    force: bool = like(RunOptions, "force")
    restart: bool = like(RunOptions, "restart")


def _run(videos: VideosGiven, to: PriorOutput, options: PriorOptions) -> Record:
    from dnerv.encoding.prior_training import train_prior

    prior = train_prior(videos.inputs, to.output, options, force=to.force, restart=to.restart)
    return {"path": str(to.output), "hash": prior.hash, "card": dict(prior.card)}


COMMAND = Command(
    "prior train",
    """Train a network once, for encodings to come.

    It restores the frames of base layers, best of scenes that it knows: `dnerv encode --prior FILE`.
    Interrupted, even killed, it goes on when the same command is given again.""",
    (VideosGiven, PriorOutput, PriorOptions),
    _run,
    card_tables,
)

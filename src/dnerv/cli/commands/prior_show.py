"""`dnerv prior show`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dnerv.cli.command import Command, Record
from dnerv.encoding.options import RunOptions
from dnerv.errors import InputError
from dnerv.options import REQUIRED, Options, like, option
from dnerv.printable import count
from dnerv.tables import Part, table


@dataclass(frozen=True, kw_only=True)
class PriorGiven(Options):
    """What is shown."""

    priors: tuple[str, ...] = option(
        REQUIRED, "Priors that come with dnerv, by name, and .prior files.", flag="NAME|FILE..."
    )
    picture: Path | None = option(
        None, "Draw their gains there, as PNG or SVG.", short="-o", metavar="FILE", group="Output"
    )
    force: bool = like(RunOptions, "force", group="Output")


def _run(given: PriorGiven) -> Record:
    from dnerv.archive.priors import given_prior

    priors = {name: given_prior(name) for name in given.priors}
    if given.picture is not None:
        from dnerv.bitstream import check_target
        from dnerv.report.prior_cards import card_charts
        from dnerv.studies.drawing import check_drawing, draw

        check_drawing(given.picture)
        check_target(given.picture, force=given.force)
        draw(card_charts([prior.card for prior in priors.values()]), given.picture)
    return {"priors": [{"path": name, "hash": prior.hash, "card": dict(prior.card)} for name, prior in priors.items()]}


def _tables(record: Record) -> Sequence[Part]:
    return [part for prior in record["priors"] for part in card_tables(prior)]


def card_tables(record: Record) -> Sequence[Part]:
    """A prior's card, as tables. Raises InputError for one that is none of ours."""
    try:
        return _card_tables(record)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{record['path']}: this dnerv cannot read its card ({error})") from None


def _card_tables(record: Record) -> Sequence[Part]:
    card, trained = record["card"], record["card"]["trained_on"]
    gains = table("held out", ">every", ">crf", ">base, dB", ">gain", ">coded", ">between", ">frames")
    for row in card["gains"]:
        between = "" if row["between"] is None else f"{row['between']:+.3f}"
        gains.add_row(
            row["source"] or "all",
            str(row["distance"]),
            f"{row['crf']:g}",
            f"{row['base']:.2f}",
            f"{row['gain']:+.3f}",
            f"{row['coded']:+.3f}",
            between,
            f"{row['frames']:,}",
        )
    facts = [
        f"{record['path']}: {card['parameters']:,} parameters, {record['hash']}",
        f"trained on {trained['videos']:,} videos of {trained['frames']:,} frames, "
        f"{count(trained['codings'], 'base layer')} of each, for {card['seconds']:,.0f} s, "
        f"{card['frames_seen']:,} frames seen",
        *([f"licence: {trained['licence']}"] if trained["licence"] else []),
    ]
    return [gains, *facts]


COMMAND = Command(
    "prior show",
    "Say what a prior was trained on, and what it gains.",
    (PriorGiven,),
    _run,
    _tables,
)

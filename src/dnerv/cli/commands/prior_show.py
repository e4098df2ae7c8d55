"""`dnerv prior show`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dnerv.cli.command import Command, Record
from dnerv.options import REQUIRED, Options, option
from dnerv.tables import Part, table


@dataclass(frozen=True, kw_only=True)
class PriorGiven(Options):
    """What is shown."""

    prior: str = option(REQUIRED, "A prior that comes with dnerv, by name, or a .prior file.", flag="NAME|FILE")


def _run(given: PriorGiven) -> Record:
    from dnerv.archive.priors import given_prior

    prior = given_prior(given.prior)
    return {"path": given.prior, "hash": prior.hash, "card": dict(prior.card)}


def card_tables(record: Record) -> Sequence[Part]:
    """A prior's card, as tables."""
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
        f"trained on {trained['videos']:,} videos of {trained['frames']:,} frames, {trained['codings']} base layers of "
        f"each, for {card['seconds']:,.0f} s, {card['frames_seen']:,} frames seen",
        *([f"licence: {trained['licence']}"] if trained["licence"] else []),
    ]
    return [gains, *facts]


COMMAND = Command(
    "prior show",
    "Say what a prior was trained on, and what it gains.",
    (PriorGiven,),
    _run,
    card_tables,
)

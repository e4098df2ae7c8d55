"""What held of the paper and what did not: docs/claims.md, made from the records.

    python benchmarks/claims.py [--check]

A claim is judged by differences that speak for it where they are above zero, each with a 95 % interval.
`held`: one at least is surely above zero, and none is surely below. `not held`: the other way round. `undecided`: all
else, what was measured once and what contradicts itself included. Numbers of seeds, videos and steps are the records'.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from math import hypot, sqrt
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from dnerv.studies.convergence import best as best_curve
from dnerv.studies.convergence import gain
from dnerv.studies.paired import paired

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/claims.md"
_FAR = 1.5  # times the rate that was asked for
_WORDS = {1: "**held**", -1: "**not held**", 0: "undecided"}


class Evidence(NamedTuple):
    """A difference that speaks for a claim where it is above zero."""

    words: str  # what it is, where it was measured, how often
    difference: dict[str, Any]  # as `paired` gives it
    unit: str = "dB"

    @property
    def sign(self) -> int:
        """1 or -1 where the interval leaves no doubt, otherwise 0."""
        interval = self.difference["interval"]
        return 0 if interval is None else int(interval[0] > 0) - int(interval[1] < 0)

    def __str__(self) -> str:
        mean, interval = self.difference["mean"], self.difference["interval"]
        if interval is None:
            return f"{self.words}: {mean:+.2f} {self.unit}, measured once"
        return f"{self.words}: {mean:+.2f} {self.unit} ({interval[0]:+.2f} to {interval[1]:+.2f})"


class Claim(NamedTuple):
    """One of the paper's."""

    words: str
    evidence: Callable[[], Iterator[Evidence]]
    caution: str  # what weakens the evidence


def main() -> None:
    """Write the page, or say whether it is the one that the records give."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where the page is another")
    text = page()
    if not parser.parse_args().check:
        PAGE.write_text(text)
    elif PAGE.read_text() != text:
        sys.exit(f"{PAGE.relative_to(ROOT)} is not what the records give: python benchmarks/claims.py")


def page() -> str:
    """docs/claims.md."""
    rows = []
    for claim in CLAIMS:
        found = list(claim.evidence())
        said = "<br>".join(map(str, found))
        rows.append(f"| {claim.words} | {_WORDS[verdict(found)]} | {said} | {claim.caution} |")
    return "\n".join(
        [
            "# What held, what did not",
            "",
            "Claims of the D-NeRV paper, and what is known of each here. Differences speak for it where they are above",
            "zero; in brackets 95 % intervals over seeds, draws or videos, as named. *Held*: surely above zero",
            "somewhere, surely below nowhere; *not held*: the other way round; *undecided*: neither, or measured once.",
            "Made from the records in `docs/records` and `benchmarks/records` by `python benchmarks/claims.py`; their",
            "commands stand in [Results](results.md). `make studies` has the same studies with more seeds and steps.",
            "",
            "| the paper | here | evidence | what weakens it |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def verdict(found: Sequence[Evidence]) -> int:
    """1: held, -1: not held, 0: undecided."""
    signs = {one.sign for one in found}
    return 1 if 1 in signs and -1 not in signs else -1 if -1 in signs and 1 not in signs else 0


@cache
def record(path: str) -> dict[str, Any]:
    """A record below the project's root."""
    found: dict[str, Any] = json.loads((ROOT / path).read_text())
    return found


def diversity() -> Iterator[Evidence]:
    """How much more NeRV loses from the fewest sources to the most than D-NeRV."""
    for name, sources in (("diversity", "surveillance sources"), ("diversity-metaworld", "robot tasks of one camera")):
        rows = record(f"docs/records/{name}.json")["rows"]
        counts = sorted({row["sources"] for row in rows})
        by = {(row["model"], row["sources"]): [seed["psnr"] for seed in row["seeds"]] for row in rows}
        drops = {
            model: [few - many for few, many in zip(by[model, counts[0]], by[model, counts[-1]], strict=True)]
            for model in ("nerv", "dnerv")
        }
        more = [[nerv - dnerv] for nerv, dnerv in zip(drops["nerv"], drops["dnerv"], strict=True)]
        words = f"what NeRV loses more from {counts[0]} to {counts[-1]} {sources}, {len(more)} draws"
        yield Evidence(words, paired(more))


def above_nerv() -> Iterator[Evidence]:
    """D-NeRV less the best NeRV, on an accelerator."""
    rows = (
        record("benchmarks/records/paper_nerv.json")["rows"] + record("benchmarks/records/paper_studies.json")["rows"]
    )
    for corpus in ("demo", "davis"):
        best = {
            kind: max((row for row in rows if (row["corpus"], row["kind"]) == (corpus, kind)), key=lambda r: r["psnr"])
            for kind in ("NeRV", "D-NeRV")
        }
        steps = " and ".join(f"{row['steps']:,}" for row in best.values())
        words = f"{corpus}, NeRV's best and D-NeRV's best after {steps} steps"
        yield Evidence(words, paired([[best["D-NeRV"]["psnr"] - best["NeRV"]["psnr"]]]))
    short, long = (record(f"docs/records/{name}.json") for name in ("convergence", "convergence-nerv"))
    if short["content"]["digest"] != long["content"]["digest"]:
        raise SystemExit("convergence.json and convergence-nerv.json are of different frames")
    ours = [row for row in short["rows"] if row["model"] == "dnerv"]
    theirs = long["rows"]  # given more passes, and asked for more bytes, so that they come to as many
    ends = [best_curve(rows)[-1] for rows in (theirs, ours)]
    passes = " and ".join(f"{end['epochs']:,} passes ({end['bytes']:,} bytes)" for end in ends)
    videos = len(ours[0]["psnrs"])
    yield Evidence(f"{videos} surveillance videos, NeRV's best and D-NeRV's best after {passes}", gain(ours, theirs))


def above_h264() -> Iterator[Evidence]:
    """BD-PSNR of D-NeRV less x264's, both against x265; PSNR at equal bytes, by task."""
    for name in ("demo", "davis"):
        deltas = {row["codec"]: row for row in record(f"docs/records/compare-{name}.json")["deltas"]}
        more = deltas["dnerv"]["psnr"]["value"] - deltas["x264"]["psnr"]["value"]
        yield Evidence(f"{name}, BD-PSNR against x264 veryslow", paired([[more]]))
    rows = record("docs/records/recognition-metaworld.json")["rows"]
    for rate in sorted({row["rate"] for row in rows}):
        ours, theirs = (
            next(row for row in rows if (row["codec"], row["rate"]) == (c, rate)) for c in ("dnerv", "h264")
        )
        tasks: dict[str, list[float]] = {}
        for name, psnr in ours["psnrs"].items():
            tasks.setdefault(name.partition("/")[0], []).append(psnr - theirs["psnrs"][name])
        sizes = " and ".join(f"{row['bytes']:,}" for row in (ours, theirs))
        words = f"{len(tasks)} robot tasks, {sizes} bytes, PSNR less x264 veryslow's, by task"
        yield Evidence(words, paired([[fmean(gains) for gains in tasks.values()]]))


def ablation(better: str, worse: str) -> Callable[[], Iterator[Evidence]]:
    """One network less another, by seed."""

    def evidence() -> Iterator[Evidence]:
        rows = [r for r in record("benchmarks/records/paper_studies.json")["rows"] if r["corpus"] == "demo"]

        def by_seed(kind: str) -> dict[int, float]:
            found = [row for row in rows if row["kind"] == kind and row["pace"] == 1.0]
            rates = [row["learning_rate"] for row in found]
            usual = max(set(rates), key=rates.count)  # others were tried with one seed
            return {row["seed"]: row["psnr"] for row in found if row["learning_rate"] == usual}

        ours, theirs = by_seed(better), by_seed(worse)
        seeds = sorted(ours.keys() & theirs.keys())
        difference = paired([[ours[seed] - theirs[seed]] for seed in seeds])
        steps = next(row["steps"] for row in rows if row["kind"] == better and row["pace"] == 1.0)
        yield Evidence(f"demo, {len(seeds)} seeds, {steps:,} steps", difference)

    return evidence


def joint(model: str) -> Callable[[], Iterator[Evidence]]:
    """One archive of the most videos less one of each, by video where the record has that."""

    def evidence() -> Iterator[Evidence]:
        for name, of in (("joint", "surveillance videos"), ("joint-metaworld-steps", "robot episodes")):
            found = record(f"docs/records/{name}.json")
            rows, options = [row for row in found["rows"] if row["model"] == model], found["options"]
            most = max(row["videos"] for row in rows)
            psnrs = {row["way"]: row.get("psnrs", [row["psnr"]]) for row in rows if row["videos"] == most}
            gains = [ours - theirs for ours, theirs in zip(psnrs["joint"], psnrs["separate"], strict=True)]
            apart = options.get("separate_epochs") or options["epochs"]
            yield Evidence(f"{most} {of}, {options['epochs']} passes together and {apart} apart", paired([gains]))

    return evidence


def recognition(protocol: str) -> Callable[[], Iterator[Evidence]]:
    """D-NeRV's accuracy less H.264's, by seed."""

    def evidence() -> Iterator[Evidence]:
        for name, how in (
            ("recognition", " of surveillance"),
            ("recognition-surveillance", " of surveillance, each tested once"),
            ("recognition-metaworld", " of 50 robot tasks, each tested once"),
        ):
            found = record(f"docs/records/{name}.json")
            tests = found["split"]["test"]
            for rate in sorted({row["rate"] for row in found["rows"]}):
                by = {row["codec"]: row for row in found["rows"] if row["rate"] == rate}
                if by["dnerv"]["bits_per_pixel"] > _FAR * rate:
                    continue  # the rate was not reached
                pairs = zip(by["dnerv"][protocol]["seeds"], by["h264"][protocol]["seeds"], strict=True)
                seeds = [[ours - theirs] for ours, theirs in pairs]
                bits = by["dnerv"]["bits_per_pixel"]
                words = f"{bits:.3f} bits per pixel, {len(seeds)} seeds, {tests} test videos{how}"
                shares = [by[codec][protocol]["top1"] / 100 for codec in ("dnerv", "h264")]
                choice = 1e4 * sum(share * (1 - share) for share in shares) / tests  # were videos not the same
                yield Evidence(words, widened(paired(seeds), choice), "points")

    return evidence


def widened(difference: dict[str, Any], variance: float) -> dict[str, Any]:
    """With a variance that the measurement could not show, added to that of the mean."""
    low, high = difference["interval"]
    half = hypot((high - low) / 2, 1.96 * sqrt(variance))
    return difference | {"interval": [difference["mean"] - half, difference["mean"] + half]}


def inpainting(better: str, worse: str) -> Callable[[], Iterator[Evidence]]:
    """One network less another, by sequence."""

    def evidence() -> Iterator[Evidence]:
        found = record("docs/records/inpainting.json")
        gains = [video["psnr"][better] - video["psnr"][worse] for video in found["videos"]]
        yield Evidence(f"{len(gains)} DAVIS sequences, {found['options']['epochs']} epochs", paired([gains]))

    return evidence


def interpolation() -> Iterator[Evidence]:
    """The network less a blend, by sequence: trained for times in between, and not."""
    for name in ("interpolation", "interpolation-40-epochs-undropped"):
        found = record(f"docs/records/{name}.json")
        gains = [video["psnr"]["network"] - video["psnr"]["blend"] for video in found["videos"]]
        dropped, epochs = found["options"]["keyframe_dropout"], found["options"]["epochs"]
        how = "coded frames left out in training" if dropped else "all coded frames known in training"
        yield Evidence(f"{len(gains)} DAVIS sequences, {epochs} epochs, {how}: network less blend", paired([gains]))


CLAIMS = (
    Claim(
        "Diversity costs NeRV much, D-NeRV little",
        diversity,
        "30 and 40 epochs: NeRV has not levelled off; on surveillance it has 10 % fewer bytes; not the published form",
    ),
    Claim(
        "D-NeRV is above NeRV at equal bytes",
        above_nerv,
        "one seed each; NeRV still gained: .76 dB from 19,808 steps to 45,304 on demo, .44 a doubling on surveillance",
    ),
    Claim(
        "D-NeRV compresses better than H.264",
        above_h264,
        "one seed; demo and davis: three clips each; robot episodes repeat one scene, whose pictures are shared",
    ),
    Claim(
        "Keyframes' features (encoder and fusion) bring decibels",
        ablation("SAF, no GTMLP, no flow", "no fusion, no GTMLP"),
        "small networks",
    ),
    Claim(
        "GTMLP helps where there is fusion", ablation("SAF, GTMLP, no flow", "SAF, no GTMLP, no flow"), "small networks"
    ),
    Claim("GTMLP helps NeRV little or not", ablation("no fusion, no GTMLP", "no fusion, GTMLP"), "small networks"),
    Claim("Flow helps beside GTMLP", ablation("D-NeRV", "SAF, GTMLP, no flow"), "small networks"),
    Claim("Flow at all scales beats one scale", ablation("D-NeRV", "D-NeRV, flow at one scale"), "small networks"),
    Claim("SAF beats concatenation", ablation("D-NeRV", "D-NeRV, concatenation"), "small networks"),
    Claim(
        "One NeRV for all videos beats one for each",
        joint("nerv"),
        "one draw; files apart pay for headers each; equal steps on robot episodes alone",
    ),
    Claim("One D-NeRV for all beats one for each", joint("dnerv"), "the same; smallest networks that leave few bytes"),
    Claim(
        "Actions: trained raw, D-NeRV's frames are recognised better than H.264's",
        recognition("trained_raw_tested_compressed"),
        "D-NeRV with shared pictures; 5 to 40 epochs; intervals as wide as other test videos could make them",
    ),
    Claim(
        "Actions: trained on D-NeRV's frames, raw ones are recognised better than trained on H.264's",
        recognition("trained_compressed_tested_raw"),
        "the same",
    ),
    Claim("Inpainting: D-NeRV is above NeRV", inpainting("dnerv", "nerv"), "a hundredth of the paper's epochs"),
    Claim(
        "Inpainting: one NeRV for all is above one for each",
        inpainting("nerv_joint", "nerv"),
        "a hundredth of the paper's epochs",
    ),
    Claim("Interpolation: D-NeRV makes frames in between", interpolation, "a small network, fast motion"),
)


if __name__ == "__main__":
    main()

"""Which charts show each study's record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dnerv.report.charts import Chart, Lines, Row, Rows, Series
from dnerv.studies.rate_distortion.report import NAMES as CODECS

Record = Mapping[str, Any]
NETWORKS = {"nerv": "NeRV", "dnerv": "D-NeRV"}
_PUBLISHED_TONES = 8  # colours for published curves
_WAYS = {"fill": "fill alone", "nerv": "NeRV, one each", "nerv_joint": "one NeRV for all", "dnerv": "D-NeRV"}
_KINDS = {"archive": "dnerv", "reference": "plain", "loader": "dnerv", "nerv": "nerv"}  # tones of `dnerv bench`


def compare(record: Record) -> list[Chart]:
    """PSNR and, where every codec has it, MS-SSIM against bits per pixel."""
    charts: list[Chart] = [_curves(record, "psnr", "PSNR, dB")]
    if all(p["ms_ssim"] is not None for found in record["codecs"].values() for p in found["points"]):
        charts.append(_curves(record, "ms_ssim", "MS-SSIM"))
    return charts


def _curves(record: Record, key: str, label: str) -> Lines:
    series = []
    for codec, found in record["codecs"].items():
        points = sorted((float(p["bits_per_pixel"]), float(p[key])) for p in found["points"])
        series.append(Series(CODECS[codec], codec, points))
    for place, curve in enumerate((record["published"] or {"curves": []})["curves"]):
        points = sorted((float(p["bpp"]), float(p[key])) for p in curve["points"] if p[key] is not None)
        if points:
            tone = f"published-{place % _PUBLISHED_TONES}"
            series.append(Series(f"{curve['name']} (published)", tone, points, is_dashed=True))
    return Lines(f"{label.split(',')[0]} by rate", "bits per pixel of the whole file", label, series, is_log=True)


def ablation(record: Record) -> list[Chart]:
    """A chart for each group."""
    return [
        Rows(str(group["title"]), "PSNR, dB", [_ablated(row) for row in group["rows"]], is_bars=False)
        for group in record["groups"]
    ]


def _ablated(row: Record) -> Row:
    seeds = [float(s["psnr"] if isinstance(s, Mapping) else s) for s in row["seeds"]]
    tone = "dnerv" if row["name"] in ("D-NeRV", "ours") else "plain"
    return Row(row["name"], float(row["psnr"]), tone, f"{row['psnr']:.2f} dB", singles=seeds if len(seeds) > 1 else ())


def diversity(record: Record) -> list[Chart]:
    """PSNR against the number of sources."""
    series = []
    for model, name in NETWORKS.items():
        rows = [row for row in record["rows"] if row["model"] == model]
        points = [(float(row["sources"]), float(row["psnr"])) for row in rows]
        series.append(Series(name, model, points, [_around(row) for row in rows]))
    return [Lines("PSNR by number of sources", "sources that the clips come from", "PSNR, dB", _drawn(series))]


def _around(row: Record) -> tuple[float, float] | None:
    deviation = row.get("psnr_deviation")
    return None if not deviation else (row["psnr"] - deviation, row["psnr"] + deviation)


def joint(record: Record) -> list[Chart]:
    """PSNR against the number of videos, together and apart."""
    ways = {"joint": "one for all", "separate": "one for each"}
    series = [
        Series(
            f"{name}, {words}",
            model,
            [(float(r["videos"]), float(r["psnr"])) for r in record["rows"] if (r["model"], r["way"]) == (model, way)],
            is_dashed=way == "separate",
        )
        for model, name in NETWORKS.items()
        for way, words in ways.items()
    ]
    return [Lines("PSNR by number of videos", "videos", "PSNR, dB", _drawn(series))]


def recognition(record: Record) -> list[Chart]:
    """Accuracy against bits per pixel, a chart for each protocol; raw video is the level."""
    protocols = {
        "trained_raw_tested_compressed": "Trained on raw, tested on compressed video",
        "trained_compressed_tested_raw": "Trained on compressed, tested on raw video",
    }
    return [
        Lines(
            title,
            "bits per pixel",
            "top-1 accuracy, % (bars: 95 % intervals over seeds)",
            _drawn([_accuracy(record, protocol, codec, name) for codec, name in _CLASSIFIED.items()]),
            level=("raw video", float(record["raw"]["top1"])),
            is_log=True,
        )
        for protocol, title in protocols.items()
    ]


_CLASSIFIED = {"dnerv": "D-NeRV", "nerv": "NeRV", "h264": "H.264"}


def _accuracy(record: Record, protocol: str, codec: str, name: str) -> Series:
    rows = sorted((r for r in record["rows"] if r["codec"] == codec), key=lambda r: float(r["bits_per_pixel"]))
    points = [(float(row["bits_per_pixel"]), float(row[protocol]["top1"])) for row in rows]
    spans = [row[protocol]["interval"] for row in rows]
    return Series(
        name, "x264" if codec == "h264" else codec, points, [None if s is None else (s[0], s[1]) for s in spans]
    )


def bench(record: Record) -> list[Chart]:
    """Frames a second, warm: of each way to load its fastest batch size."""
    best: dict[str, Record] = {}
    for row in record["rows"]:
        if row["name"] not in best or _speed(row)["median"] > _speed(best[row["name"]])["median"]:
            best[row["name"]] = row
    rows = [
        Row(
            f"{row['name']}, batch {row['batch_size']}",
            float(_speed(row)["median"]),
            _KINDS.get(row["kind"], "x264"),
            f"{_speed(row)['median']:,.0f} frames/s",
            interval=(float(_speed(row)["low"]), float(_speed(row)["high"])),
        )
        for row in best.values()
    ]
    return [
        Rows(
            "Loading, warm, at the fastest batch size", "frames per second (line: slowest to fastest round)", rows, True
        )
    ]


def _speed(row: Record) -> Record:
    speed: Record = row["warm"]["frames_per_second"]
    return speed


def inpainting(record: Record) -> list[Chart]:
    """PSNR inside the boxes, by way, with each video's."""
    videos = record["videos"]
    rows = [
        Row(
            name,
            float(record["psnr"][way]),
            {"nerv_joint": "nerv", "fill": "plain"}.get(way, way),
            f"{record['psnr'][way]:.2f} dB",
            singles=[float(video["psnr"][way]) for video in videos] if len(videos) > 1 else (),
        )
        for way, name in _WAYS.items()
    ]
    return [Rows("PSNR inside the boxes", "dB, mean over videos (small dots: each video)", rows, is_bars=False)]


def inpaint(record: Record) -> list[Chart]:
    """PSNR inside, where the truth is known."""
    known = [video for video in record["videos"] if video["psnr_inside"] is not None]
    rows = [Row(v["name"], float(v["psnr_inside"]), "dnerv", f"{v['psnr_inside']:.2f} dB") for v in known]
    return [Rows("PSNR inside the hidden pixels", "dB", rows, is_bars=False)] if rows else []


def interpolation(record: Record) -> list[Chart]:
    """PSNR of the frames held out: the network's and the blend's."""
    names = {"network": ("network", "dnerv"), "blend": ("neighbours, blended", "plain")}
    entries = [*((v["name"], v["psnr"]) for v in record["videos"]), ("all videos", record["psnr"])]
    rows = [
        Row(words, float(psnr[way]), tone, f"{psnr[way]:.2f} dB", heading=name if way == "network" else "")
        for name, psnr in entries
        for way, (words, tone) in names.items()
    ]
    return [Rows("Frames held out of training", "PSNR, dB", rows, is_bars=False)]


def _drawn(series: Sequence[Series]) -> list[Series]:
    """Those that have points."""
    return [one for one in series if one.points]

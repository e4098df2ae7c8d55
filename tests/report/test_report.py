"""`dnerv report`: a page that needs nothing else, and shows what the records and archives hold."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from base64 import b64decode
from fractions import Fraction
from html.parser import HTMLParser
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dnerv.studies.rate_distortion import CompareOptions, compare
from PIL import Image

import dnerv.tables
from dnerv.archive import Archive
from dnerv.encoding import EncodeOptions
from dnerv.errors import InputError, OutputError
from dnerv.progress import Listener, listening
from dnerv.report import Report, ReportOptions, charts_of, write_report
from dnerv.report.charts import Lines, Rows, figure, linear_ticks, log_ticks
from dnerv.report.command import command_of
from dnerv.report.embedding import Embedder
from dnerv.report.flow import flow_to_keyframe, full_colour, middlebury_colours, wheel_picture
from dnerv.report.kinds import KINDS
from dnerv.report.records import StudyRecord
from dnerv.report.table_html import as_html
from dnerv.report.views import middle
from dnerv.studies import archive_points
from dnerv.studies.charts import difference
from dnerv.studies.inpainting import inpainting
from dnerv.studies.recognition import ClassifierOptions, RecognitionOptions
from dnerv.video import RandomBoxes, Timing, cache_video, discover, write_mp4

COMPARED = CompareOptions(rates=(0.3, 0.6), epochs=1, codecs=("dnerv", "nerv"), anchor="nerv", preset="ultrafast")
HIDDEN = EncodeOptions(epochs=1, bits_per_pixel=2.0, clip_length=4, precision="fp32")
SHOWN = ReportOptions(frames=4, videos=1)
VOID = {"meta", "link", "img", "input", "br", "hr"}
AWKWARD = "a<b> & \"c\" 'd'"


class Ear(Listener):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)


class Page(HTMLParser):
    """Well-formed, or an AssertionError; what it refers to, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.data: dict[str, Any] = {}
        self._script = ""
        self.feed(text)
        self.close()
        assert self.open == []
        assert len(set(self.ids)) == len(self.ids)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        known = dict(attributes)
        self._script = known.get("id", "") or "" if known.get("type") == "application/json" else ""
        self.ids += [value for name, value in attributes if name == "id" and value]
        self.references += [value for name, value in attributes if name in ("src", "href", "srcset") and value]

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.references += [value for name, value in attributes if name in ("src", "href") and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._script and self.open[-1] == "script":
            self.data[self._script.removesuffix("-data")] = json.loads(data)
        elif "script" not in self.open and "style" not in self.open:
            self.words.append(data)


def picture(text: str) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(b64decode(text, validate=True))).convert("RGB"))


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "videos"
    folder.mkdir()
    rows, columns = np.mgrid[:48, :64]
    for name, count, speed in ((AWKWARD, 9, 3), ("two", 6, 5)):
        noise = np.random.default_rng(count).normal(0, 6, (count, 48, 64, 3))
        shades = [np.stack([rows * 3, columns * 2, (rows + columns + 9 * i) % 256], axis=-1) for i in range(count)]
        frames = (np.stack(shades) + noise).clip(0, 255).astype(np.uint8)
        for i, frame in enumerate(frames):
            frame[16:32, 4 + speed * i : 20 + speed * i] = 230
        write_mp4(folder / f"{name}.mp4", iter(frames), Timing.constant(Fraction(25), count), crf=4)
    return folder


@pytest.fixture(scope="module")
def compared(videos: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:  # where it is measured is not what is tested here
        patch.setattr(archive_points, "in_fresh_process", lambda advance, function, *a: function(advance, *a))
        compare([videos], videos.parent / "compared", COMPARED)
    return videos.parent / "compared"


@pytest.fixture(scope="module")
def inpainted(videos: Path) -> Path:
    inpainting([videos / "two.mp4"], videos.parent / "inpainted", HIDDEN, RandomBoxes(2, 10))
    return videos.parent / "inpainted"


@pytest.fixture(scope="module")
def made(compared: Path, inpainted: Path) -> tuple[Report, Page]:
    output = compared.parent / "report.html"
    report = write_report([inpainted, compared], output, SHOWN)
    return report, Page(output.read_text())


class TestPage:
    def test_it_is_one_file_without_references(self, made: tuple[Report, Page]) -> None:
        report, page = made
        text = report.path.read_text()
        assert report.file_bytes == report.path.stat().st_size
        assert report.studies == ("compare", "inpainting")
        assert report.clips == 2
        assert all(reference.startswith(("#", "data:")) for reference in page.references)
        assert not re.search(r"https?:|url\(|@import", text)
        assert not list(report.path.parent.glob("*.work"))

    def test_figures_are_the_records(self, made: tuple[Report, Page], compared: Path, inpainted: Path) -> None:
        words = " ".join(made[1].words)
        record = json.loads((compared / "results.json").read_text())
        for found in record["codecs"].values():
            for point in found["points"]:
                for text in (f"{point['bytes']:,}", f"{point['bits_per_pixel']:.4f}", f"{point['psnr']:.2f}"):
                    assert text in words
        for value in json.loads((inpainted / "results.json").read_text())["psnr"].values():
            assert f"{value:.2f} dB" in words
        assert "dnerv compare VIDEOS" in words
        assert "--codecs dnerv,nerv --anchor nerv --preset ultrafast" in words
        assert "--seed" not in words  # a default
        assert "dnerv study inpainting VIDEOS" in words
        assert "--bpp 2 --epochs 1 --clip-length 4 --precision fp32 --boxes 2 --box-size 10" in words

    def test_names_are_escaped(self, made: tuple[Report, Page]) -> None:
        text = made[0].path.read_text()
        assert AWKWARD in " ".join(made[1].words)
        assert "<b>" not in text
        assert made[1].data["clip-0-0"]["name"] == AWKWARD

    def test_pictures_are_the_decoded_frames(self, made: tuple[Report, Page], compared: Path, videos: Path) -> None:
        clip = made[1].data["clip-0-0"]
        views = {view["key"]: view for view in clip["views"]}
        assert list(views) == ["original", "h264", "nerv", "dnerv", "flow"] + [
            f"difference-{codec}" for codec in ("h264", "nerv", "dnerv")
        ]
        assert (clip["first"], clip["count"], clip["total"]) == (2, 4, 9)
        record = json.loads((compared / "results.json").read_text())
        point = record["codecs"]["dnerv"]["points"][0]  # the middle rate
        original = cache_video(discover([videos])[0], compared / "frames").store.read(range(2, 6))
        with Archive(compared / "points" / point["files"][0]["path"], size="coded") as archive:
            decoded = archive[AWKWARD][2:6].permute(0, 2, 3, 1).numpy()
        for i in range(4):
            for key, wanted, error in (("original", original[i], 3), ("dnerv", decoded[i], 3)):
                assert np.abs(picture(views[key]["images"][i]).astype(float) - wanted).mean() < error
            shown = picture(views["difference-dnerv"]["images"][i]).astype(float)
            assert np.abs(shown - difference(original[i], decoded[i])).mean() < 12
            mse = np.square(original[i].astype(float) - decoded[i]).mean()
            assert views["dnerv"]["figures"][i] == f"{10 * np.log10(255**2 / mse):.2f} dB"
        assert views["flow"]["wheel"]
        assert "where each pixel" in views["flow"]["note"]

    def test_h264_has_the_archives_bytes(self, made: tuple[Report, Page], compared: Path) -> None:
        words = " ".join(made[1].words)
        target = json.loads((compared / "results.json").read_text())["codecs"]["dnerv"]["points"][0]["bytes"]
        found = re.search(r"bytes of all 2 videos\s+15\s+([\d,]+)\s+[\d,]+\s+([\d,]+)", words)
        assert found is not None
        h264, dnerv = (int(text.replace(",", "")) for text in found.groups())
        assert dnerv == target
        assert 0.8 < h264 / target < 1.1  # short streams have coarse steps

    def test_inpainted_pixels_lie_in_their_masks(self, made: tuple[Report, Page], inpainted: Path) -> None:
        clip = made[1].data["clip-1-0"]
        views = {view["key"]: view for view in clip["views"]}
        assert list(views) == ["original", "hidden", "fill", "nerv", "nerv_joint", "dnerv"]
        assert {view["under"] for view in clip["views"]} == {None, "original"}
        video = cache_video(discover([inpainted / "originals"])[0], inpainted / "frames")
        hidden = list(RandomBoxes(2, 10).of(video))[1:5]
        with Archive(inpainted / "dnerv.dnerv", size="coded") as archive:
            decoded = archive["two"][1:5].permute(0, 2, 3, 1).numpy()
        for i, mask in enumerate(hidden):
            alpha = np.asarray(Image.open(BytesIO(b64decode(clip["masks"][i]))))[..., 1]
            assert np.array_equal(alpha, mask * np.uint8(255))
            error = np.abs(picture(views["dnerv"]["images"][i]).astype(float) - decoded[i])
            assert error[mask].mean() < 4

    def test_the_same_input_gives_the_same_page(self, inpainted: Path, compared: Path, tmp_path: Path) -> None:
        pages = []
        for name in ("one.html", "two.html"):
            paths = [compared / "results.json", inpainted]
            write_report(paths, tmp_path / name, ReportOptions(frames=2))
            pages.append((tmp_path / name).read_bytes())
        assert pages[0] == pages[1]
        assert "given without its folder" in pages[0].decode()

    def test_no_videos_where_none_are_wanted(self, compared: Path, tmp_path: Path) -> None:
        report = write_report([compared], tmp_path / "r.html", ReportOptions(videos=0))
        assert report.clips == 0
        assert Page(report.path.read_text()).data == {}


class Browser:
    """Chromium, told what to do over two pipes: the DevTools protocol, messages that end with a zero byte."""

    def __init__(self, program: str, profile: Path) -> None:
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        options = "--headless=new --no-sandbox --disable-gpu --remote-debugging-pipe --window-size=600,4000"
        command = [program, *options.split(), f"--user-data-dir={profile}", "about:blank"]
        quiet = subprocess.DEVNULL

        def connect() -> None:  # it reads from 3 and writes to 4
            os.dup2(theirs_in, 3)
            os.dup2(theirs_out, 4)

        self.process = subprocess.Popen(command, close_fds=False, preexec_fn=connect, stdout=quiet, stderr=quiet)
        os.close(theirs_in)
        os.close(theirs_out)
        self.reading, self.writing = os.fdopen(ours_in, "rb"), os.fdopen(ours_out, "wb")
        self.events: list[dict[str, Any]] = []
        self.session: dict[str, str] = {}
        targets = self("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self.session = {"sessionId": self("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]}

    def __call__(self, method: str, **params: Any) -> dict[str, Any]:
        message = {"id": 1 + len(self.events), "method": method, "params": params, **self.session}
        self.writing.write(json.dumps(message).encode() + b"\0")
        self.writing.flush()
        while True:
            text = b""
            while (byte := self.reading.read(1)) != b"\0":
                assert byte, "the browser has ended"
                text += byte
            answer: dict[str, Any] = json.loads(text)
            self.events.append(answer)
            if answer.get("id") == message["id"]:
                result: dict[str, Any] = answer["result"]
                return result

    def value(self, expression: str) -> Any:
        """What a JavaScript expression, or its promise, gives; None for what JSON has no word for."""
        return self("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)["result"].get(
            "value"
        )

    def press(self, key: str) -> None:
        """Press a key and let go."""
        text = {"text": key} if len(key) == 1 else {}
        code = {"ArrowRight": 39, "End": 35, "Tab": 9}.get(key, ord(key[0]))
        for kind in ("keyDown", "keyUp"):
            self("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text)
            text = {}

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.reading.close()
        self.writing.close()


def test_a_browser_plays_it_without_complaint(made: tuple[Report, Page], tmp_path: Path) -> None:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on this machine: the page is checked without a browser only")
    browser = Browser(program, tmp_path)
    try:
        for domain in ("Page", "Runtime", "Log", "Network"):
            browser(f"{domain}.enable")
        browser("Page.navigate", url=made[0].path.as_uri())
        canvas = "document.querySelector('.player canvas')"
        wait = "await new Promise((r) => setTimeout(r, 20))"
        until = f"(async () => {{ while ({canvas}?.dataset.frame !== '%s') {wait} }})()"
        browser.value(f"{until % 0}.then(() => {canvas}.focus())")
        browser.press(".")
        browser.press(".")
        browser.value(f"{until % 2}.then(() => 1)")
        assert browser.value("document.querySelector('.number').textContent") == "frame 4 of 9"
        browser.press("ArrowRight")
        assert browser.value("document.querySelector('.wipe').getAttribute('aria-valuenow')") == "52"
        browser.press("Tab")
        browser.press("End")
        assert browser.value("document.querySelector('.wipe').getAttribute('aria-valuenow')") == "100"
        browser.press("+")
        assert browser.value("document.querySelector('.scale').textContent") == "1.5×"
        clip = made[1].data["clip-0-0"]
        shown = browser.value("[...document.querySelectorAll('.score')].slice(0, 2).map((e) => e.textContent)")
        assert shown == [clip["views"][place]["figures"][2] for place in (1, 3)]
        assert browser.value("document.documentElement.scrollWidth <= innerWidth")
    finally:
        browser.close()
    loud = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
    assert [event for event in browser.events if event.get("method") in loud] == []
    asked = [e["params"]["request"]["url"] for e in browser.events if e.get("method") == "Network.requestWillBeSent"]
    assert all(url.startswith(("file:", "data:")) for url in asked)


class TestRefusals:
    def test_paths_that_hold_no_record(self, compared: Path, tmp_path: Path) -> None:
        def refused(text: str, match: str) -> None:
            (tmp_path / "r.json").write_text(text)
            with pytest.raises(InputError, match=match):
                write_report([tmp_path / "r.json"], tmp_path / "r.html", SHOWN)
            assert not (tmp_path / "r.html").exists()

        refused('{"study": "compare"', "not whole JSON")
        refused("[1]", "no study's record")
        refused('{"psnr": 1}', "no study's record")
        refused('{"study": "astrology"}', "'astrology'.*compare")
        refused('{"study": ["compare"]}', r"\['compare'\]")
        refused('{"study": "interpolation", "videos": []}', r"r.json: is no whole record.*psnr")
        with pytest.raises(InputError, match="no such file"):
            write_report([tmp_path], tmp_path / "r.html", SHOWN)

    def test_records_that_contradict(self, compared: Path, tmp_path: Path) -> None:
        record = json.loads((compared / "results.json").read_text())
        (tmp_path / "same.json").write_text(json.dumps(record))
        once = write_report([tmp_path / "same.json"] * 2, tmp_path / "r.html", ReportOptions(videos=0))
        assert once.studies == ("compare",)
        record["codecs"]["dnerv"]["points"][0]["psnr"] += 1
        (tmp_path / "other.json").write_text(json.dumps(record))
        with pytest.raises(InputError, match=r"same.json and .*other.json are the same study"):
            write_report([tmp_path / "same.json", tmp_path / "other.json"], tmp_path / "x.html", SHOWN)

    def test_rates_and_frames_that_are_not_there(self, compared: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"--rate is 0.1; .* has 0.3, 0.6"):
            write_report([compared], tmp_path / "r.html", ReportOptions(rate=0.1))
        shutil.copytree(compared, tmp_path / "c")
        store = next((tmp_path / "c" / "frames").glob("*.rgb"))
        content = bytearray(store.read_bytes())
        content[0] ^= 1
        store.write_bytes(content)
        with pytest.raises(InputError, match="other frames"):
            write_report([tmp_path / "c"], tmp_path / "r.html", SHOWN)
        shutil.rmtree(tmp_path / "c" / "frames")
        with pytest.raises(InputError, match="has no frames of"):
            write_report([tmp_path / "c"], tmp_path / "r.html", SHOWN)

    def test_an_existing_page_is_kept(self, compared: Path, tmp_path: Path) -> None:
        (tmp_path / "r.html").write_text("mine")
        with pytest.raises(OutputError, match="--force"):
            write_report([compared], tmp_path / "r.html", SHOWN)
        write_report([compared], tmp_path / "r.html", ReportOptions(videos=0), force=True)
        assert (tmp_path / "r.html").read_text() != "mine"

    @pytest.mark.parametrize("options", [{"frames": 0}, {"videos": -1}, {"rate": 0.0}])
    def test_options_out_of_range(self, options: dict[str, Any]) -> None:
        with pytest.raises(InputError, match="--"):
            ReportOptions(**options)


def test_a_large_page_is_said(compared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dnerv.report import report

    monkeypatch.setattr(report, "LARGE", 1000)
    ear = Ear()
    with listening(ear):
        write_report([compared], tmp_path / "r.html", ReportOptions(videos=0))
    assert "--frames" in ear.warnings[0]


def test_assets_are_in_the_package() -> None:
    folder = files("dnerv.report")
    assert all((folder / name).is_file() for name in ("page.html", "page.css", "player.js"))
    declared = Path("pyproject.toml").read_text()
    assert all(f'"report/{name}"' in declared for name in ("page.html", "page.css", "player.js"))


class TestTables:
    def test_cells_sections_and_markup(self) -> None:
        table = dnerv.tables.table("name", ">dB")
        table.add_row("[bold]<one>", "1.00")
        table.add_section()
        table.add_row("two", "2.00")
        text = as_html([table, "", "a & b"], "x")
        Page(f"<main>{text}</main>")
        assert '<th scope="row" class="left">[bold]&lt;one&gt;</th><td class="right">1.00</td>' in text
        assert text.index('class="section"') > text.index("1.00")
        assert text.endswith("<p>a &amp; b</p>")


class TestCharts:
    def test_ticks(self) -> None:
        assert linear_ticks(0, 10) == [0, 2, 4, 6, 8, 10]
        assert linear_ticks(3, 3)[0] <= 3 <= linear_ticks(3, 3)[-1]
        assert log_ticks(0.01, 0.1) == pytest.approx([0.01, 0.02, 0.05, 0.1])
        assert log_ticks(0.03, 0.04) == pytest.approx([0.02, 0.05])

    def drawn(self, charts: Any) -> str:
        text = "".join(figure(chart, f"c{i}") for i, chart in enumerate(charts))
        Page(f"<main>{text}</main>")
        assert text.count("<title id") == text.count("<desc id") == len(charts)
        return text

    def test_published_points_are_marked(self, compared: Path) -> None:
        record = json.loads((compared / "results.json").read_text())
        points = [{"bpp": 0.3, "psnr": 20.5, "ms_ssim": None}, {"bpp": 0.6, "psnr": 25.5, "ms_ssim": None}]
        record["published"] = {"curves": [{"name": "C3 & co", "points": points}]}
        (chart,) = charts_of.compare(record)
        assert isinstance(chart, Lines)
        text = self.drawn([chart])
        assert "C3 &amp; co (published)" in text
        assert "dashed" in text
        assert "25.5 at 0.6" in text

    def test_ablation(self) -> None:
        rows = [
            {"name": "NeRV", "psnr": 27.1234, "seeds": [{"psnr": 27.0}, {"psnr": 27.2}]},
            {"name": "D-NeRV", "psnr": 31.5, "seeds": [{"psnr": 31.5}]},
        ]
        (chart,) = charts_of.ablation({"groups": [{"title": "Parts <all>", "rows": rows}]})
        assert isinstance(chart, Rows)
        text = self.drawn([chart])
        assert "27.12 dB" in text
        assert "Parts &lt;all&gt;" in text
        assert text.count('class="single"') == 2

    def test_recognition(self) -> None:
        def found(top1: float, interval: list[float] | None) -> dict[str, Any]:
            return {"top1": top1, "interval": interval, "seeds": [top1]}

        rows = [
            {"codec": codec, "bits_per_pixel": rate, "bytes": 1, "psnr": 30.0}
            | {"trained_raw_tested_compressed": found(60.0 + i, [58.0, 66.0])}
            | {"trained_compressed_tested_raw": found(70.0 + i, None)}
            for i, codec in enumerate(("h264", "nerv", "dnerv"))
            for rate in (0.02, 0.05)
        ]
        charts = charts_of.recognition({"raw": found(80.0, None), "rows": rows})
        text = self.drawn(charts)
        assert len(charts) == 2
        assert text.count('class="whisker"') == 6
        assert text.count("raw video: 80") == 2

    def test_diversity_and_joint(self) -> None:
        rows = [
            {"model": m, "sources": n, "psnr": 30.0 - n / 10, "psnr_deviation": d}
            for m in ("nerv", "dnerv")
            for n, d in ((4, 0.5), (12, None))
        ]
        assert self.drawn(charts_of.diversity({"rows": rows})).count('class="whisker"') == 2
        rows = [
            {"model": m, "videos": n, "way": way, "bytes": 1, "psnr": 30.0 + n}
            for m in ("nerv", "dnerv")
            for n in (1, 2)
            for way in ("joint", "separate")
        ]
        text = self.drawn(charts_of.joint({"rows": rows}))
        assert "D-NeRV, one for each" in text

    def test_bench_shows_the_fastest_batch(self) -> None:
        def row(name: str, batch: int, speed: float) -> dict[str, Any]:
            frames = {"median": speed, "low": speed - 1, "high": speed + 1}
            return {"name": name, "kind": "archive", "batch_size": batch, "warm": {"frames_per_second": frames}}

        (chart,) = charts_of.bench({"rows": [row("fp32", 1, 100), row("fp32", 8, 1234.4), row("bf16", 1, 50)]})
        text = self.drawn([chart])
        assert "fp32, batch 8" in text
        assert "1,234 frames/s" in text
        assert "batch 1<" in text

    def test_inpaint_without_truth_has_no_chart(self) -> None:
        assert charts_of.inpaint({"videos": [{"name": "a", "psnr_inside": None}]}) == []


class TestFlow:
    def test_colours_of_directions(self) -> None:
        flow = np.array([[[0, 0], [4, 0], [0, 4], [-4, 0], [0, -4], [2, 0], [9, 0]]], np.float32)
        rest, right, down, left, up, half, far = middlebury_colours(flow, 4.0)[0].astype(int)
        assert rest.tolist() == [255, 255, 255]
        assert right[0] == 255
        assert max(right[1:]) < 60  # red
        assert min(down[:2]) > 200
        assert down[2] == 0  # yellow
        assert left[0] == 0
        assert left[2] == 255  # cyan to blue
        assert up[2] > 200
        assert up[1] == 0  # violet
        assert half[0] == 255
        assert 100 < half[1] < 200
        assert far[0] < right[0]
        wheel = wheel_picture(33)
        assert wheel[0, 0, 3] == 0
        assert wheel[16, 16].tolist()[:2] == [255, 255]

    def test_full_colour(self) -> None:
        flow = np.zeros((1, 10, 10, 2), np.float32)
        assert full_colour(flow) == 0.2
        flow[..., 0] = 3
        assert full_colour(flow) == pytest.approx(3)

    def test_flow_is_that_of_the_frames_asked_for(self, compared: Path) -> None:
        path = next((compared / "points").glob("dnerv-0.6*.dnerv"))
        with Archive(path, size="coded") as archive:
            whole = flow_to_keyframe(archive, AWKWARD, 0, 9)
            part = flow_to_keyframe(archive, AWKWARD, 7, 2)
        assert whole is not None
        assert part is not None
        assert whole.shape == (9, 48, 64, 2)
        assert np.abs(whole).max() > 0
        assert np.array_equal(whole[7:], part)

    def test_a_nerv_has_none(self, compared: Path) -> None:
        with Archive(next((compared / "points").glob("nerv-0.6*.dnerv"))) as archive:
            assert flow_to_keyframe(archive, AWKWARD, 0, 2) is None


def test_embedding_says_how_close_it_is() -> None:
    rows, columns = np.mgrid[:64, :64]
    frame = np.stack([rows * 2, columns * 2, rows + columns], axis=-1).astype(np.uint8)
    embed = Embedder()
    stored = picture(embed.embed(frame))
    mse = np.square(frame.astype(float) - stored).mean()
    assert embed.errors == [pytest.approx(10 * np.log10(255**2 / mse))]
    assert embed.errors[0] > 40
    embed.embed(frame, np.zeros((64, 64), bool))
    assert embed.errors[1] == 100


def test_the_middle_of_a_video() -> None:
    assert middle(1, 32) == range(1)
    assert middle(10, 4) == range(3, 7)
    assert middle(5, 5) == range(5)


def test_every_study_has_a_place() -> None:
    names = "compare ablation diversity joint recognition bench inpainting inpaint interpolation"
    assert list(KINDS) == names.split()


@pytest.mark.parametrize(
    ("study", "options", "words"),
    [
        ("recognition", RecognitionOptions(), ""),
        (
            "recognition",
            RecognitionOptions(epochs=7, classifier=ClassifierOptions(epochs=3)),
            "--epochs 7 --classifier-epochs 3",
        ),
        ("recognition", RecognitionOptions(classifier=ClassifierOptions(flip=False, crop=64)), "--crop 64 --no-flip"),
        ("compare", CompareOptions(measures=("vmaf", "perceptual")), "--vmaf --perceptual"),
    ],
)
def test_commands_have_the_flags_of_the_command_line(study: str, options: Any, words: str) -> None:
    record = {"options": json.loads(json.dumps(options.to_json())), "output": "out"}
    command = command_of(StudyRecord(KINDS[study], record, Path("results.json"), None, {}, "2026-11-23"))
    assert command == f"dnerv {KINDS[study].command} -o out {words}".strip()

"""`dnerv report`: a page that needs nothing else, and shows what records and folders hold."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from base64 import b64decode
from html.parser import HTMLParser
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dnerv.errors import InputError, OutputError
from dnerv.progress import Listener, listening
from dnerv.report import Report, ReportOptions, write_report

RECORDS = sorted(Path("docs/records").glob("*.json"))
VOID = {"meta", "link", "img", "input", "br", "hr"}
AWKWARD = "a<b> & \"c\" 'd'"


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
    return np.asarray(Image.open(BytesIO(b64decode(text, validate=True))).convert("RGBA")).astype(int)


@pytest.fixture(scope="module")
def page(report: Report) -> Page:
    return Page(report.path.read_text())


class TestPage:
    def test_it_is_one_file_without_references(self, report: Report, page: Page) -> None:
        text = report.path.read_text()
        assert report.file_bytes == report.path.stat().st_size
        assert (report.studies, report.clips) == (("shades",), 1)
        assert all(reference.startswith(("#", "data:")) for reference in page.references)
        assert not re.search(r"""(src|href)="https?:|url\((?!#)|@import""", text)

    def test_command_charts_tables_and_pictures_are_the_studys(self, page: Page, folder: Path) -> None:
        words = " ".join(page.words)
        record = json.loads((folder / "results.json").read_text())
        assert record["command"] in words
        for text in ("20.50", "41.00", "that is all", "How grey is it & why?", "Level <all>"):
            assert text in words
        assert words.count(AWKWARD) >= 3 + 1 + 3  # in the table, one chart and the other
        sheets = [reference for reference in page.references if reference.startswith("data:image/avif")]
        assert len(sheets) == 1  # the picture; charts are drawn in the page

    def test_names_are_escaped(self, report: Report, page: Page) -> None:
        assert "<b>" not in report.path.read_text()
        assert page.data["clip-0-0"]["name"] == AWKWARD

    def test_a_player_has_the_views(self, page: Page, patched: Any) -> None:
        pictures, hidden = patched
        clip = page.data["clip-0-0"]
        assert (clip["first"], clip["count"], clip["total"], clip["left"], clip["right"]) == (2, 4, 9, 1, 2)
        assert [view["label"] for view in clip["views"]] == ["original", "darker", "patch", "map"]
        assert clip["views"][1]["figures"] == ["0.00 dB", "1.00 dB", "2.00 dB", "3.00 dB"]
        for view, brighter in ((0, 0), (1, -40), (2, 60), (3, 9)):
            for i, wanted in enumerate(pictures(4, brighter)):
                made = picture(clip["views"][view]["images"][i])
                assert np.abs(made[hidden][:, :3] - wanted[hidden]).mean() < 6
        clear = picture(clip["views"][2]["images"][0])[..., 3]
        assert (clear[~hidden] < 5).all()

    def test_the_same_input_gives_the_same_page(self, folder: Path, tmp_path: Path) -> None:
        for name in ("one.html", "two.html"):
            write_report([folder], tmp_path / name, ReportOptions(frames=2))
        assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()

    def test_a_record_alone_and_no_videos(self, folder: Path, tmp_path: Path) -> None:
        alone = write_report([folder / "results.json"], tmp_path / "alone.html", ReportOptions())
        none = write_report([folder], tmp_path / "none.html", ReportOptions(videos=0))
        assert (alone.clips, none.clips) == (0, 0)
        assert Page(none.path.read_text()).data == {}
        assert "class Player" not in none.path.read_text()


@pytest.mark.skipif(not RECORDS, reason="only a source tree has them")
def test_the_records_of_the_documentation(tmp_path: Path) -> None:
    report = write_report(RECORDS, tmp_path / "r.html", ReportOptions())
    assert len(report.studies) == len(RECORDS) == 35
    words = " ".join(Page(report.path.read_text()).words)
    results = " ".join(Path("docs/results.md").read_text().split())
    for path in RECORDS:
        record = json.loads(path.read_text())
        assert record["command"] in words
        assert f"`{record['command']}`" in results  # as the page of results gives it
        assert record["commit"][:7] in results


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


def test_a_browser_plays_it_without_complaint(report: Report, tmp_path: Path) -> None:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on this machine: the page is checked without a browser only")
    browser = Browser(program, tmp_path)
    try:
        for domain in ("Page", "Runtime", "Log", "Network"):
            browser(f"{domain}.enable")
        browser("Page.navigate", url=report.path.as_uri())
        root, wait = "document.querySelector('.player')", "await new Promise((r) => setTimeout(r, 20))"
        until = f"(async () => {{ while ({root}?.dataset.frame !== '%s') {wait} }})()"
        browser.value(f"{until % 0}.then(() => {root}.querySelector('.wipe').focus())")
        browser.press(".")
        browser.press(".")
        browser.value(until % 2)
        assert browser.value("document.querySelector('.number').textContent") == "frame 4 of 9"
        assert browser.value("document.querySelector('.score').textContent") == "2.00 dB"
        share = "document.querySelector('.wipe').getAttribute('aria-valuenow')"
        browser.press("ArrowRight")
        assert browser.value(share) == "52"
        browser.press("End")
        assert browser.value(share) == "100"
        # The right side is the patch on the original.
        row = "document.querySelectorAll('.player canvas')[1].getContext('2d').getImageData(0, 20, 64, 1).data"
        colours = np.reshape(browser.value(f"[...{row}]"), (64, 4))
        assert np.abs(colours[5] - [100, 85, 108, 255]).max() < 8
        assert np.abs(colours[30] - [160, 170, 168, 255]).max() < 8
        choose = "(() => { const c = document.querySelector('.choice'); c.value = 3; "
        browser.value(choose + "c.dispatchEvent(new Event('change')) })()")
        browser.value(
            f"(async () => {{ while (!{root}.querySelector('.notes').textContent.startsWith('map')) {wait} }})()"
        )
        browser.press(" ")
        browser.value(until % 0)  # it goes round
        assert browser.value("document.documentElement.scrollWidth <= innerWidth")
    finally:
        browser.close()
    loud = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
    assert [event for event in browser.events if event.get("method") in loud] == []
    asked = [e["params"]["request"]["url"] for e in browser.events if e.get("method") == "Network.requestWillBeSent"]
    assert all(url.startswith(("file:", "data:")) for url in asked)


class TestRefusals:
    def test_a_record_that_lacks_what_its_study_writes(self, folder: Path, tmp_path: Path) -> None:
        record = json.loads((folder / "results.json").read_text())
        del record["rows"]
        (tmp_path / "r.json").write_text(json.dumps(record))
        with pytest.raises(InputError, match=r"r.json: is no whole record of the study 'shades'.*rows"):
            write_report([tmp_path / "r.json"], tmp_path / "r.html", ReportOptions())
        assert not (tmp_path / "r.html").exists()

    def test_an_existing_page_is_kept_and_a_record_always(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "r.html").write_text("mine")
        with pytest.raises(OutputError, match="--force"):
            write_report([folder], tmp_path / "r.html", ReportOptions())
        write_report([folder], tmp_path / "r.html", ReportOptions(videos=0), force=True)
        assert (tmp_path / "r.html").read_text() != "mine"
        with pytest.raises(OutputError, match="one of the records"):
            write_report([folder], folder / "results.json", ReportOptions(), force=True)

    @pytest.mark.parametrize("options", [{"frames": 0}, {"videos": -1}, {"rate": 0.0}])
    def test_options_out_of_range(self, options: dict[str, Any]) -> None:
        with pytest.raises(InputError, match="--"):
            ReportOptions(**options)


def test_a_large_page_is_said(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ear(Listener):
        warnings: list[str] = []  # noqa: RUF012

        def warning(self, text: str) -> None:
            self.warnings.append(text)

    monkeypatch.setattr("dnerv.report.report.LARGE", 1000)
    with listening(Ear()):
        write_report([folder], tmp_path / "r.html", ReportOptions(videos=0))
    assert "--frames" in Ear.warnings[0]


def test_assets_are_in_the_package() -> None:
    folder = files("dnerv.report")
    assert all((folder / name).is_file() for name in ("page.html", "page.css", "player.js"))
    declared = Path("pyproject.toml").read_text()
    assert all(f'"report/{name}"' in declared for name in ("page.html", "page.css", "player.js"))

"""What people are shown."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from rich.console import Console

from dnerv import terminal
from dnerv.errors import InputError
from dnerv.progress import TrainingProgress
from dnerv.tables import Part, table

ESCAPE = "evil\x1b[31m\u202ename"
ESCAPED = r"evil\x1b[31m\u202ename"


def progress(epoch: int, epochs: int | None = None) -> TrainingProgress:
    return TrainingProgress(0.5, epoch, 10 * epoch, 30.125, 81.4, 65.2, epochs)


class OnALog(terminal.Display):
    """A display that is no terminal, and what it wrote."""

    def __init__(self) -> None:
        super().__init__()
        self._console = Console(file=io.StringIO(), width=80, markup=False, highlight=False)

    @property
    def lines(self) -> list[str]:
        assert isinstance(self._console.file, io.StringIO)
        return self._console.file.getvalue().splitlines()


class OnATerminal(terminal.Display):
    """A display on a terminal that keeps what it was sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent = io.StringIO()
        console = Console(file=self.sent, width=80, force_terminal=True, markup=False, highlight=False)
        monkeypatch.setattr(terminal, "_console", lambda *, stderr: console)
        super().__init__()


def printed(parts: list[Part], capsys: pytest.CaptureFixture[str]) -> list[str]:
    terminal.print_parts(parts)
    return capsys.readouterr().out.splitlines()


def test_json_is_the_record_itself(capsys: pytest.CaptureFixture[str]) -> None:
    record = {"name": ESCAPE, "psnr": 30.125}
    terminal.print_json(record)
    assert json.loads(capsys.readouterr().out) == record


def test_tables_have_sections_and_columns_of_figures(capsys: pytest.CaptureFixture[str]) -> None:
    made = table("name", ">dB")
    made.add_row("[bold]one", "30.12")
    made.add_section()
    made.add_row("all")
    lines = printed([made], capsys)
    assert [line.rstrip() for line in lines] == ["name          dB", "[bold]one  30.12", "all"]


def test_names_are_broken_and_never_cut(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    made = table("video", ">frames")
    made.add_row("x" * 70, "123456")
    lines = printed([made], capsys)
    assert "".join(lines).count("x") == 70
    assert "123456" in lines[1]
    assert max(map(len, lines)) <= 40


def test_paths_are_not_broken_and_prose_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    path = "/" + "long-folder/" * 9 + "file.dnerv"
    lines = printed([f"{path}: these words are more than fit on a line of forty"], capsys)
    assert lines[0] == f"{path}:"
    assert len(lines) > 2
    assert all(len(line) <= 40 for line in lines[1:])


def test_other_peoples_names_do_nothing_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    made = table(ESCAPE, ">dB")
    made.add_row(ESCAPE, ESCAPE)
    text = "\n".join(printed([made, ESCAPE], capsys))
    assert text.count(ESCAPED) == 4
    assert "\x1b" not in text


def test_progress_on_a_log_is_escaped() -> None:
    with OnALog() as display:
        display.stage(ESCAPE)
        display.stage(ESCAPE, 3)
        display.note(ESCAPE)
        display.warning(ESCAPE)
    wanted = [f"{ESCAPED} ...", f"{ESCAPED} (3) ...", ESCAPED, f"warning: {ESCAPED}"]
    assert display.lines == wanted


def test_progress_on_a_terminal_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    with OnATerminal(monkeypatch) as display:
        display.stage(ESCAPE, 3)
        display.advance(3)
        display.note(ESCAPE)
        display.warning(ESCAPE)
        display.training(progress(0))
    text = display.sent.getvalue()
    assert "evil\x1b[31m" not in text
    assert "\u202e" not in text
    assert ESCAPED in text


def test_a_log_gets_a_line_for_fewer_and_fewer_epochs() -> None:
    with OnALog() as display:
        for epoch in range(300):
            display.training(progress(epoch))
            display.training(progress(epoch))
    assert [int(line.split()[2]) for line in display.lines] == [1, 2, 3, 5, 9, 17, 33, 65, 129, 229]
    assert display.lines[0] == "training: epoch 1  30.12 dB  81 frames/s  1:05 left"


def test_another_training_starts_its_lines_anew() -> None:
    with OnALog() as display:
        for _ in range(2):
            display.stage("training")
            for epoch in range(3):
                display.training(progress(epoch, epochs=3))
    assert [line.split("  ")[0] for line in display.lines if "epoch" in line] == [
        "training: epoch 1 of 3",
        "training: epoch 2 of 3",
        "training: epoch 3 of 3",
    ] * 2


def test_curves_are_drawn_only_where_a_folder_is_given(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    for folder in (None, tmp_path / "curves"):
        with terminal.Curves(folder) as curves:
            curves.training(progress(1))
    assert [path.name for path in tmp_path.iterdir()] == ["curves"]
    assert any(path.name.startswith("events") for path in (tmp_path / "curves").iterdir())


def test_tensorboard_that_is_not_installed_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"dnerv\[tensorboard\]"):
        terminal.Curves(tmp_path / "curves")

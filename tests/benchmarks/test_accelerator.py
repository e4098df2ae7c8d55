"""The script for lent accelerators, on a processor: it must run to its end, and find no difference there."""

import importlib.util
import json
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import accelerator
import pytest

from dnerv.video import Timing

SMALLER = replace(accelerator.TINY, clip_length=4, keyframe_every=4)  # fp16 is slow on a processor


def _archive_conftest() -> ModuleType:
    path = Path(__file__).parents[1] / "archive" / "conftest.py"
    spec = importlib.util.spec_from_file_location("archive_conftest", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos of 32x32, two of them labelled."""
    archives = _archive_conftest()
    timing = Timing.constant(Fraction(10), 8)
    sources = [archives.Source(name, (32, 32), (32, 32), timing) for name in ("walk/a", "run/b", "loose")]
    return Path(archives.write(tmp_path_factory.mktemp("archive"), archives.SMALL, sources))


def _run(monkeypatch: pytest.MonkeyPatch, archive: Path, record: Path, *more: str) -> None:
    words = ["accelerator.py", str(archive), "--device", "cpu", "--tiny", "--json", str(record), *more]
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.setattr(accelerator, "LEAST_SECONDS", 0.01)
    monkeypatch.setattr(accelerator, "TINY", SMALLER)
    accelerator.main()


def test_on_a_processor_nothing_differs_and_everything_is_timed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record.json"
    _run(monkeypatch, archive, record, "--clips", "3", "--batch", "2", "--loading-seconds", "0.01")
    written = json.loads(record.read_text())
    assert written["failures"] == {}
    rows = {(row["part"].split()[0].rstrip(","), row["case"], row["unit"]): row["values"] for row in written["rows"]}
    (levels,) = (values for (part, _, unit), values in rows.items() if (part, unit) == ("frames", "levels at most"))
    assert levels["fp32"] == 0
    assert 0 < levels["bf16"] < 40
    errors = rows["gradients", "gradients, relative error", ""]
    assert errors["plain"] == 0
    assert errors["fp32"] < 1e-3 < errors["bf16"] < 0.2
    alike = {part: values[""] for (part, _, unit), values in rows.items() if unit == "alike"}
    assert alike == {"colours": 9, "base": 24}
    timed = ("decoding", "training", "loading", "colours", "base")
    rates = [values for (part, _, unit), values in rows.items() if part in timed and unit != "alike"]
    assert len(rates) == 7
    assert all(rate > 0 for values in rates for rate in values.values())
    table = capsys.readouterr().out.split("\n\n")[1]
    assert len(table.splitlines()) <= 40
    assert "authors' form" in table


def test_a_part_that_fails_is_named_and_the_others_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, archive: Path
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(accelerator, "gradients", fails)
    monkeypatch.setattr(accelerator, "PRECISIONS", ("fp32",))
    record = tmp_path / "record.json"
    with pytest.raises(SystemExit, match="out of memory"):
        _run(monkeypatch, archive, record, "--clips", "2", "--loading-seconds", "0.01")
    written = json.loads(record.read_text())
    assert list(written["failures"]) == ["gradients"]
    assert written["rows"][-1]["unit"] == "clips/s"

"""The studies for lent accelerators, on a processor: they run to their end, and what they train is what they say."""

import json
import sys
import zipfile
from pathlib import Path

import av
import lockstep
import numpy as np
import paper_studies
import pytest
import torch
from paper_studies import ABLATION, DNERV, NERV, Corpus

from dnerv.bitstream import unpack_weights
from dnerv.families import config_from_json, tensor_shapes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos of 18 frames, coded frames, and the plan of a few networks."""
    folder = tmp_path_factory.mktemp("paper")
    (folder / "demo").mkdir()
    rows, columns = np.mgrid[:64, :96]
    for name, phase in (("a", 0), ("b", 2)):
        with av.open(str(folder / "demo" / f"{name}.mp4"), "w") as file:
            stream = file.add_stream("libx264", rate=10)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            for i in range(18):
                wave = 127 + 100 * np.sin((columns + 3 * i) / 9 + phase) * np.cos(rows / 7)
                frame = av.VideoFrame.from_ndarray(np.repeat(wave[..., None], 3, 2).astype(np.uint8), format="rgb24")
                file.mux(stream.encode(frame))
            file.mux(stream.encode())
    with pytest.MonkeyPatch.context() as patch:
        _patched(patch)
        paper_studies.prepare(folder)
    return folder


def _patched(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(paper_studies, "CORPORA", (Corpus("demo", (64, 96), 0.5, (8,)),))
    patch.setattr(paper_studies, "ABLATION", (ABLATION[4], DNERV, ABLATION[7]))


def test_networks_fill_the_same_bytes(folder: Path) -> None:
    from dnerv.encoding.dial import network_bytes

    plan = json.loads((folder / "plan.json").read_text())["demo"]
    assert plan["bases"]["8"]["bytes"] == (folder / "demo-8.dnerv").stat().st_size
    for name, planned in plan["kinds"].items():
        expected = network_bytes(config_from_json(planned["config"]), 5) * (0.96 if name == NERV.name else 1)
        assert planned["base_bytes"] + expected == pytest.approx(plan["target_bytes"], rel=0.03), name


def test_a_run_measures_what_the_packed_networks_give(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _patched(monkeypatch)
    record, networks = tmp_path / "record.json", tmp_path / "networks.zip"
    words = ["--device", "cpu", "--seconds", "3", "--tiny", "--json", str(record), "--networks", str(networks)]
    monkeypatch.setattr(sys, "argv", ["paper_studies.py", "run", str(folder), *words])
    paper_studies.main()
    written = json.loads(record.read_text())
    assert written["notes"] == []
    rows = written["rows"]
    assert {(row["kind"], row["pace"], row["seed"]) for row in rows} >= {("NeRV", 2, 0), ("D-NeRV", 1, 0)}
    assert {row["steps"] for row in rows if row["pace"] == 1} == {written["rounds_taken"]}
    assert all(10 < row["psnr"] < 50 for row in rows)
    with zipfile.ZipFile(networks) as file:
        for place, row in enumerate(rows):
            packed = file.read(f"{place}.weights")
            assert len(packed) == row["network_bytes"]
            unpack_weights(packed, tensor_shapes(config_from_json(row["config"])))
    table = capsys.readouterr().out
    assert "NeRV" in table
    assert "from zero" in table


def test_lockstep_learns_and_starts_anew(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _patched(monkeypatch)
    plan = json.loads((folder / "plan.json").read_text())
    tasks = [one for one in paper_studies.tasks_of(plan, ["ablation"], tiny=True) if one[2].seed == 0]
    tables = paper_studies._tables(folder, plan, tasks, tmp_path, torch.device("cpu"), {"notes": []})
    corpus, _, task = tasks[1]
    network = lockstep.Trained(task, tables[paper_studies._key(corpus, task.config)], 40, recorded=False)
    before = [p.detach().clone() for p in network.parameters]
    network.plan(40)
    for _ in range(40):
        network.step()
    (_, early), *_, (steps, late) = network.curve_in(8)
    assert steps == 40
    assert late > early + 0.5
    network.reset()
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters, strict=True))

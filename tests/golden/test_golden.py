"""Archives that were written once decode to the same frames for ever (`make.py` makes them).

What is integer arithmetic, base layers and weights, is compared by hash, blends with it: each rounds once. Frames of
networks pass through float32 sums, whose order is the library's and the machine's: they may differ by one level where a
value lies half-way between two.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerv.archive import Archive, verify_archive
from dnerv.archive.priors import PLACES
from dnerv.bitstream import unpack_weights
from dnerv.bitstream.ans import PlainDecoder
from dnerv.codecs import Planes, decode_packets
from dnerv.codecs.colour import ColourConverter
from dnerv.errors import ArchiveError
from dnerv.families import DNeRVConfig, NeRVConfig, family_of, tensor_shapes
from dnerv.families.prior import PriorConfig

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in HERE.glob("*.dnerv"))
FRAMES: dict[str, dict[str, list[str]]] = json.loads((HERE / "frames.json").read_text())
WEIGHTS = {
    "adapted": "cc5dcdd05861108e",
    "dnerv": "95db375aaacdacda",
    "nerv": "b66041339d50969b",
    "prior": "3c259edcf7420511",
}


@pytest.fixture(autouse=True)
def priors(monkeypatch: pytest.MonkeyPatch) -> None:
    """`golden.prior` is at hand."""
    monkeypatch.setenv(PLACES, str(HERE))


def frame_hashes(name: str) -> dict[str, list[str]]:
    """Of every frame that base layers give, at the coded size."""
    with Archive(HERE / f"{name}.dnerv", layers="base", size="coded") as archive:
        readers = [archive[entry.name] for entry in archive.entries if entry.distance]
        return {
            reader.entry.name: [
                hashlib.sha256(np.ascontiguousarray(frame).tobytes()).hexdigest()
                for frame in reader[:].permute(0, 2, 3, 1).numpy()
            ]
            for reader in readers
        }


def check_network_frames(name: str, precision: str) -> None:
    archive = Archive(HERE / f"{name}.dnerv", size="coded", precision=precision)  # type: ignore[arg-type]
    with archive, np.load(HERE / "frames.npz") as stored:
        users = [entry.name for entry in archive.entries if entry.network_frame is not None]
        assert {key for key in stored if key.startswith(f"{name} ")} == {f"{name} {user}" for user in users}
        for user in users:
            expected, made = stored[f"{name} {user}"], archive[user][:].numpy()
            assert made.shape == expected.shape
            difference = np.abs(made.astype(int) - expected)
            assert difference.max() <= 1
            assert difference.mean() < 0.01
            assert expected.std() > 5


def test_nothing_is_forgotten() -> None:
    without = ["blends", "changed", "colours", "own", "references", "sizes"]
    assert sorted(FRAMES) == NAMES == sorted([*without, *WEIGHTS])
    assert sum(len(hashes) for videos in FRAMES.values() for hashes in videos.values()) == NUM_FRAMES
    assert sum(path.stat().st_size for path in HERE.glob("*")) < 300_000


NUM_FRAMES = 253


@pytest.mark.parametrize("name", NAMES)
def test_base_layers(name: str) -> None:
    assert frame_hashes(name) == FRAMES[name]


@pytest.mark.parametrize("precision", ["fp32", "reference"])
@pytest.mark.parametrize("name", sorted(WEIGHTS))
def test_networks(name: str, precision: str) -> None:
    check_network_frames(name, precision)


@pytest.mark.parametrize("name", sorted(WEIGHTS))
def test_weights(name: str) -> None:
    with Archive(HERE / f"{name}.dnerv") as archive:
        assert archive.config.network is not None
        model = archive.config.network.model
        section, shapes = archive.container.read("NETW"), tensor_shapes(model)
    assert family_of(model).name == {"adapted": "prior"}.get(name, name)
    for tensors in (unpack_weights(section, shapes), unpack_weights(section, shapes, decoder=PlainDecoder)):
        joined = b"".join(np.ascontiguousarray(tensor).tobytes() for tensor in tensors.values())
        assert hashlib.sha256(joined).hexdigest()[:16] == WEIGHTS[name]


@pytest.mark.parametrize("name", NAMES)
def test_all_of_them_are_whole(name: str) -> None:
    report = verify_archive(HERE / f"{name}.dnerv")
    assert report["intact"], report["problem"]


def test_they_hold_what_they_are_there_for() -> None:
    """Each feature of the format occurs."""
    entries, archives = [], []
    for name in NAMES:
        with Archive(HERE / f"{name}.dnerv") as archive:
            archives.append(archive)
            entries += [(name, entry) for entry in archive.entries]
    assert {entry.distance for _, entry in entries} >= {0, 1, 2, 4, 65_535}
    assert {-1, 0, 1, 2} <= {place for _, entry in entries for place in entry.references}
    assert any(len(set(entry.references)) > 1 for _, entry in entries)
    assert any(entry.label for _, entry in entries)
    assert any(not isinstance(entry.timing.pts, range) for _, entry in entries)
    assert any(entry.coded_size != entry.original_size for _, entry in entries)
    assert any(entry.timing.num_frames == 1 for _, entry in entries)
    formats = {form.planes for archive in archives for form in archive.config.formats}
    assert len(formats) == 12
    assert any(reference.seed_length for archive in archives for reference in archive.references)
    with Archive(HERE / "changed.dnerv") as archive:
        assert archive.container.slot.generation == 3
        assert archive.breakdown()["unused"] > 500


def other(default: Any) -> Any:
    """Another value of its kind, in place of a default."""
    match default:
        case bool():
            return not default
        case int():
            return default - 2
        case float():
            return default * 1.5
        case tuple():
            return tuple(map(other, default))
        case Planes():
            return Planes("bt2020", not default.full_range, 18 - default.depth)
    return "bt2020" if default == "bt601" else "another"


def test_no_default_in_the_code_decides_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """What planes and networks are is in the file: with other defaults in the code frames stay what they are."""
    for settings in (Planes, DNeRVConfig, NeRVConfig, PriorConfig):
        defaults = settings.__init__.__defaults__  # type: ignore[misc]
        monkeypatch.setattr(settings.__init__, "__defaults__", other(defaults))  # type: ignore[misc]
    assert Planes() == Planes("bt2020", True, 8)
    with pytest.raises(ArchiveError):
        DNeRVConfig(4)
    for function, name in ((decode_packets, "planes"), (Archive.__init__, "allowance")):
        monkeypatch.setitem(function.__kwdefaults__, name, other(function.__kwdefaults__[name] or 2.0))
    monkeypatch.setattr(ColourConverter.__init__, "__defaults__", other(ColourConverter.__init__.__defaults__))
    for name in NAMES:
        assert frame_hashes(name) == FRAMES[name]
    for name in WEIGHTS:
        check_network_frames(name, "fp32")

"""The configuration: every field is written, asked for, and checked."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from dnerv.archive.config import ArchiveConfig, NetworkConfig, PlaneFormat
from dnerv.codecs import Planes
from dnerv.errors import ArchiveError
from dnerv.families import DNeRVConfig, NeRVConfig

HEADER = bytes.fromhex("0a0a00000004473f7fff6008")
FORMAT = PlaneFormat(planes=Planes("bt709", True, 10), shown=Planes("bt601", False, 8), header=HEADER)
CONFIG = ArchiveConfig((FORMAT, PlaneFormat(Planes("bt2020", False, 8), Planes("bt2020", True, 10), HEADER)), 3, None)


def as_read(value: Any) -> Any:
    """What JSON makes of it."""
    return json.loads(json.dumps(value))


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        ArchiveConfig((), 0, NetworkConfig(NeRVConfig(7), 16, 1000)),
        ArchiveConfig((FORMAT,), 0, NetworkConfig(DNeRVConfig(7, head="residual"), 0, 1)),
    ],
)
def test_round_trip(config: ArchiveConfig) -> None:
    assert ArchiveConfig.from_json(as_read(config.to_json())) == config


def test_what_is_written() -> None:
    assert CONFIG.to_json()["formats"][0] == {
        "bitstream": "av1",
        "planes": {"matrix": "bt709", "full_range": True, "depth": 10},
        "shown": {"matrix": "bt601", "full_range": False, "depth": 8},
        "header": HEADER.hex(),
    }


WHOLE = as_read(ArchiveConfig((FORMAT,), 3, NetworkConfig(NeRVConfig(7), 16, 1000)).to_json())


@pytest.mark.parametrize(
    "holder", [(), ("formats", 0), ("formats", 0, "planes"), ("formats", 0, "shown"), ("network",)], ids=str
)
def test_a_field_less_or_more_is_refused(holder: tuple[Any, ...]) -> None:
    def inner(record: Any) -> Any:
        for key in holder:
            record = record[key]
        return record

    for name in list(inner(WHOLE)):
        record = copy.deepcopy(WHOLE)
        del inner(record)[name]
        with pytest.raises(ArchiveError, match=f"has no field {name}"):
            ArchiveConfig.from_json(record)
    record = copy.deepcopy(WHOLE)
    inner(record)["colour"] = 1
    with pytest.raises(ArchiveError, match="unknown fields: colour"):
        ArchiveConfig.from_json(record)


@pytest.mark.parametrize(
    ("holder", "name", "value"),
    [
        ((), "formats", {}),
        ((), "formats", [None]),
        ((), "formats", [WHOLE["formats"][0]] * 65_537),
        ((), "references", -1),
        ((), "references", 1.0),
        ((), "references", True),
        ((), "references", 2**70),
        ((), "network", []),
        ((), "network", {}),
        (("formats", 0), "bitstream", "vvc"),
        (("formats", 0), "bitstream", None),
        (("formats", 0), "planes", None),
        (("formats", 0), "shown", [8]),
        (("formats", 0, "planes"), "matrix", "rgb"),
        (("formats", 0, "planes"), "matrix", ["bt601"]),
        (("formats", 0, "planes"), "full_range", 1),
        (("formats", 0, "planes"), "full_range", None),
        (("formats", 0, "planes"), "depth", 9),
        (("formats", 0, "planes"), "depth", 12),
        (("formats", 0, "planes"), "depth", True),
        (("formats", 0, "shown"), "depth", 9),
        (("formats", 0, "shown"), "depth", "8"),
        (("formats", 0, "shown"), "matrix", "bt470"),
        (("formats", 0), "header", 5),
        (("formats", 0), "header", "0a0"),
        (("formats", 0), "header", ""),
        (("formats", 0), "header", "zz"),
        (("formats", 0), "header", HEADER.hex()[:-2]),
        (("formats", 0), "header", HEADER.hex() + "00"),
        (("formats", 0), "header", "3200"),
        (("formats", 0), "header", "0aff7f" + "00" * 16_383),
        (("network",), "model", None),
        (("network",), "model", {"family": "gpt"}),
        (("network",), "overlap", -1),
        (("network",), "overlap", 1 << 20),
        (("network",), "overlap", None),
        (("network",), "frames", 0),
        (("network",), "frames", 2**41),
        (("network",), "frames", 1.5),
    ],
)
def test_values_that_no_archive_has(holder: tuple[Any, ...], name: str, value: Any) -> None:
    record = copy.deepcopy(WHOLE)
    place = record
    for key in holder:
        place = place[key]
    place[name] = value
    with pytest.raises(ArchiveError) as caught:
        ArchiveConfig.from_json(record)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("record", [None, [], 5, "x", {}, {"formats": []}])
def test_what_is_no_configuration(record: Any) -> None:
    with pytest.raises(ArchiveError):
        ArchiveConfig.from_json(record)

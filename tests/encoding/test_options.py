"""What can be asked, and in what words it is refused."""

import json
from fractions import Fraction
from typing import Any

import pytest

from dnerv.encoding import EncodeOptions
from dnerv.encoding.options import crf_of_quality
from dnerv.errors import InputError
from dnerv.families import Components


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"bits_per_pixel": 0.1, "quality": 50}, "--bpp, --quality, --crf and --size are one dial"),
        ({"quality": 50, "preset": "uvg-s"}, "--bpp, --quality, --crf and --size are one dial"),
        ({"crf": 40, "bits_per_pixel": 0.1}, "--bpp, --quality, --crf and --size are one dial"),
        ({"epochs": 1, "budget_seconds": 1}, "--epochs and --budget both bound"),
        ({"preset": "uvg-xxl"}, "--size is 'uvg-xxl'; known: uvg-xs"),
        ({"preset": "nerv-ucf101-s"}, "--size nerv-ucf101-s does not go with --model dnerv"),
        ({"preset": "uvg-s", "model": "nerv"}, "--size uvg-s does not go with --model nerv"),
        ({"bits_per_pixel": 0.0}, r"--bpp is 0\.0; allowed are 0\.0001 to 24"),
        ({"bits_per_pixel": float("nan")}, "--bpp is nan"),
        ({"bits_per_pixel": 25.0}, r"--bpp is 25\.0"),
        ({"quality": 0}, "--quality is 0; allowed are 1 to 100"),
        ({"quality": 101}, "--quality is 101"),
        ({"fps": Fraction(0)}, "--fps is 0; allowed are 1/1000 to 1000"),
        ({"budget_seconds": -1.0}, "--budget is"),
        ({"epochs": -1}, "--epochs is -1"),
        ({"every": 0}, "--every is 0; allowed are 1 to 65535"),
        ({"access": 0}, "--access is 0; allowed are 1 to 65536"),
        ({"access": 1, "every": 2}, "--access 1 codes every frame"),
        ({"crf": 0.5}, r"--crf is 0\.5"),
        ({"width": 0}, "--width is 0"),
        ({"clip_length": 257}, "--clip-length is 257; allowed are 1 to 256"),
        ({"weight_bits": 3}, "--weight-bits is 3; allowed are 4 to 8"),
        ({"learning_rate": 0.0}, "--learning-rate is"),
        ({"batch_clips": 0}, "--batch is 0"),
        ({"ema": 1.0}, "--ema is"),
        ({"network_share": 0.0}, r"network_share is 0\.0; allowed are 0\.01 to 1"),
        ({"network_share": 0.5, "width": 4}, "network_share, --size and --width all size the network"),
        ({"network_share": 0.5, "preset": "uvg-s"}, "network_share, --size and --width all size the network"),
        ({"components": Components(temporal_kernel=4)}, "components: temporal_kernel is 4; it is an odd number"),
        ({"components": Components(fusion="none", flow="multi-scale")}, "components: flow, contrast and the residual"),
        ({"components": Components(), "model": "nerv"}, "components are those of a D-NeRV: leave --model nerv out"),
        ({"components": Components(), "preset": "uvg-s"}, "components are those of a network that the dial sizes"),
        ({"components": Components(is_compact=True), "paper": True}, "components ask for the compact one"),
        ({"components": Components(fusion="none"), "every": 4}, "a network without fusion has no base layer"),
        ({"resolution": (240, 7)}, "--resolution is 7; allowed are 8 to 8192"),
    ],
)
def test_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        EncodeOptions(**fields)


def test_json_tells_jobs_apart() -> None:
    one = EncodeOptions(fps=Fraction(30000, 1001), resolution=(240, 320))
    record = json.loads(json.dumps(one.to_json()))
    assert record["fps"] == "30000/1001"
    assert record["resolution"] == [240, 320]
    assert record != json.loads(json.dumps(EncodeOptions(fps=Fraction(30)).to_json()))
    parts = [EncodeOptions(components=Components(temporal=kind)).to_json() for kind in ("mlp", "attention")]
    assert json.loads(json.dumps(parts[0])) != json.loads(json.dumps(parts[1]))


@pytest.mark.parametrize("field", ["model", "precision", "loss", "effort", "network"])
def test_unknown_names_are_refused_before_any_work(field: str) -> None:
    with pytest.raises(InputError, match=r"is 'x'; known: \w+"):
        EncodeOptions(**{field: "x"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "useless",
    [
        {"model": "nerv", "every": 4},
        {"model": "nerv", "crf": 40},
        {"model": "nerv", "access": 8},
        {"preset": "uvg-xs", "width": 4},
        {"network": "none", "epochs": 3},
        {"network": "none", "paper": True},
        {"network": "none", "model": "nerv"},
    ],
    ids=str,
)
def test_options_that_would_do_nothing_are_refused(useless: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"leave .* out|at most one of them"):
        EncodeOptions(**useless)


@pytest.mark.parametrize(
    ("fields", "trains", "keeps"),
    [
        ({}, False, False),
        ({"network": "none"}, False, False),
        ({"budget_seconds": 60}, True, False),
        ({"epochs": 0}, True, False),
        ({"network": "always"}, True, True),
        ({"network": "always", "epochs": 1}, True, True),
        ({"paper": True}, True, True),
        ({"preset": "uvg-xs"}, True, True),
        ({"model": "nerv"}, True, True),
        ({"components": Components(fusion="none"), "epochs": 1}, True, True),
    ],
    ids=str,
)
def test_what_is_trained_and_what_stays_whatever_it_is_worth(fields: dict[str, Any], trains: bool, keeps: bool) -> None:
    options = EncodeOptions(**fields)
    assert (options.trains, options.keeps_network) == (trains, keeps)


def test_effort_is_the_encoder_s_preset() -> None:
    assert [EncodeOptions(effort=effort).encoder_preset for effort in ("fast", "default", "small")] == [8, 4, 2]


def test_access_1_leaves_no_choice_of_the_distance() -> None:
    """A blend takes two coded frames."""
    options = [EncodeOptions(access=1), EncodeOptions(access=2), EncodeOptions(every=4), EncodeOptions()]
    assert [each.distance for each in options] == [1, None, 4, None]


def test_quality_is_a_crf() -> None:
    assert [crf_of_quality(quality) for quality in (1, 50, 100)] == [65.5, 41, 16]


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        ({"every": 1, "access": 8, "references": False}, True),
        ({"access": 1, "references": False, "crf": 40.0}, True),
        ({"every": 1, "access": 8}, False),  # which pictures are shared
        ({"every": 1, "references": False}, False),  # how long groups are
        ({"access": 8, "references": False}, False),  # how far coded frames lie apart
        ({"every": 1, "access": 8, "references": False, "bits_per_pixel": 0.1}, False),  # the crf
        ({"every": 1, "access": 8, "references": False, "epochs": 1}, False),  # what a network's bytes would bring
    ],
)
def test_where_nothing_is_left_to_choose(fields: dict[str, Any], known: bool) -> None:
    assert EncodeOptions(**fields).leaves_no_choice is known


def test_whole_numbers_are_the_same_option_as_reals() -> None:
    """Both stand in archives, to the byte."""
    whole, real = EncodeOptions(crf=20, every=1), EncodeOptions(crf=20.0, every=1)
    assert repr(whole.to_json()) == repr(real.to_json())
    assert (type(whole.crf), type(whole.every)) == (float, int)

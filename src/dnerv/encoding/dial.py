"""An archive with a network: from a number of bytes to its width, the quality of coded frames and their distance.

    target bytes
      ├─ index: estimated from the number of videos and coded frames
      ├─ network: the widest whose bytes stay below its share
      └─ base layer: the rest; for every distance allowed, the quality that fills it is found by coding a sample,
                     and the distance is chosen whose coded frames, blended, come closest to the frames in between

Measured, not modelled: rates and blends come from the corpus itself (`KeyframeProbe`). What is not known before
training is how much the network will add: `EXPECTED_GAIN` is an estimate, checked at distance 2 alone (docs/log.md).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf, prod
from typing import Any

from dnerv.codecs import SvtAv1
from dnerv.encoding.options import DEFAULT_BUDGET_SECONDS, DEFAULT_QUALITY, EncodeOptions, crf_of_quality
from dnerv.encoding.probe import KeyframeProbe
from dnerv.families import (
    FAMILIES,
    PUBLISHED,
    ModelConfig,
    Sizing,
    config_from_json,
    config_to_json,
    count_parameters,
    multiply_adds,
    tensor_shapes,
)
from dnerv.families.sizes import CANVAS_MULTIPLE, PAPER_CANVAS, PAPER_CANVAS_MULTIPLE, WIDTHS
from dnerv.video import CachedVideo, Timeline, choose_canvas

KEYFRAME_DISTANCES = (1, 2, 4, 8)  # candidates, frames
EXPECTED_GAIN = {1: 0.3, 2: 0.5, 4: 0.8, 8: 1.2}  # dB that the network adds to the blend, by keyframe distance
NETWORK_SHARE = 0.15  # of all bytes, at most; more pays only with more training than people wait for
LEAST_PASSES = 8  # over the corpus that a network must be able to make in the time for training
TRAINING_RATE = {"cpu": 2e9, "cuda": 2e12}  # multiply-adds of frames trained on, a second; cautious guesses
PAPER_NETWORK_SHARE = 0.45  # the published runs spend 24 to 65 % of the rate on the network
ENTROPY_RATIO = 0.87  # coded over plain size of quantised weights, assumed; the demo's network came to 0.94
DEFAULT_WEIGHT_BITS = 5
_LARGEST_LOAD = 1.25  # beyond what the search of a crf leaves: quality cannot go down as far as the bytes ask
_EVERY_WIDTH = range(WIDTHS[0], 2049)


@dataclass(frozen=True)
class Design:
    """What the dial chose."""

    model: ModelConfig
    weight_bits: int
    crf: float  # of coded frames: where the search for the one that fills their bytes begins
    target_bytes: int  # of the whole file, as asked
    base_bytes: int | None  # that everything but the network should fill; None: the crf is as asked

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "model": config_to_json(self.model),
            "weight_bits": self.weight_bits,
            "crf": self.crf,
            "target_bytes": self.target_bytes,
            "base_bytes": self.base_bytes,
        }

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Design:
        """Back from `to_json`."""
        return cls(**(record | {"model": config_from_json(record["model"])}))


@dataclass(frozen=True)
class Corpus:
    """What the dial needs to know of all videos."""

    videos: Sequence[CachedVideo]
    mean: tuple[float, float, float]  # RGB, [0, 1]
    std: tuple[float, float, float]
    device_type: str = "cpu"  # that will train: "cpu" or "cuda"

    @property
    def num_pixels(self) -> int:
        """Pixels of all frames as coded."""
        return sum(v.timing.num_frames * v.height * v.width for v in self.videos)

    def num_keyframes(self, every: int) -> int:
        """Keyframes of all videos."""
        return sum(Timeline(v.timing.num_frames, 1, every).num_keyframes for v in self.videos)


def turn_dial(corpus: Corpus, options: EncodeOptions, probe: KeyframeProbe, target: float | None = None) -> Design:
    """Choose network and coded frames for a corpus.

    Args:
        target: bytes of the file; None for what the options ask for.
    """
    bits = options.weight_bits or (8 if options.is_published else DEFAULT_WEIGHT_BITS)
    target = _target_bytes(corpus, options, probe) if target is None else target
    if not options.uses_keyframes:
        share = 1.0 if options.network_share is None else options.network_share
        model = _sized(corpus, options, options.clip_length, bits, target - _index_bytes(corpus, None), share)
        return Design(model, bits, SvtAv1.crf_range[1], round(target), None)
    distances = _distances(options)
    plans = [_plan(corpus, options, probe, every, bits, target) for every in distances]
    best = _best(plans)
    # A named network's size says nothing of its base layer's: its bytes are not bounded.
    is_bounded = options.crf is None and options.preset is None
    base = max(1, round(target - network_bytes(best.model, bits)))
    return Design(best.model, bits, best.crf, round(target), base if is_bounded else None)


@dataclass(frozen=True)
class _Plan:
    every: int
    model: ModelConfig
    crf: float
    load: float  # expected bytes of the keyframes, over their budget
    score: float  # dB expected


def _plan(corpus: Corpus, options: EncodeOptions, probe: KeyframeProbe, every: int, bits: int, target: float) -> _Plan:
    share = options.network_share or (PAPER_NETWORK_SHARE if options.paper else NETWORK_SHARE)
    model = _sized(corpus, options, every, bits, target, share)
    budget = max(1.0, target - network_bytes(model, bits) - _index_bytes(corpus, every))
    crf = options.crf or probe.crf_for(every, budget / corpus.num_pixels)
    crf = SvtAv1.nearest_crf(crf)
    load = probe.bytes_per_pixel(every, crf) * corpus.num_pixels / budget
    return _Plan(every, model, crf, load, probe.blend_psnr(every, crf) + EXPECTED_GAIN.get(every, 1.0))


def _best(plans: Sequence[_Plan]) -> _Plan:
    """The best of those that fit; where even the worst quality fits at no distance, the smallest."""
    fitting = [plan for plan in plans if plan.load <= _LARGEST_LOAD]
    return max(fitting, key=lambda plan: plan.score) if fitting else min(plans, key=lambda plan: plan.load)


def _target_bytes(corpus: Corpus, options: EncodeOptions, probe: KeyframeProbe) -> float:
    if options.preset is not None:
        return network_bytes(PUBLISHED[options.preset].config, options.weight_bits or 8) / PAPER_NETWORK_SHARE
    if options.bits_per_pixel is not None:
        return corpus.num_pixels * options.bits_per_pixel / 8
    # What AV1 would spend on every frame at the quality's crf: the same quality costs hard corpora more.
    crf = options.crf or crf_of_quality(options.quality or DEFAULT_QUALITY)
    return corpus.num_pixels * probe.bytes_per_pixel(1, SvtAv1.nearest_crf(crf))


def _distances(options: EncodeOptions) -> tuple[int, ...]:
    if options.distance is not None:
        return (options.distance,)
    if options.is_published:
        return (options.clip_length,)
    return KEYFRAME_DISTANCES


def _sized(corpus: Corpus, options: EncodeOptions, every: int, bits: int, target: float, share: float) -> ModelConfig:
    """The network of the given width or preset, else the widest that fits its share of the bytes."""
    build = _builder(corpus, options, every)
    if options.preset is not None:
        return build(PUBLISHED[options.preset].config.base_channels)
    if options.width is not None:
        return build(options.width)
    if options.network_share is not None:
        # Of every width: without keyframes there is nothing else to fill what a network leaves of its share.
        below = bisect_right(_EVERY_WIDTH, share * target, key=lambda width: network_bytes(build(width), bits))
        return build(_EVERY_WIDTH[max(0, below - 1)])
    candidates, affordable = [build(width) for width in WIDTHS], _affordable(corpus, options)
    fitting = [
        model
        for model in candidates
        if network_bytes(model, bits) <= share * target and multiply_adds(model) <= affordable
    ]
    return fitting[-1] if fitting else candidates[0]


def _affordable(corpus: Corpus, options: EncodeOptions) -> float:
    """Multiply-adds for a frame that leave time for enough passes; the paper's recipe and epochs ask for no limit."""
    if options.epochs is not None or options.is_published:
        return inf
    seconds = DEFAULT_BUDGET_SECONDS if options.budget_seconds is None else options.budget_seconds
    canvases = corpus.num_pixels / prod(_canvas(corpus, options))
    return seconds * TRAINING_RATE[corpus.device_type] / (LEAST_PASSES * canvases)


def _builder(corpus: Corpus, options: EncodeOptions, every: int) -> Callable[[int], ModelConfig]:
    sizing = Sizing(
        _canvas(corpus, options),
        options.clip_length,
        every,
        corpus.mean,
        corpus.std,
        paper=options.is_published,
        components=options.components,
    )
    return lambda width: FAMILIES[options.model].sized(width, sizing)


def _canvas(corpus: Corpus, options: EncodeOptions) -> tuple[int, int]:
    if options.preset is not None:
        return PAPER_CANVAS
    multiple = PAPER_CANVAS_MULTIPLE if options.paper else CANVAS_MULTIPLE
    return choose_canvas([(v.height, v.width) for v in corpus.videos], (multiple, multiple))


@cache
def network_bytes(config: ModelConfig, bits: int) -> float:
    """Expected bytes of a network in the archive: coded symbols, and two float16 per quantiser channel."""
    channels = sum(shape[1] if len(shape) > 1 else 1 for shape in tensor_shapes(config).values())
    return count_parameters(config) * bits / 8 * ENTROPY_RATIO + 3.2 * channels + 60


def _index_bytes(corpus: Corpus, every: int | None) -> float:
    """Expected bytes of everything but network and keyframe packets."""
    packets = 0 if every is None else corpus.num_keyframes(every)
    return 550 + 25 * len(corpus.videos) + 1.4 * packets

"""A prior is trained: on base layers of many videos, coded in ways that are drawn anew for each.

videos ─┬─ crf, preset, distance, group drawn ─ coded, decoded ─┬─ training ─ NAME.prior
        └─ as often as asked ──────────────────────────────────┘
videos held out ─ coded at four qualities and two distances ─── gains on its card
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dnerv import progress
from dnerv.archive import checked_device
from dnerv.archive.priors import SUFFIX
from dnerv.bitstream import check_target
from dnerv.bitstream.prior_file import PriorFile
from dnerv.codecs import PEAK, SvtAv1, decode_packets, psnr
from dnerv.encoding.prior_options import CROP_MULTIPLE, PriorOptions
from dnerv.encoding.reading import read_videos, stop
from dnerv.encoding.workspace import Workspace, has_published
from dnerv.errors import InputError
from dnerv.families import FAMILIES, Sizing, build_model, config_to_json, count_parameters
from dnerv.files import write_atomically
from dnerv.process import as_done
from dnerv.training import ClipSet, Trainer, TrainingConfig, TrainingVideo
from dnerv.training.losses import squared_error
from dnerv.version import __version__
from dnerv.video import CachedVideo, FrameStore, Timeline, discover
from dnerv.video.content import digest_of
from dnerv.video.store import FrameStoreWriter

CRFS = (30.0, 63.0)  # from, to: of the base layers that are trained on
PRESETS = (4, 4, 6, 8)
DISTANCES = (1, 1, 2, 4)
GROUPS = (64, 64, 16, 8)  # coded frames
MEASURED_CRFS = (35.0, 45.0, 55.0, 63.0)
MEASURED_DISTANCES = (1, 2)
MEASURED_PRESET = 4
MARKS = 6  # points of the curve
_CURVE_VIDEOS = 9  # at most, that it is measured on
_CLIP = 8  # frames


@dataclass(frozen=True)
class Coding:
    """How a video is coded, to learn from or to measure on."""

    crf: float
    preset: int
    distance: int
    group: int


@dataclass(frozen=True)
class Gain:
    """What a prior gains on the held-out videos of one source, coded in one way."""

    source: str  # the first part of the videos' names, or their label
    distance: int
    crf: float
    base: float  # dB, mean over frames, of the base layer
    gain: float  # dB, mean over all frames
    coded: float  # of coded frames
    between: float | None  # of frames between; None where there are none
    frames: int


def train_prior(
    inputs: Sequence[Path], output: Path, options: PriorOptions, *, force: bool = False, restart: bool = False
) -> PriorFile:
    """Train a prior on all videos of some files and folders, measure it on those held out, and write it.

    Interrupted, it goes on when called again with the same arguments; `OUTPUT.work` keeps the state.

    Raises:
        InputError: nothing to train on, or an unusable video.
        OutputError: the output exists, or cannot be written.
    """
    if output.suffix != SUFFIX:
        raise InputError(f"{output}: readers look for priors in files that end in {SUFFIX}; name it so")
    force = force or has_published(output)  # by a run that was killed right behind it: finish what it left
    check_target(output, force=force)
    members = discover(list(inputs), on_bad=stop)
    held_out = discover(list(options.held_out), on_bad=stop) if options.held_out else members[9::10] or members[1:][-1:]
    kept = {(member.source_path.resolve(), member.part) for member in held_out}
    members = [member for member in members if (member.source_path.resolve(), member.part) not in kept]
    if not members:
        raise InputError("there is nothing to train on")
    names = [[member.name for member in group] for group in (members, held_out)]
    workspace = Workspace(output, {"options": options.to_json(), "videos": names}, restart=restart)
    try:
        training = _Training(workspace, options)
        prior = training.run(members, held_out)
        prior.write(workspace.archive)
        workspace.publish(output, force=force)
    except BaseException:
        workspace.close_unfinished()
        raise
    workspace.remove()
    return prior


class _Training:
    """One run."""

    def __init__(self, workspace: Workspace, options: PriorOptions) -> None:
        self.workspace, self.options = workspace, options
        self.device = checked_device(options.device)
        budget = 3600.0 if options.budget_seconds is None and options.epochs is None else options.budget_seconds
        self.config = TrainingConfig(
            epochs=options.epochs,
            budget_seconds=budget,
            batch_clips=options.batch_clips,
            learning_rate=options.learning_rate,
            ema=0.999,
            quantise_from=None,
            seed=options.seed,
        )
        self.model = FAMILIES["prior"].sized(options.width, Sizing(options.crop, _CLIP, 0))

    def run(self, members: Sequence[Any], held_out: Sequence[Any]) -> PriorFile:
        videos, measured = self._read(members), self._read(held_out) if held_out else []
        learned = [(video, coding) for video in videos for coding in self._drawn(video)]
        kept = [(video, coding) for video in measured for coding in _measured_codings()]
        sets = self._coded(learned + kept)
        clips = ClipSet(sets[: len(learned)], self.model.canvas, 0, absolute_time=False)
        tests = list(zip(sets[len(learned) :], [coding for _, coding in kept], strict=True))
        options = self.options.to_json()
        source = {"model": config_to_json(self.model), "videos": [v.digest for v in videos], "options": options}
        torch.manual_seed(self.options.seed)
        network = build_model(self.model)
        progress.note(f"a prior of {count_parameters(self.model):,} parameters, {len(clips):,} clips to learn from")
        progress.stage("training")
        trainer = Trainer(network, clips, self.config, self.workspace.checkpoint_of(source), self.device)
        every, ways = -(-len(measured) // _CURVE_VIDEOS), len(_measured_codings())
        shown = [test for place, test in enumerate(tests) if place // ways % every == 0]
        curve = _Curve(self.workspace.path / "curve.json", digest_of(source), shown, self.device)
        trainer.run(curve.watch)
        weights = {n: p.detach().cpu().numpy().astype(np.float16) for n, p in network.named_parameters()}
        network.load_state_dict({n: torch.from_numpy(w.astype(np.float32)) for n, w in weights.items()})
        progress.stage("measuring on held-out videos", len(tests))
        gains = gains_on(network, tests, self.device)
        card = {
            "dnerv": __version__,
            "parameters": count_parameters(self.model),
            "trained_on": {
                "videos": len(videos),
                "frames": sum(len(video.store) for video in videos),
                "sources": sorted({_source(video) for video in videos}),
                "codings": self.options.codings,
                "licence": self.options.licence,
            },
            "steps": trainer.step,
            "seconds": round(trainer.seconds, 1),
            "frames_seen": trainer.step * self.config.batch_clips * _CLIP,
            "options": options,
            "curve": curve.points,
            "gains": [asdict(gain) for gain in gains],
        }
        return PriorFile(weights, config_to_json(self.model), card)

    def _read(self, members: Sequence[Any]) -> list[CachedVideo]:
        size, fps = self.options.resolution, self.options.fps
        return read_videos(members, self.workspace.frames, stop, size=size, fps=fps, prepare=lambda video: video)

    def _drawn(self, video: CachedVideo) -> list[Coding]:
        draw = np.random.default_rng([self.options.seed, int(digest_of(video.digest)[:12], 16)])
        return [
            Coding(
                SvtAv1.nearest_crf(draw.uniform(*CRFS)),
                int(draw.choice(PRESETS)),
                int(draw.choice(DISTANCES)),
                int(draw.choice(GROUPS)),
            )
            for _ in range(self.options.codings)
        ]

    def _coded(self, jobs: Sequence[tuple[CachedVideo, Coding]]) -> list[TrainingVideo]:
        """Base layers, decoded, on disk; what an earlier run has left there is taken."""
        alike = {(video.digest, coding): (video, coding) for video, coding in jobs}  # two that are the same: one file
        progress.stage("coding videos", len(alike))
        made, different, folder = dict[tuple[str, Coding], FrameStore](), list(alike.values()), self.workspace.coded
        for place, store in as_done(lambda job: coded(*job, folder), different):
            video, coding = different[place]
            made[video.digest, coding] = store
            progress.advance()
        return [
            TrainingVideo(video, _timeline(video, coding), made[video.digest, coding], 0, coding.crf)
            for video, coding in jobs
        ]


def _timeline(video: CachedVideo, coding: Coding) -> Timeline:
    return Timeline(video.timing.num_frames, _CLIP, coding.distance)


def _measured_codings() -> list[Coding]:
    return [Coding(crf, MEASURED_PRESET, k, 64) for k in MEASURED_DISTANCES for crf in MEASURED_CRFS]


def coded(video: CachedVideo, coding: Coding, folder: Path) -> FrameStore:
    """The coded frames of a video's base layer, decoded, on disk in `folder`."""
    timeline = _timeline(video, coding)
    store = FrameStore(
        folder / f"{digest_of([video.digest, asdict(coding)])}.rgb", video.height, video.width, timeline.num_keyframes
    )
    if not store.is_complete():
        codec = SvtAv1(preset=coding.preset, group=coding.group)
        frames = (video.store[int(place)] for place in timeline.keyframe_positions)
        packets = [packet.data for packet in codec.keyframes(frames, coding.crf)]
        with FrameStoreWriter(store.path) as writer:
            for frame in decode_packets(packets, height=video.height, width=video.width):
                writer.append(frame)
    return store


def gains_on(
    network: torch.nn.Module, tests: Sequence[tuple[TrainingVideo, Coding]], device: torch.device
) -> list[Gain]:
    """What a prior gains, whole frames, in whole levels."""
    rows: dict[tuple[str, int, float], list[torch.Tensor]] = defaultdict(list)
    network.eval()
    with torch.inference_mode():
        for test, coding in tests:
            rows[_source(test.video), coding.distance, coding.crf].append(_psnrs(network, test, device))
            progress.advance()
    found = []
    for (source, distance, crf), parts in sorted(rows.items()):
        base, better, is_between = torch.cat(parts, dim=1)
        gain, between = better - base, is_between > 0
        blends = gain[between].mean().item() if bool(between.any()) else None
        mean = gain.mean().item()
        found.append(
            Gain(source, distance, crf, base.mean().item(), mean, gain[~between].mean().item(), blends, len(gain))
        )
    return found


def _psnrs(network: torch.nn.Module, test: TrainingVideo, device: torch.device) -> torch.Tensor:
    """[3, N]: PSNR of the base layer and of the prior in dB, and whether the frame is one between."""
    side = (_up(test.video.height), _up(test.video.width))
    clips, parts = ClipSet([test], side, 0, absolute_time=False), []
    height, width = test.video.height, test.video.width
    for clip in range(len(clips)):
        batch = clips.batch([clip])
        inputs, mask = batch.inputs.to(device), batch.mask.flatten().to(device)
        wanted = batch.wanted.to(device).flatten(0, 1)[..., :height, :width].float() / 255
        made = network(inputs).flatten(0, 1)[..., :height, :width].clamp(0, 1).mul(255).round() / 255
        start, end, share = (part.flatten() for part in (inputs.start, inputs.end, inputs.distance))
        base = torch.lerp(inputs.keyframes[start], inputs.keyframes[end], share[:, None, None, None])
        base = base[..., :height, :width].mul(255).round() / 255
        values = torch.stack((_psnr(base, wanted), _psnr(made, wanted), ((share > 0) & (share < 1)).double()))
        parts.append(values[:, mask].cpu())
    return torch.cat(parts, dim=1)


def _psnr(frames: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    return psnr(PEAK**2 * squared_error(frames, wanted))


def _up(side: int) -> int:
    return -(-side // CROP_MULTIPLE) * CROP_MULTIPLE


def _source(video: CachedVideo) -> str:
    return video.name.partition("/")[0] if "/" in video.name else (video.label or "")


class _Curve:
    """Gain on some held-out videos as training goes on; kept on disk, since a run may be interrupted."""

    def __init__(
        self, path: Path, source: str, tests: Sequence[tuple[TrainingVideo, Coding]], device: torch.device
    ) -> None:
        self.path, self.source, self.tests, self.device = path, source, tests, device
        known: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
        self.points: list[dict[str, Any]] = known["points"] if known.get("source") == source else []

    def watch(self, trainer: Trainer) -> None:
        """Measure where the next mark has been reached."""
        if not self.tests or trainer.done < (len(self.points) + 1) / MARKS:
            return
        network = build_model(trainer.model.config).to(self.device)  # type: ignore[arg-type]
        network.load_state_dict(trainer.average)
        frames = trainer.step * trainer.config.batch_clips * _CLIP
        gains = gains_on(network, self.tests, self.device)
        found = defaultdict(list)
        for gain in gains:
            found[f"{gain.source} {gain.distance}".strip()].append(gain.gain)
        by_source = {name: float(np.mean(values)) for name, values in found.items()}
        self.points.append({"frames": frames, "seconds": round(trainer.seconds, 1), "gains": by_source})
        words = (f"{name.rpartition(' ')[0]} every {name.rpartition(' ')[2]} {v:+.3f}" for name, v in by_source.items())
        progress.note("gain, dB: " + ", ".join(word.strip() for word in words))
        write_atomically(self.path, json.dumps({"source": self.source, "points": self.points}).encode())

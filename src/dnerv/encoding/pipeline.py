"""Videos in, one `.dnerv` file out.

    videos ─ cache ─ dial ─ keyframes ─ training ─ archive ─ evaluation (of the file just written)

Each step leaves its result in the workspace and is skipped when it is there already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dnerv.archive import Archive, ArchiveConfig, CodedVideo, VideoEntry, checked_device, write_archive
from dnerv.bitstream import check_target
from dnerv.codecs import KeyframeFormat
from dnerv.encoding.dial import Corpus, Design, turn_dial
from dnerv.encoding.keyframe_stage import CodedKeyframes, code_keyframes
from dnerv.encoding.options import DEFAULT_BUDGET_SECONDS, EncodeOptions
from dnerv.encoding.probe import KeyframeProbe
from dnerv.encoding.training_stage import TrainingTask, train
from dnerv.encoding.workspace import Workspace, members_record
from dnerv.errors import InputError
from dnerv.evaluation import ArchiveQuality, measure_archive
from dnerv.families import ModelConfig, NeRVConfig, count_parameters
from dnerv.training import (
    ONE_PROCESS,
    ClipSet,
    ProcessGroup,
    Progress,
    TrainingConfig,
    TrainingVideo,
    check_loss,
    check_masked_loss,
    paper_recipe,
)
from dnerv.video import CachedVideo, Masks, Member, Timeline, cache_video, discover, hide, labelled

OVERLAP = 16  # pixels shared by neighbouring tiles
_LARGEST_BATCH = 2  # clips per step: memory must not grow with the corpus
_CLIPS_PER_BATCHED_CLIP = 64  # one more clip per step for every so many clips of the corpus
_LEARNING_RATE, _SMALL_NETWORK = 5e-3, 20_000  # the rate for networks up to so many parameters; falling from there
_TOLERANCE = 1.1  # times the bytes asked for: a larger file is remarked upon
_STATISTICS_FRAMES = 256  # frames, spread over the corpus, that its mean and standard deviation are taken from


class EncodeListener:
    """Told what an encoding is doing; this one does nothing with it."""

    def stage(self, title: str, total: int | None = None) -> None:
        """A step begins; `total` is the number of `advance` calls that will follow, None where it is not counted."""

    def advance(self) -> None:
        """One unit of the step is done."""

    def training(self, progress: Progress) -> None:
        """The network has been trained a little further."""

    def note(self, text: str) -> None:
        """Something a user will want to know."""

    def warning(self, text: str) -> None:
        """Something is not as it should be, and the run goes on."""


@dataclass(frozen=True)
class EncodeResult:
    """A finished archive."""

    path: Path
    file_bytes: int
    bits_per_pixel: float
    parameters: int
    design: Design
    keyframe_crf: float | None
    quality: ArchiveQuality  # measured on frames decoded from the file


def encode(
    inputs: Sequence[Path | str],
    output: Path | str,
    options: EncodeOptions | None = None,
    *,
    labels: Path | str | None = None,
    skip_bad: bool = False,
    force: bool = False,
    restart: bool = False,
    keep_work: bool = False,
    masks: Masks | None = None,
    device: str = "cpu",
    listener: EncodeListener | None = None,
    group: ProcessGroup = ONE_PROCESS,
    frames: Path | None = None,
) -> EncodeResult:
    """Encode videos and folders of videos into one archive.

    Args:
        inputs: files and folders, as `dnerv.video.discover` reads them.
        output: the `.dnerv` file; `OUTPUT.work` beside it keeps the state until it is written.
        labels: a CSV with the columns `path` and `label`, in place of class folders (`dnerv.video.labelled`).
        skip_bad: leave unreadable videos out, with a warning, instead of stopping.
        force: replace an existing output.
        restart: discard the state of an interrupted run.
        keep_work: leave the state in place at the end.
        masks: of pixels that are hidden: nothing in the archive depends on them, and its quality is measured with
            their fill in their place. Losses with SSIM are refused.
        group: the processes that train; this is its rank 0, and each of the others calls `follow`.
        frames: folder that keeps the decoded frames, which several encodings of the same videos can share; None for
            one in `OUTPUT.work`.

    Raises:
        InputError: nothing to encode, an unreadable video, labels that fit no video, or options that contradict
            each other.
        OutputError: the output exists or cannot be written.
    """
    options, listener, output = options or EncodeOptions(), listener or EncodeListener(), Path(output)
    chosen = checked_device(device)
    check_target(output, force=force)
    members = discover([Path(p) for p in inputs])
    if masks is not None:
        check_masked_loss(options.loss or ("l1-ssim" if options.paper or options.preset is not None else "log-mse"))
    if labels is not None:
        members = labelled(members, Path(labels))
    job: dict[str, Any] = {"options": options.to_json(), "members": members_record(members)}
    if masks is not None:
        job["masks"] = masks.to_json()
    if group.world_size > 1 and options.batch_clips is None:
        job["processes"] = group.world_size  # the batch depends on them, and the schedule on the batch
    workspace = Workspace(output, job, restart=restart)
    try:
        if workspace.is_resumed:
            listener.note(f"going on with the work in {workspace.path}")
        encoding = _Encoding(workspace, options, listener, chosen, group, masks, frames)
        result = encoding.run(members, output, skip_bad, force)
    except BaseException:
        workspace.close_unfinished()
        raise
    if keep_work:
        workspace.close()
    else:
        workspace.remove()
    return result


class _Encoding:
    """One run of the pipeline."""

    def __init__(
        self,
        workspace: Workspace,
        options: EncodeOptions,
        listener: EncodeListener,
        device: torch.device,
        group: ProcessGroup,
        masks: Masks | None,
        frames: Path | None,
    ) -> None:
        self.workspace, self.options, self.listener = workspace, options, listener
        self.device, self.group, self.masks, self.frames = device, group, masks, frames

    def run(self, members: Sequence[Member], output: Path, skip_bad: bool, force: bool) -> EncodeResult:
        videos = self._cache(members, skip_bad)
        design = Design.from_json(self.workspace.once("design", lambda: self._design(videos).to_json()))
        model = design.model
        self.listener.note(_describe(design))
        crf, keyframes = self._keyframes(videos, design)
        weights = self._train(videos, keyframes, design)
        self.listener.stage("writing the archive")
        config = ArchiveConfig(
            model,
            _overlap(model),
            KeyframeFormat() if keyframes else None,
            _provenance(self.options, design, crf),
        )
        coded = [_coded(v, keyframes[i] if keyframes else None) for i, v in enumerate(videos)]
        write_archive(output, config, weights, design.weight_bits, coded, force=force)
        result = self._measure(output, videos, design, crf)
        is_dialled = self.options.width is None or design.keyframe_budget is not None
        if is_dialled and result.file_bytes > _TOLERANCE * design.target_bytes:
            self.listener.warning(
                f"the file has {result.file_bytes:,} bytes, and {design.target_bytes:,} were asked for: the network "
                "and the keyframes chosen, or the smallest there are, take more"
            )
        return result

    def _cache(self, members: Sequence[Member], skip_bad: bool) -> list[CachedVideo]:
        """Every frame of every video on disk, scaled and resampled as asked."""
        self.listener.stage("reading videos", len(members))
        folder = self.workspace.frames if self.frames is None else self.frames
        videos = []
        for member in members:
            try:
                video = cache_video(member, folder, size=self.options.resolution, fps=self.options.fps)
                # Here, before anything else: what is hidden is unknown to all that follows.
                videos.append(video if self.masks is None else hide(video, self.masks, self.workspace.frames))
                if video.bad_packets:
                    self.listener.warning(f"{member.source_path}: {video.bad_packets} damaged packets were passed over")
            except InputError as error:
                if not skip_bad:
                    raise InputError(f"{error} (--skip-bad leaves such files out)") from None
                self.listener.warning(f"skipped: {error}")
            self.listener.advance()
        if not videos:
            raise InputError("none of the videos could be read: there is nothing to encode")
        return videos

    def _design(self, videos: Sequence[CachedVideo]) -> Design:
        self.listener.stage("choosing network and keyframes")
        mean, std = _statistics(videos)
        probe = KeyframeProbe(videos, self.options.keyframe_mode or "inter")
        return turn_dial(Corpus(videos, mean, std, self.device.type), self.options, probe)

    def _keyframes(self, videos: Sequence[CachedVideo], design: Design) -> tuple[float | None, list[CodedKeyframes]]:
        if not design.model.uses_keyframes:
            return None, []
        self.listener.stage("coding keyframes", len(videos))
        return code_keyframes(
            videos, design, design.model.keyframe_every, self.workspace.keyframes, advance=self.listener.advance
        )

    def _train(
        self, videos: Sequence[CachedVideo], keyframes: Sequence[CodedKeyframes], design: Design
    ) -> dict[str, np.ndarray]:
        self.listener.stage("training")
        clips = _clip_set(videos, keyframes, design)
        config = _training_config(self.options, design, len(clips), self.group.world_size)
        if self.group.world_size > 1:
            self.listener.note(f"training in {self.group.world_size} processes, {config.batch_clips} clips a step")
        task = TrainingTask(design.model, self.options.seed, clips, config, self.workspace.checkpoint)
        return train(task, self.device, self.group, self.listener.training)

    def _measure(self, output: Path, videos: Sequence[CachedVideo], design: Design, crf: float | None) -> EncodeResult:
        self.listener.stage("measuring the archive", sum(v.timing.num_frames for v in videos))
        frames = {video.name: _frames(video) for video in videos}
        with Archive(output, size="coded") as archive:
            quality = measure_archive(archive, lambda name: frames[name], advance=self.listener.advance)
            return EncodeResult(
                output,
                archive.file_bytes,
                archive.bits_per_pixel,
                count_parameters(design.model),
                design,
                crf,
                quality,
            )


def _training_config(options: EncodeOptions, design: Design, num_clips: int, processes: int) -> TrainingConfig:
    budget = options.budget_seconds
    if options.epochs is None and budget is None:
        budget = DEFAULT_BUDGET_SECONDS
    if options.paper:
        config = paper_recipe(loss="l1-ssim", epochs=options.epochs, budget_seconds=budget, seed=options.seed)
    else:
        # A clip for each process at least, where there are as many: they would have nothing to do otherwise.
        batch = max(min(_LARGEST_BATCH, max(1, num_clips // _CLIPS_PER_BATCHED_CLIP)), min(processes, num_clips))
        rate = _LEARNING_RATE * min(1.0, (_SMALL_NETWORK / count_parameters(design.model)) ** 0.25)
        config = TrainingConfig(
            epochs=options.epochs,
            budget_seconds=budget,
            seed=options.seed,
            batch_clips=batch,
            learning_rate=rate,
        )
    config = replace(config, weight_bits=design.weight_bits, precision=options.precision, ema=options.ema)
    if options.learning_rate is not None:
        config = replace(config, learning_rate=options.learning_rate)
    if options.batch_clips is not None:
        config = replace(config, batch_clips=options.batch_clips)
    return replace(config, loss=check_loss(options.loss or config.loss, *design.model.canvas))


def _clip_set(videos: Sequence[CachedVideo], keyframes: Sequence[CodedKeyframes], design: Design) -> ClipSet:
    model, training, first = design.model, [], 0
    for place, video in enumerate(videos):
        timeline = Timeline(video.timing.num_frames, model.clip_length, model.keyframe_every)
        training.append(TrainingVideo(video, timeline, keyframes[place].decoded if keyframes else None, first))
        first += video.timing.num_frames
    return ClipSet(training, model.canvas, _overlap(model), absolute_time=model.absolute_time)


def _overlap(model: ModelConfig) -> int:
    """Pixels that neighbouring tiles share: fewer than a canvas has on its shorter side."""
    return min(OVERLAP, min(model.canvas) - 1)


def _coded(video: CachedVideo, keyframes: CodedKeyframes | None) -> CodedVideo:
    table = keyframes.packet_table if keyframes else b""
    entry = VideoEntry(
        video.name,
        video.label,
        (video.original_height, video.original_width),
        (video.height, video.width),
        video.timing,
        len(table),
        keyframes.packet_bytes if keyframes else 0,
    )
    return CodedVideo(entry, table, keyframes.packet_file if keyframes else None)


def _frames(video: CachedVideo) -> Iterator[np.ndarray]:
    return (video.store.read([i])[0] for i in range(video.timing.num_frames))


def _statistics(
    videos: Sequence[CachedVideo],
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and standard deviation of the corpus's RGB, in [0, 1], to three digits: they stand in the archive."""
    total = sum(v.timing.num_frames for v in videos)
    count, sums, squares = 0, np.zeros(3), np.zeros(3)
    passed = 0
    wanted = set(np.linspace(0, total - 1, min(total, _STATISTICS_FRAMES)).round().astype(int).tolist())
    for video in videos:
        for i in range(video.timing.num_frames):
            if passed + i in wanted:
                pixels = video.store.read([i]).reshape(-1, 3) / 255.0
                count, sums, squares = count + len(pixels), sums + pixels.sum(0), squares + (pixels**2).sum(0)
        passed += video.timing.num_frames
    mean = sums / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    rounded = [tuple(round(max(float(x), low), 3) for x in values) for values, low in ((mean, 0.0), (std, 0.02))]
    return rounded[0], rounded[1]  # type: ignore[return-value]


def _provenance(options: EncodeOptions, design: Design, crf: float | None) -> dict[str, object]:
    record: dict[str, object] = {} if crf is None else {"crf": crf, "mode": design.keyframe_mode}
    if options.fps is not None:
        record["fps"] = str(options.fps)
    if options.resolution is not None:
        record["resolution"] = list(options.resolution)
    return record


def _describe(design: Design) -> str:
    model: ModelConfig = design.model
    text = f"{count_parameters(model):,} parameters for a {model.canvas[0]}x{model.canvas[1]} canvas"
    if isinstance(model, NeRVConfig):
        return f"NeRV, {text}"
    if not model.uses_keyframes:
        return f"D-NeRV without keyframes, {text}"
    keyframes = f"a keyframe every {model.keyframe_every} frames ({design.keyframe_mode}, crf {design.keyframe_crf:g})"
    return f"D-NeRV, {text}; {keyframes}"

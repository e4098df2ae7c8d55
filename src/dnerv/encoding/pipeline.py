"""Videos in, one `.dnerv` file out.

    videos ─ cache ─ dial ─ keyframes ─ training ─ archive ─ evaluation (of the file just written) ─ its name

Each step leaves its result in the workspace and is skipped when it is there already, made of the same content with the
same options. The archive takes its name last, once it has been read back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dnerv import progress
from dnerv.archive import Archive, ArchiveConfig, CodedVideo, VideoEntry, checked_device, write_archive
from dnerv.bitstream import check_target
from dnerv.codecs import KeyframeFormat
from dnerv.encoding.dial import Corpus, Design, turn_dial
from dnerv.encoding.keyframe_stage import CodedKeyframes, check_size, code_keyframes
from dnerv.encoding.options import EncodeOptions
from dnerv.encoding.probe import KeyframeProbe
from dnerv.encoding.statistics import colour_statistics
from dnerv.encoding.training_stage import TrainingTask, clip_set, overlap, train, training_config
from dnerv.encoding.workspace import Workspace, has_published
from dnerv.errors import InputError, OutputError
from dnerv.evaluation import ArchiveQuality, measure_archive
from dnerv.families import ModelConfig, config_to_json, count_parameters, family_of
from dnerv.training import ONE_PROCESS, ProcessGroup, check_masked_loss
from dnerv.video import CachedVideo, Masks, Member, cache_videos, discover, hide, labelled
from dnerv.video.corpus import OnBad, files_of

_TOLERANCE = 1.1  # times the bytes asked for: a larger file is remarked upon


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
    group: ProcessGroup = ONE_PROCESS,
    frames: Path | None = None,
) -> EncodeResult:
    """Encode videos and folders of videos into one archive.

    Args:
        inputs: files and folders, as `dnerv.video.discover` reads them.
        output: the `.dnerv` file; `OUTPUT.work` beside it keeps the state until it is written.
        labels: a CSV with the columns `path` and `label`, in place of class folders (`dnerv.video.labelled`).
        skip_bad: leave unusable videos out, with a warning, instead of stopping.
        force: replace an existing output.
        restart: discard the state of an interrupted run.
        keep_work: leave the state in place at the end.
        masks: of pixels that are hidden: nothing in the archive depends on them, and its quality is measured with
            their fill in their place. Losses with SSIM are refused.
        group: the processes that train; this is its rank 0, and each of the others calls `follow`.
        frames: folder that keeps the decoded frames, which several encodings of the same videos can share; None for
            one in `OUTPUT.work`.

    What goes on is told to the context's listener (`dnerv.progress`).

    Raises:
        InputError: nothing to encode, an unusable video, labels that fit no video, or options that contradict each
            other.
        OutputError: the output exists, is one of the inputs, or cannot be written.
    """
    options, output = options or EncodeOptions(), Path(output)
    chosen = checked_device(device)
    force = force or has_published(output)  # by a run that was killed right behind it: finish what it left
    check_target(output, force=force)
    on_bad = _warn if skip_bad else _stop
    members = discover([Path(p) for p in inputs], on_bad=on_bad)
    _check_is_no_input(output, members, labels)
    if masks is not None:
        check_masked_loss(options.loss or ("l1-ssim" if options.paper or options.preset is not None else "log-mse"))
    if labels is not None:
        members = labelled(members, Path(labels))
    job: dict[str, Any] = {"options": options.to_json(), "videos": [member.name for member in members]}
    if masks is not None:
        job["masks"] = masks.to_json()
    if group.world_size > 1 and options.batch_clips is None:
        job["processes"] = group.world_size  # the batch depends on them, and the schedule on the batch
    workspace = Workspace(output, job, restart=restart)
    try:
        if workspace.is_resumed:
            progress.note(f"going on with the work in {workspace.path}")
        result = _Encoding(workspace, options, chosen, group, masks, frames).run(members, output, on_bad)
        workspace.publish(output, force=force)
    except BaseException:
        workspace.close_unfinished()
        raise
    if keep_work:
        workspace.close()
    else:
        workspace.remove()
    return result


def _stop(error: InputError) -> None:
    raise InputError(f"{error} (--skip-bad leaves such files out)") from None


def _warn(error: InputError) -> None:
    progress.warning(f"skipped: {error}")


def _check_is_no_input(output: Path, members: Sequence[Member], labels: Path | str | None) -> None:
    """Raise OutputError where writing the output would destroy what it is made from."""
    if not output.exists():
        return
    given = [file for member in members for file in files_of(member)] + ([Path(labels)] if labels is not None else [])
    for file in given:
        if file.exists() and file.samefile(output):
            raise OutputError(f"{output}: is one of the inputs ({file}); name another output")


class _Encoding:
    """One run of the pipeline."""

    def __init__(
        self,
        workspace: Workspace,
        options: EncodeOptions,
        device: torch.device,
        group: ProcessGroup,
        masks: Masks | None,
        frames: Path | None,
    ) -> None:
        self.workspace, self.options, self.device = workspace, options, device
        self.group, self.masks, self.frames = group, masks, frames

    def run(self, members: Sequence[Member], output: Path, on_bad: OnBad) -> EncodeResult:
        """Write the archive in the workspace, and measure it there."""
        videos = self._read(members, on_bad)
        design = self._design(videos)
        model = design.model
        progress.note(_describe(design))
        crf, keyframes = self._keyframes(videos, design)
        weights = self._train(videos, keyframes, design)
        progress.stage("writing the archive")
        config = ArchiveConfig(
            model,
            overlap(model),
            KeyframeFormat() if keyframes else None,
            _provenance(self.options, design, crf),
        )
        coded = [_coded(v, keyframes[i] if keyframes else None) for i, v in enumerate(videos)]
        write_archive(self.workspace.archive, config, weights, design.weight_bits, coded, force=True)
        result = self._measure(output, videos, design, crf)
        is_dialled = self.options.width is None or design.keyframe_budget is not None
        if is_dialled and result.file_bytes > _TOLERANCE * design.target_bytes:
            progress.warning(
                f"the file has {result.file_bytes:,} bytes, and {design.target_bytes:,} were asked for: the network "
                "and the keyframes chosen, or the smallest there are, take more"
            )
        return result

    def _read(self, members: Sequence[Member], on_bad: OnBad) -> list[CachedVideo]:
        """Every frame of every video on disk, scaled and resampled as asked; hidden pixels are filled here already."""
        folder = self.workspace.frames if self.frames is None else self.frames
        size, fps = self.options.resolution, self.options.fps
        videos = []
        for video in cache_videos(members, folder, size=size, fps=fps, on_bad=on_bad):
            try:
                if self.options.uses_keyframes:
                    check_size(video)
                # Here, before anything else: what is hidden is unknown to all that follows.
                videos.append(video if self.masks is None else hide(video, self.masks, self.workspace.frames))
            except InputError as error:
                on_bad(error)
        if not videos:
            raise InputError("none of the videos could be read: there is nothing to encode")
        return videos

    def _design(self, videos: Sequence[CachedVideo]) -> Design:
        def make() -> dict[str, Any]:
            progress.stage("choosing network and keyframes")
            probe = KeyframeProbe(videos, self.options.keyframe_mode or "inter")
            corpus = Corpus(videos, *colour_statistics(videos), self.device.type)
            return turn_dial(corpus, self.options, probe).to_json()

        source = {"options": self.options.to_json(), "videos": _digests(videos), "device": self.device.type}
        return Design.from_json(self.workspace.once("design", source, make))

    def _keyframes(self, videos: Sequence[CachedVideo], design: Design) -> tuple[float | None, list[CodedKeyframes]]:
        if not design.model.uses_keyframes:
            return None, []
        progress.stage("coding keyframes", len(videos))
        return code_keyframes(videos, design, design.model.keyframe_every, self.workspace.keyframes)

    def _train(
        self, videos: Sequence[CachedVideo], keyframes: Sequence[CodedKeyframes], design: Design
    ) -> dict[str, np.ndarray]:
        progress.stage("training")
        clips = clip_set(videos, [coded.decoded for coded in keyframes], design.model)
        config = training_config(self.options, design, len(clips), self.group.world_size)
        if self.group.world_size > 1:
            progress.note(f"training in {self.group.world_size} processes, {config.batch_clips} clips a step")
        source = {
            "model": config_to_json(design.model),
            "videos": _digests(videos),
            "keyframes": [coded.packet_table.hex() for coded in keyframes],  # with checksums of all packets
            "training": asdict(config),
        }
        task = TrainingTask(design.model, self.options.seed, clips, config, self.workspace.checkpoint_of(source))
        return train(task, self.device, self.group)

    def _measure(self, output: Path, videos: Sequence[CachedVideo], design: Design, crf: float | None) -> EncodeResult:
        progress.stage("measuring the archive", sum(v.timing.num_frames for v in videos))
        frames = {video.name: video.store for video in videos}
        with Archive(self.workspace.archive, size="coded") as archive:
            quality = measure_archive(archive, lambda name: frames[name])
            return EncodeResult(
                output,
                archive.file_bytes,
                archive.bits_per_pixel,
                count_parameters(design.model),
                design,
                crf,
                quality,
            )


def _digests(videos: Sequence[CachedVideo]) -> list[str]:
    return [video.digest for video in videos]


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
    family = family_of(model).title
    if not model.uses_keyframes:
        return f"{family} without keyframes, {text}"
    keyframes = f"a keyframe every {model.keyframe_every} frames ({design.keyframe_mode}, crf {design.keyframe_crf:g})"
    return f"{family}, {text}; {keyframes}"

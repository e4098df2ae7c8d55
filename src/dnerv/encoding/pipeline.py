"""Videos in, one `.dnerv` file out.

    videos ─ cache ─ survey ─ base layers ─ [network, where one is trained] ─ the better one ─ measured ─ its name

Each step leaves its result in the workspace and is skipped when it is there already, made of the same content with the
same options. The archive takes its name last, once it has been read back. Nothing of torch's training is imported where
nothing is trained.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerv import progress
from dnerv.archive import Archive, checked_device
from dnerv.archive.priors import PLACES, given_prior, shipped
from dnerv.bitstream import check_target
from dnerv.codecs import SvtAv1
from dnerv.encoding.base_choice import DISTANCES
from dnerv.encoding.base_coding import WHOLE
from dnerv.encoding.base_stage import BaseSettings, BaseStage, CodedCorpus, summaries_of
from dnerv.encoding.options import DEFAULT_QUALITY, EncodeOptions, crf_of_quality
from dnerv.encoding.packing import write_base
from dnerv.encoding.reading import checked_size, read_videos, stop, warn
from dnerv.encoding.reference_choice import Summary
from dnerv.encoding.survey import Survey, Surveyor
from dnerv.encoding.workspace import Workspace, has_published
from dnerv.errors import InputError, OutputError
from dnerv.evaluation import ArchiveQuality, measure_archive
from dnerv.video import CachedVideo, Masks, Member, discover, hide, labelled
from dnerv.video.corpus import OnBad, files_of

if TYPE_CHECKING:
    import torch

    from dnerv.encoding.network_stage import BaseLayers, NetworkResult
    from dnerv.training import ProcessGroup

_TOLERANCE = 0.03  # of the bytes asked for: a file further away is remarked upon


@dataclass(frozen=True)
class EncodeResult:
    """A finished archive."""

    path: Path
    file_bytes: int
    bits_per_pixel: float
    crf: float | None  # of the base layers; None where there are none
    access: int  # coded frames at most that any frame takes, beside a reference
    network: NetworkResult | None  # None where there is none
    quality: ArchiveQuality  # measured on frames decoded from the file
    seconds: float  # that it took


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
    group: ProcessGroup | None = None,
    frames: Path | None = None,
    workers: AbstractContextManager[Executor] | None = None,
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
        group: the processes that train; this is its rank 0, and each of the others calls `follow`. None: this one.
        frames: folder that keeps the decoded frames, which several encodings of the same videos can share; None for
            one in `OUTPUT.work`.
        workers: other processes that read, code and measure videos, on this machine or on others that reach the inputs
            under the same paths: an executor of `concurrent.futures`, which is shut down at the end, or what gives one
            (`dnerv.integrations.dask.cluster`). The archive is the same to the byte. None: threads of this process.

    What goes on is told to the context's listener (`dnerv.progress`).

    Raises:
        InputError: nothing to encode, an unusable video, labels that fit no video, or options that contradict each
            other.
        OutputError: the output exists, is one of the inputs, or cannot be written.
    """
    began = time.monotonic()
    options, output = options or EncodeOptions(), Path(output)
    if workers is not None and (options.trains or options.prior is not None or masks is not None):
        raise InputError(
            "--cluster: workers code base layers alone; leave it out where there is a network or pixels are hidden"
        )
    chosen = checked_device(device)
    force = force or has_published(output)  # by a run that was killed right behind it: finish what it left
    check_target(output, force=force)
    on_bad = warn if skip_bad else stop
    if options.prior is not None:
        from dnerv.encoding.prior_stage import prior_config

        prior_config(given_prior(options.prior), options.prior)  # what is wrong with it is said at once
    members = discover([Path(p) for p in inputs], on_bad=on_bad)
    _check_is_no_input(output, members, labels)
    if masks is not None and options.trains:
        from dnerv.training import check_masked_loss

        check_masked_loss(options.loss or ("l1-ssim" if options.paper or options.preset is not None else "log-mse"))
    if labels is not None:
        members = labelled(members, Path(labels))
    job: dict[str, Any] = {"options": options.to_json(), "videos": [member.name for member in members]}
    if masks is not None:
        job["masks"] = masks.to_json()
    if group is not None and group.world_size > 1 and options.batch_clips is None:
        job["processes"] = group.world_size  # the batch depends on them, and the schedule on the batch
    workspace = Workspace(output, job, restart=restart)
    try:
        if workspace.is_resumed:
            progress.note(f"going on with the work in {workspace.path}")
        with nullcontext() if workers is None else workers as executor:
            encoding = _Encoding(workspace, options, chosen, group, masks, frames, executor)
            result = encoding.run(members, output, on_bad)
        result = replace(result, seconds=time.monotonic() - began)
        workspace.publish(output, force=force)
    except BaseException:
        workspace.close_unfinished()
        raise
    if keep_work:
        workspace.close()
    else:
        workspace.remove()
    return result


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
        group: ProcessGroup | None,
        masks: Masks | None,
        frames: Path | None,
        workers: Executor | None,
    ) -> None:
        self.workspace, self.options, self.device = workspace, options, device
        self.group, self.masks, self.frames, self.workers = group, masks, frames, workers

    def run(self, members: Sequence[Member], output: Path, on_bad: OnBad) -> EncodeResult:
        """Write the archive in the workspace, and measure it there."""
        options = self.options
        folder = self.workspace.frames if self.frames is None else self.frames
        size, fps = options.resolution, options.fps
        videos = read_videos(members, folder, on_bad, size=size, fps=fps, prepare=self._prepared, workers=self.workers)
        result = self._encoded(videos, output)
        self._check_bytes(result)
        return result

    def _prepared(self, video: CachedVideo) -> CachedVideo:
        """Before anything else hidden pixels are filled: what is hidden is unknown to all that follows."""
        if not self.options.trains or self.options.uses_keyframes:
            checked_size(video)
        return video if self.masks is None else hide(video, self.masks, self.workspace.frames)

    def _encoded(self, videos: Sequence[CachedVideo], output: Path) -> EncodeResult:
        if self.options.is_plain:
            return self._kept_network(videos, None, None, output)
        summaries = summaries_of(videos, self.workers) if self.options.references else []
        survey = self._survey(videos, summaries)
        settings = self._settings(survey)
        if self.options.keeps_network and self.options.bits_per_pixel is not None:
            return self._kept_network(videos, (settings, summaries), None, output)
        corpus = self._base(videos, summaries, settings, survey)
        if self.options.keeps_network:  # as many bytes as that quality takes without one
            return self._kept_network(videos, (settings, summaries), self.workspace.archive.stat().st_size, output)
        result = self._result(output, corpus, None, self._measure(videos, self.workspace.archive))
        if self.options.prior is not None:
            return self._with_prior(videos, corpus, settings, result)
        return self._with_network(videos, summaries, settings, result) if self.options.trains else result

    def _survey(self, videos: Sequence[CachedVideo], summaries: Sequence[Summary]) -> Survey:
        options = self.options
        if options.leaves_no_choice:
            assert options.access is not None
            return Survey.without_sample(_crf(options), options.access)

        def make() -> dict[str, Any]:
            surveyor = Surveyor(videos, summaries, options.encoder_preset, self._distances)
            crf = None if options.bits_per_pixel is not None else _crf(options)
            progress.stage("measuring a sample", surveyor.most_codings(crf, options.access))
            return surveyor.survey(crf, options.bits_per_pixel, options.access).to_json()

        source = {"options": options.to_json(), "videos": [video.digest for video in videos]}
        return Survey(**self.workspace.once("survey", source, make))

    @property
    def _distances(self) -> tuple[int, ...]:
        return DISTANCES if self.options.distance is None else (self.options.distance,)

    def _settings(self, survey: Survey) -> BaseSettings:
        if survey.cost is not None:
            progress.note(_describe_access(survey.access, survey.cost))
        return BaseSettings(
            preset=self.options.encoder_preset,
            access=survey.access,
            low_delay=survey.low_delay,
            distances=self._distances,
            exchange=survey.exchange,
            frame_bytes=survey.frame_bytes,
            frame_bytes_crf=survey.crf,
            intra_bytes=survey.intra_bytes if self.options.references else 0.0,
        )

    def _base(
        self, videos: Sequence[CachedVideo], summaries: Sequence[Summary], settings: BaseSettings, survey: Survey
    ) -> CodedCorpus:
        """The archive without a network."""

        def write(corpus: CodedCorpus) -> int:
            return write_base(self.workspace.archive, videos, corpus, self.options, settings)

        stage = BaseStage(videos, self.workspace.coded, settings, summaries, workers=self.workers)
        if self.options.bits_per_pixel is None:
            corpus = stage.code(survey.crf)
        else:
            pixels = sum(len(video.store) * video.height * video.width for video in videos)
            corpus = stage.code_to(self.options.bits_per_pixel * pixels / 8, survey.crf, write)
        write(corpus)
        return corpus

    def _kept_network(
        self, videos: Sequence[CachedVideo], base: BaseLayers | None, target: int | None, output: Path
    ) -> EncodeResult:
        """The archive with a network, whatever it is worth."""
        network, corpus = self._network(videos, self.workspace.archive, base, target)
        return self._result(output, corpus, network, self._measure(videos, self.workspace.archive))

    def _network(
        self, videos: Sequence[CachedVideo], path: Path, base: BaseLayers | None, target: int | None
    ) -> tuple[NetworkResult, CodedCorpus | None]:
        from dnerv.encoding.network_stage import NetworkStage
        from dnerv.training import ONE_PROCESS

        stage = NetworkStage(self.workspace, self.options, videos, self.device, self.group or ONE_PROCESS)
        return stage.write(path, base, target)

    def _with_network(
        self,
        videos: Sequence[CachedVideo],
        summaries: Sequence[Summary],
        settings: BaseSettings,
        alone: EncodeResult,
    ) -> EncodeResult:
        """The archive with a network where it is better than the one without at equal bytes, else that one."""
        from dnerv.encoding.network_stage import gain_over

        path = self.workspace.other
        network, corpus = self._network(videos, path, (settings, summaries), alone.file_bytes)
        found = self._result(alone.path, corpus, network, self._measure(videos, path))
        gain = gain_over(alone.quality, found.quality, settings.exchange)
        words = f"at equal bytes the network gives {gain:+.2f} dB over the base layer alone"
        if gain <= 0 or not network.videos:
            progress.note(f"{words}: it is left out")
            return alone
        progress.note(f"{words}: it stays, for {network.videos} of {len(videos)} videos")
        path.replace(self.workspace.archive)
        return replace(found, network=replace(network, gain=gain))

    def _with_prior(
        self, videos: Sequence[CachedVideo], corpus: CodedCorpus, settings: BaseSettings, alone: EncodeResult
    ) -> EncodeResult:
        """The archive whose frames a prior makes where that is worth reading them slower, else the one without."""
        from dnerv.encoding.network_stage import NetworkResult, gain_over
        from dnerv.encoding.prior_stage import PriorStage

        stage = PriorStage(self.workspace, self.options, videos, corpus, settings, self.device)
        made = stage.write(self.workspace.other, alone.file_bytes)
        if made is None:
            progress.note(
                "the prior makes no video better by so much that reading it slower is worth it: it is left out"
            )
            return alone
        self.workspace.other.replace(self.workspace.archive)
        if self.options.prior not in shipped() and not self.options.embed_prior:
            progress.note(f"readers need {self.options.prior}: beside the archive, or named in {PLACES}")
        quality = made.quality or self._measure(videos, self.workspace.archive)
        found = self._result(alone.path, corpus, None, quality)
        gain = gain_over(alone.quality, found.quality, settings.exchange)
        model, bits = made.layer.record.model, stage.weight_bits
        return replace(found, network=NetworkResult(model, bits, made.parameters, made.videos, gain))

    def _measure(self, videos: Sequence[CachedVideo], path: Path) -> ArchiveQuality:
        progress.stage("measuring the archive", sum(video.timing.num_frames for video in videos))
        frames = {video.name: video.store for video in videos}
        with Archive(path, size="coded", device=self.device) as archive:
            return measure_archive(archive, frames.__getitem__, ms_ssim=self.options.trains, workers=self.workers)

    def _result(
        self, output: Path, corpus: CodedCorpus | None, network: NetworkResult | None, quality: ArchiveQuality
    ) -> EncodeResult:
        crf = None if corpus is None else corpus.crf
        access = 0 if corpus is None else max(video.access for video in corpus.videos)
        return EncodeResult(output, quality.file_bytes, quality.bits_per_pixel, crf, access, network, quality, 0.0)

    def _check_bytes(self, result: EncodeResult) -> None:
        asked = self.options.bits_per_pixel
        if asked is not None and abs(result.bits_per_pixel / asked - 1) > _TOLERANCE:
            progress.warning(
                f"the file has {result.bits_per_pixel:.4f} bits per pixel, and {asked:g} were asked for: "
                "the encoder comes no closer with these videos"
            )


def _crf(options: EncodeOptions) -> float:
    """As asked, on the encoder's grid."""
    quality = DEFAULT_QUALITY if options.quality is None else options.quality
    return SvtAv1.nearest_crf(crf_of_quality(quality) if options.crf is None else options.crf)


def _describe_access(access: int, cost: float) -> str:
    if access >= WHOLE:
        return "access: a video is one group; shorter ones cost over 5 % more (--access N asks for them all the same)"
    more = f"{cost - 1:+.1%} bytes against one group a video"
    return f"access: any frame by decoding {access} coded frames at most, {more}"

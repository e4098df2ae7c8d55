"""What an archive gives back, against the frames that it was made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from dnerv.archive import Archive, VideoReader
from dnerv.codecs import Frame
from dnerv.evaluation import measure_archive
from dnerv.families import ModelConfig, config_to_json, count_parameters
from dnerv.studies.content import Content
from dnerv.studies.measures import mean_scores, take


def measured_archive(path: Path, content: Content, device: str, measures: Sequence[str] = ()) -> dict[str, Any]:
    """Bytes, quality, measures on demand, the network and where the bytes go, as JSON values."""
    by_name = {video.name: video for video in content.videos}
    with Archive(path, device=device, size="coded") as archive:
        quality = asdict(measure_archive(archive, lambda name: by_name[name].store))
        scores = [
            take(measures, partial(iter, by_name[r.entry.name].store), partial(_decoded, r), Path(gettempdir()))
            for r in archive
        ]
        return {
            "bytes": quality.pop("file_bytes"),
            **quality,
            **mean_scores(scores),
            "model": None if archive.config.network is None else network_facts(archive.network.config.model),
            "made": dict(archive.made),
            "breakdown": archive.breakdown(),
        }


def network_facts(model: ModelConfig) -> dict[str, Any]:
    """A network's configuration and the number of its parameters, as JSON values."""
    return config_to_json(model) | {"parameters": count_parameters(model)}


def _decoded(reader: VideoReader) -> Iterator[Frame]:
    return (reader[i : i + 1][0].cpu().permute(1, 2, 0).contiguous().numpy() for i in range(len(reader)))

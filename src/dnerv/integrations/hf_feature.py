"""A type of column for Hugging Face `datasets`: videos in archives. Importing this module registers it.

Stored is which archive and which name; read is a `VideoReader`. So tables are small, and selecting, shuffling, saving
and loading them moves no video. A program that loads a saved one imports this module before.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast
from warnings import catch_warnings, simplefilter

import pyarrow as pa
from datasets.features.features import register_feature

from dnerv.archive import Archive, VideoReader
from dnerv.errors import InputError

if TYPE_CHECKING:
    from dnerv.archive import Layers
    from dnerv.engine.precision import Precision

_OPEN = 64  # archives that a process keeps open
_PLACE = "_place_in_archive"  # attribute of a reader: what is stored of it


@dataclass
class ArchiveVideo:
    """Feature whose values are `VideoReader`s. A row to be written may be one, or {"archive": path, "name": name}."""

    decode: bool = True  # False: rows are {"archive": path, "name": name}
    layers: str = "all"  # this and the others: as `Archive` takes them
    device: str = "cpu"
    precision: str = "fp32"
    size: str = "original"
    id: str | None = field(default=None, repr=False)
    dtype: ClassVar[str] = "dnerv.VideoReader"
    pa_type: ClassVar[Any] = pa.struct({"archive": pa.string(), "name": pa.string()})
    _type: str = field(default="ArchiveVideo", init=False, repr=False)

    def __call__(self) -> Any:
        """Arrow's type."""
        return self.pa_type

    def encode_example(self, value: Any) -> dict[str, str]:
        """What is stored of a value. Raises InputError for one that is neither a reader nor a place."""
        if isinstance(value, VideoReader):
            value = getattr(value, _PLACE, None)
        if isinstance(value, Mapping) and all(isinstance(value.get(key), str) for key in ("archive", "name")):
            return {"archive": value["archive"], "name": value["name"]}
        raise InputError('a video of a dataset is {"archive": path, "name": name}, or a reader that came from one')

    def decode_example(self, value: Mapping[str, str], token_per_repo_id: object = None) -> VideoReader:
        """A reader of the video. Raises ArchiveError, VideoNameError."""
        archive = _opened(os.getpid(), value["archive"], self.layers, self.device, self.precision, self.size)
        reader = archive[value["name"]]
        setattr(reader, _PLACE, dict(value))
        return reader

    def flatten(self) -> Any:
        """Its columns, where it does not decode."""
        from datasets import Value

        return self if self.decode else {"archive": Value("string"), "name": Value("string")}

    def cast_storage(self, storage: Any) -> Any:
        """A column of places as one of this type."""
        return storage.cast(self.pa_type)

    def embed_storage(self, storage: Any, **options: object) -> Any:
        """Videos stay in their archives."""
        return storage


@lru_cache(_OPEN)
def _opened(process: int, path: str, layers: str, device: str, precision: str, size: str) -> Archive:
    """One of this process: what a fork inherits is its parent's."""
    return Archive(
        path,
        layers=cast("Layers", layers),
        device=device,
        precision=cast("Precision", precision),
        size=cast("Literal['original', 'coded']", size),
    )


with catch_warnings():
    simplefilter("ignore", UserWarning)  # the function is called experimental
    register_feature(ArchiveVideo, "ArchiveVideo")

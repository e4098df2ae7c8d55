"""Archives as Hugging Face datasets: a table of what is known of each video, and a column that decodes when read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from dnerv.archive import Archive, Collection, Layers, VideoEntry
from dnerv.archive.entry import sort_key
from dnerv.errors import InputError

if TYPE_CHECKING:
    from datasets import Dataset

    from dnerv.engine.precision import Precision


def to_hf(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Archive | Collection,
    *,
    layers: Layers = "all",
    device: str = "cpu",
    precision: Precision = "fp32",
    size: Literal["original", "coded"] = "original",
) -> Dataset:
    """A `datasets.Dataset` with a row for each video, in the order of names.

    Columns: `name`; `label`, a ClassLabel, null where a video has none (no column where none has any); `num_frames`;
    `fps`; `height` and `width` of its frames in pixels; `video`, a `VideoReader`, made when a row is read. Its frames
    are decoded when they are asked for. The table holds no videos: it names the archive's files, which have to stay
    where they are. Worker processes open them for themselves.

    Args:
        source: what `dnerv.open` takes, or what it gave: an archive or a collection.
        layers, device, precision, size: as `dnerv.open` takes them: how the rows' readers are opened.

    Raises:
        InputError: the extra is missing, or a name is no Unicode text, which Arrow's tables cannot hold.
        ArchiveError: an archive is damaged.
    """
    try:
        from datasets import ClassLabel, Dataset, Features, Value

        from dnerv.integrations.hf_feature import ArchiveVideo
    except ImportError:
        raise InputError("to_hf needs the extra: pip install 'dnerv[hf]'") from None
    rows = _rows(source)
    labels = sorted({entry.label for _, entry in rows if entry.label is not None}, key=sort_key)
    _check_text([*(entry.name for _, entry in rows), *labels])
    sizes = [entry.original_size if size == "original" else entry.coded_size for _, entry in rows]
    columns: dict[str, tuple[Any, list[Any]]] = {
        "name": (Value("string"), [entry.name for _, entry in rows]),
        "label": (ClassLabel(names=labels), [entry.label for _, entry in rows]),
        "num_frames": (Value("int64"), [entry.timing.num_frames for _, entry in rows]),
        "fps": (Value("float64"), [float(entry.timing.average_fps) for _, entry in rows]),
        "height": (Value("int32"), [height for height, _ in sizes]),
        "width": (Value("int32"), [width for _, width in sizes]),
        "video": (
            ArchiveVideo(layers=layers, device=device, precision=precision, size=size),
            [{"archive": path, "name": entry.name} for path, entry in rows],
        ),
    }
    if not labels:
        del columns["label"]
    features = Features({name: kind for name, (kind, _) in columns.items()})
    made: Dataset = Dataset.from_dict({name: values for name, (_, values) in columns.items()}, features=features)
    return made


def _rows(source: Any) -> list[tuple[str, VideoEntry]]:
    """Each video with the path of its file, in the order of names. What is opened here is closed again."""
    if isinstance(source, Archive | Collection):
        return _rows_of(source)
    from dnerv.archive import open_archives

    with open_archives(source, layers="base") as opened:
        return _rows_of(opened)


def _rows_of(opened: Archive | Collection) -> list[tuple[str, VideoEntry]]:
    located = map(opened.located, range(len(opened)))
    return [(archive.container.name, entry) for archive, entry in located]


def _check_text(texts: Sequence[str]) -> None:
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InputError(f"the name {text!r} is no Unicode text, which Arrow's tables cannot hold") from None

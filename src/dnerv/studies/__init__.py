"""Measurements that stand on the whole package: one protocol, one runner, one file a table of the paper.

    record = run_study("joint", [Path("videos")], Path("out"), JointOptions(counts=(1, 2)))

To add a study, write its file (`examples/own_study.py` is a whole one) and add its row below.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dnerv.on_use import imports_on_use

if TYPE_CHECKING:
    from dnerv.studies.runner import run_study
    from dnerv.studies.study import Study

__all__ = ["STUDIES", "SUMMARIES", "run_study"]

__getattr__ = imports_on_use(__name__, {"run_study": "runner"})

# By name: the class, and the line that the list of commands shows. In the order in which a report shows them.
_TABLE: Mapping[str, tuple[str, str]] = {
    "layers": ("layers.study:Layers", "Archives without a network against AV1 files; access priced."),
    "compare": ("compare.study:Compare", "Draw rate-distortion curves of networks and video codecs."),
    "ablation": ("ablation.study:Ablation", "Leave out or replace each part, at equal bytes."),
    "convergence": ("convergence:Convergence", "Train longer and longer, at several learning rates."),
    "diversity": ("diversity:Diversity", "Encode as many clips from few sources as from many."),
    "joint": ("joint:Joint", "Compare one archive of all videos with one of each."),
    "bench": ("bench.study:Bench", "Measure loading speed against stored frames, H.264 and NeRV."),
    "recognition": ("recognition.study:Recognition", "Recognise actions in compressed videos."),
    "cloning": ("cloning.study:Cloning", "Clone a robot's behaviour from compressed episodes."),
    "inpainting": ("inpainting:Inpainting", "Hide random boxes: NeRV, one NeRV for all videos, and D-NeRV."),
    "inpaint": ("inpaint:Inpaint", "Hide parts of videos and have the network make them up."),
    "interpolation": ("interpolation:Interpolation", "Hold out every second frame, and decode it all the same."),
}

SUMMARIES: Mapping[str, str] = {name: line for name, (_, line) in _TABLE.items()}


class _Studies(Mapping[str, "Study[Any, Any, Any]"]):
    """The studies, each imported when it is first asked for."""

    def __getitem__(self, name: str) -> "Study[Any, Any, Any]":
        module, _, kind = _TABLE[name][0].partition(":")
        made: Study[Any, Any, Any] = getattr(import_module(f"{__name__}.{module}"), kind)()
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(_TABLE)

    def __len__(self) -> int:
        return len(_TABLE)


STUDIES: Mapping[str, "Study[Any, Any, Any]"] = _Studies()

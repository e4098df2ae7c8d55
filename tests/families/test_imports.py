"""The networks run where only torch and numpy are installed."""

import subprocess

PROGRAM = """
import sys
for name in ("av", "constriction", "rich", "typer", "pytorch_msssim"):
    sys.modules[name] = None
import torch
from dnerv.families import DNeRVConfig, build_model, ClipRequest, assemble
from dnerv.video import Timeline
config = DNeRVConfig(2, (1, 1), (2, 2), clip_length=2, keyframe_every=2)
request = ClipRequest(Timeline(2, 2, 2).clip_conditioning(0), 0, torch.zeros(2, 3, 4, 4, dtype=torch.uint8), (40.0, 2))
print(tuple(build_model(config)(assemble([request])).shape))
"""


def test_model_needs_torch_and_numpy_alone(warm_python: str) -> None:
    done = subprocess.run([warm_python, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(1, 2, 3, 4, 4)"

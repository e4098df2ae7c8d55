"""Train a small classifier out of an archive whose videos have labels: batches come from `dnerv.Loader`.

dnerv encode VIDEOS -o clips.dnerv                  # a folder for each class, or --labels FILE.csv
python examples/train_a_classifier.py clips.dnerv
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

import dnerv


def classifier(classes: int) -> nn.Module:
    """Two 3-D convolutions and a mean over time and place: float32 [B, 3, T, H, W] to logits [B, classes]."""
    return nn.Sequential(
        nn.Conv3d(3, 16, (3, 5, 5), stride=(1, 4, 4), padding=(1, 2, 2)),
        nn.ReLU(),
        nn.Conv3d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
        nn.Linear(32, classes),
    )


def main(path: Path, *, epochs: int = 10, batch_size: int = 4, clip_length: int = 8) -> float:
    """Train, and return the share of clips that come out right."""
    torch.manual_seed(0)
    loader = dnerv.Loader(
        path, batch_size=batch_size, clip_length=clip_length, shuffle=True, flip=True, normalise="archive"
    )
    network = classifier(len(loader.class_names))
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for epoch in range(epochs):
        for clips, labels, _ in loader:  # float32 [B, T, 3, H, W], int64 [B]
            loss = F.cross_entropy(network(clips.transpose(1, 2)), labels)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        print(f"epoch {epoch + 1} of {epochs}: loss {loss.item():.3f}")

    right = seen = 0
    with torch.inference_mode():
        for clips, labels, _ in dnerv.Loader(path, batch_size=batch_size, clip_length=clip_length, normalise="archive"):
            right += int((network(clips.transpose(1, 2)).argmax(1) == labels).sum())
            seen += len(labels)
    print(f"{right} of {seen} clips are recognised")
    return right / seen


if __name__ == "__main__":
    main(Path(sys.argv[1]))

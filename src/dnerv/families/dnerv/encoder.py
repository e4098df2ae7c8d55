"""The visual content encoder: keyframes to multi-scale features (D-NeRV section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F


class VisualContentEncoder(nn.Module):
    """A 3x3 convolution, then one strided convolution per decoder stage, GELU after each.

    With an output stride above 1, squares of pixels enter as channels: the finest features are as coarse as the
    decoder's last ones.
    """

    def __init__(self, channels: int, decoder_strides: Sequence[int], output_stride: int = 1) -> None:
        super().__init__()
        self.output_stride = output_stride
        self.head = nn.Conv2d(3 * output_stride**2, channels, 3, padding=1)
        self.body = nn.ModuleList(
            nn.Conv2d(channels, channels, stride, stride=stride) for stride in reversed(decoder_strides)
        )

    def forward(self, keyframes: Tensor) -> list[Tensor]:
        """Normalised RGB [M, 3, H, W] -> one map per decoder scale, coarse to fine; the last is the RGB itself."""
        maps = [keyframes]
        x = F.gelu(self.head(F.pixel_unshuffle(keyframes, self.output_stride)))
        for stage in self.body:
            x = F.gelu(stage(x))
            maps.append(x)
        return maps[::-1]

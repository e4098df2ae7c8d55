"""Bilinear warping as one sparse product: rows of a feature table, gathered and weighed.

A pixel's warped feature is the weighted sum of four neighbours in the keyframe before it and of four in the one after,
the weights being the bilinear ones times the share of that keyframe. With features as rows of a table that is one bag
of eight rows per pixel, which embedding kernels sum without an intermediate; `dnerv.families.dnerv.flow.warp`, twice,
and the blend are the reference. The gradient of the table is the transposed product: pixels are sorted by the row that
they start from, so that every row sums a run of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Grid(NamedTuple):
    """Pixels of a scale, laid out as flow planes are: x and y of each, and its keyframes' places in the table."""

    x: Tensor  # float32, broadcasts over a flow plane
    y: Tensor
    first_rows: Tensor  # int32 [2, ...], broadcasts: row of the first pixel of the keyframes before and after
    rows: int  # pixels
    columns: int


def gather(table: Tensor, flow: Tensor, share: Tensor | None, grid: Grid) -> Tensor:
    """Warped features of M pixels.

    Args:
        table: [R, E], a row per pixel of each keyframe, row-major, one keyframe after the other; `grid.columns + 1`
            more rows of finite numbers at the end are read with weight zero.
        flow: float32 [4, *S], S any layout of the M pixels: dx and dy to the keyframe before, then to the one after,
            in pixels of the scale. Borders are repeated.
        share: float32, broadcasts over S: share of the keyframe after; None for both keyframes unblended.
        grid: the pixels, in the layout S.

    Returns:
        [M, E] blended or [M, 2, E] both, pixels in the order of S; in the dtype of `table`. Differentiable in `table`,
        `flow` and `share`.
    """
    if torch.is_grad_enabled():
        made: Tensor = _Gather.apply(table, flow, share, grid)  # type: ignore[no-untyped-call]
        return made
    index, across, down, _ = _places(flow, grid, len(table))
    return _sum_bags(table, index, _weights(across, down, _shares(share, across)), blended=share is not None)


def directions(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Flow planes [4, ...] as dx and dy [2, ...], to the keyframe before and to the one after."""
    dx, dy = torch.unflatten(flow, 0, (2, 2)).unbind(1)
    return dx, dy


def padded_table(maps: Tensor) -> Tensor:
    """Features [M, h, w, E] as the table of `gather`: [M * h * w + w + 1, E]."""
    _, _, columns, channels = maps.shape
    return torch.cat((maps.reshape(-1, channels), maps.new_zeros(columns + 1, channels)))


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, flow: Tensor, share: Tensor | None, grid: Grid) -> Tensor:
        index, across, down, inside = _places(flow, grid, len(table), keep_inside=True)
        weights = _weights(across, down, _shares(share, across))
        with torch.enable_grad():  # of the weights alone: autograd knows the gradient of a bag's weights
            leaf = weights.detach().requires_grad_(ctx.needs_input_grad[1])
            # The gradient of the weights, a dot product per neighbour, is six times slower in half precision.
            made = _sum_bags(table.detach().float(), index, leaf, blended=share is not None)
        ctx.made, ctx.leaf, ctx.rows, ctx.columns, ctx.dtype = made, leaf, table.shape[0], grid.columns, table.dtype
        ctx.save_for_backward(index, across, down, inside, share)
        return made.detach().to(table.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        gradient = gradients[0].contiguous().float()
        index, across, down, inside, share = ctx.saved_tensors
        for_table = for_flow = for_share = None
        if ctx.needs_input_grad[0]:
            for_table = _table_gradient(
                gradient, index, ctx.leaf.detach(), ctx.rows, ctx.columns, blended=share is not None
            ).to(ctx.dtype)
        if ctx.needs_input_grad[1]:
            (of_weights,) = torch.autograd.grad(ctx.made, ctx.leaf, gradient)
            for_flow, for_share = _flow_gradient(of_weights, across, down, inside, _shares(share, across))
        ctx.made = ctx.leaf = None
        if share is not None and for_share is not None:
            for_share = for_share.sum_to_size(share.shape)
        return for_table, for_flow, for_share, None


def _places(
    flow: Tensor, grid: Grid, table_rows: int, *, keep_inside: bool = False
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """-> rows of the four neighbours int32 [*S, 2, 4], ways across and down [2, *S], which flow no border stopped."""
    dx, dy = directions(flow)
    x, y = dx + grid.x, dy + grid.y  # (2, *S) each
    inside = None
    if keep_inside:
        inside = torch.stack(((x > 0) & (x < grid.columns - 1), (y > 0) & (y < grid.rows - 1)), dim=1)
    x, y = x.clamp_(0, grid.columns - 1), y.clamp_(0, grid.rows - 1)
    left, top = x.floor(), y.floor()
    across, down = x.sub_(left), y.sub_(top)
    row = top.mul_(grid.columns).add_(left).to(torch.int32).add_(grid.first_rows)
    row.clamp_(0, table_rows - grid.columns - 2)  # flow that is not a number: its row is any, its weight not a number
    neighbours = torch.tensor((0, 1, grid.columns, grid.columns + 1), dtype=torch.int32, device=flow.device)
    index = torch.empty(*flow.shape[1:], 2, 4, dtype=torch.int32, device=flow.device)
    torch.add(row.movedim(0, -1)[..., None], neighbours, out=index)
    return index, across, down, inside


def _shares(share: Tensor | None, across: Tensor) -> Tensor | None:
    """Shares of the keyframes before and after, [2, *S] or broadcasting over it."""
    return None if share is None else torch.stack((1 - share, share))


def _weights(across: Tensor, down: Tensor, shares: Tensor | None) -> Tensor:
    """-> float32 [*S, 2, 4], in the order of `_places`."""
    weights = across.new_empty(*across.shape[1:], 2, 4).movedim(-2, 0)  # (2, *S, 4)
    lower = down if shares is None else down * shares
    upper = (1 - down) if shares is None else shares - lower
    for k, part in ((2, lower), (0, upper)):
        right = torch.mul(part, across, out=weights[..., k + 1])
        torch.sub(part, right, out=weights[..., k])
    return weights.movedim(0, -2)


def _sum_bags(table: Tensor, index: Tensor, weights: Tensor, *, blended: bool) -> Tensor:
    size = 8 if blended else 4
    made = F.embedding_bag(
        index.view(-1, size), table, per_sample_weights=weights.reshape(-1, size).to(table.dtype), mode="sum"
    )
    return made if blended else made.view(-1, 2, table.shape[1])


def _table_gradient(
    gradient: Tensor, index: Tensor, weights: Tensor, rows: int, columns: int, *, blended: bool
) -> Tensor:
    """The transposed product, by the first of the four neighbours; the other three are its shifts."""
    first = index[..., 0].reshape(-1)
    start, order = torch.sort(first)
    source = (order // 2 if blended else order).to(torch.int32)
    starts = torch.searchsorted(start, torch.arange(rows + 1, dtype=torch.int32, device=start.device), out_int32=True)
    ordered = weights.view(-1, 4)[order]
    gradient = gradient.view(-1, gradient.shape[-1])
    made = None
    for k, shift in enumerate((0, 1, columns, columns + 1)):
        part = F.embedding_bag(
            source,
            gradient,
            starts,
            per_sample_weights=ordered[:, k].contiguous(),
            mode="sum",
            include_last_offset=True,
        )
        if made is None:
            made = part
        else:
            made[shift:] += part[: rows - shift]
    assert made is not None
    return made


def _flow_gradient(
    of_weights: Tensor, across: Tensor, down: Tensor, inside: Tensor, shares: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """-> gradients of the flow [4, *S], and of the share of the keyframe after [*S]."""
    g00, g01, g10, g11 = of_weights.float().movedim(-2, 0).unbind(-1)  # (2, *S) each
    upper, lower = g01 - g00, g11 - g10
    twist = lower - upper
    for_x = torch.addcmul(upper, twist, down)
    for_y = torch.addcmul(g10 - g00, twist, across)
    for_share = None
    if shares is not None:
        mean = g00 + upper * across + down * for_y  # sum of corner weights times their gradients
        for_share = mean[1] - mean[0]
        for_x, for_y = for_x * shares, for_y * shares
    for_flow = torch.stack((for_x, for_y), dim=1).mul_(inside)
    return for_flow.flatten(0, 1), for_share

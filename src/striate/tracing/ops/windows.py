"""Pools, padding, interpolation, unfolding."""

from __future__ import annotations

from typing import cast

import torch

from striate.tracing.fields.joins import anywhere
from striate.tracing.fields.lines import Offsets
from striate.tracing.fields.reach import (
    Rank,
)
from striate.tracing.fields.resample import adaptive, antialiased, resize, taps
from striate.tracing.fields.unions import union
from striate.tracing.fields.windows import pad as padded
from striate.tracing.fields.windows import pool as pooled
from striate.tracing.ops.call import Call, Effect, op, sized


def _axes_of(name: str) -> int:
    return next(int(n) for n in "321" if f"{n}d" in name)


@op(*(f"{kind}_pool{k}d" for kind in ("max", "avg") for k in "123"),
    *(f"max_pool{k}d_with_indices" for k in "123"), "mkldnn_max_pool2d")  # fmt: skip
def pool(call: Call) -> Effect:
    """(input, kernel, stride, padding, dilation or ceil_mode, …)."""
    k = _axes_of(call.name)
    kernel = sized(call.args[1], k)
    stride = sized(call.get(2, "stride") or kernel, k)
    padding = sized(call.get(3, "padding", 0), k)
    is_max = call.name.startswith("max")
    dilation = sized(call.get(4, "dilation", 1), k) if is_max else (1,) * k
    ceil = bool(call.get(5 if is_max else 4, "ceil_mode", False))
    out = tuple(call.first.shape)
    reach = call.reach
    seen = reach and pooled(reach, kernel, stride, padding, dilation, out)
    attrs = {
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "ceil_mode": ceil,
    }
    name = f"{'max' if is_max else 'avg'}_pool{k}d"
    alone = isinstance(call.out, torch.Tensor)
    indices = call.first.numel() * 8 if is_max and alone else 0  # int64, thrown away
    return Effect(call.each_output(seen), attrs=attrs, name=name, scratch=indices)


@op(*(f"adaptive_{kind}_pool{k}d" for kind in ("max", "avg") for k in "123"),
    "_adaptive_avg_pool2d", "_adaptive_avg_pool3d")  # fmt: skip
def adaptive_pool(call: Call) -> Effect:
    """(input, output size)."""
    k = _axes_of(call.name)
    out = tuple(call.first.shape)[-k:]
    reach = call.reach
    seen = reach and adaptive(reach, out)
    given = tuple(call.args[0].shape)[-k:]
    attrs = {
        "output": out,
        "kernel": tuple(-(-n // m) for n, m in zip(given, out, strict=True)),
        "stride": tuple(n // m for n, m in zip(given, out, strict=True)),
        "padding": (0,) * k,
    }
    return Effect(call.each_output(seen), attrs=attrs)


@op(
    "pad",
    "constant_pad_nd",
    "_pad_circular",
    "_pad_enum",
    *(f"{kind}_pad{k}d" for kind in ("reflection", "replication") for k in "123"),
    name="pad",
)
def pad(call: Call) -> Effect:
    """(input, amounts from the last dimension back, mode, value); may be negative (a crop)."""
    amounts = tuple(call.args[1])
    mode = "constant"
    if call.name == "pad":
        mode = call.get(2, "mode", "constant")
    elif call.name != "constant_pad_nd":
        mode = call.name.split("_pad")[0].strip("_") or "circular"
    rank = call.args[0].dim()
    before = {
        rank - 1 - i // 2: (amounts[i], amounts[i + 1])
        for i in range(0, len(amounts), 2)
        if amounts[i] or amounts[i + 1]
    }
    reach = call.reach
    attrs = {"padding": amounts, "mode": mode}
    return Effect(reach and padded(reach, before, filled=mode != "constant"), attrs=attrs)


@op(
    *(f"upsample_nearest{k}d" for k in "123"), *(f"_upsample_nearest_exact{k}d" for k in "123"),
    "upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d", "upsample_bicubic2d",
    "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", name="interpolate",
)  # fmt: skip
def interpolate(call: Call) -> Effect:
    """(input, size, [align_corners], scale factors): which inputs each output reads."""
    name = call.name
    kind = "nearest" if "nearest" in name else "cubic" if "cubic" in name else "linear"
    align = kind != "nearest" and bool(call.get(2, "align_corners", False))
    k = _axes_of(name)
    given, out = tuple(call.args[0].shape), tuple(call.out.shape)
    scales = _scales(call, kind, k)
    reach = call.reach
    attrs = {"mode": kind, "scale": tuple(out[-k + i] / given[-k + i] for i in range(k))}
    if reach is None:
        return Effect(attrs=attrs)
    tables: dict[int, tuple[Offsets, Offsets]] = {}
    for i in range(k):
        d = len(out) - k + i
        n, m = given[d], out[d]
        if name.endswith("_aa"):
            tables[d] = antialiased(n, m, scales[i], kind)
        else:
            exact = "exact" in name
            tables[d] = taps(n, m, scales[i], kind, align=align, exact_nearest=exact)
    return Effect(resize(reach, tables), attrs=attrs)


def _scales(call: Call, kind: str, k: int) -> list[float | None]:
    """Scale factors that were passed on to the kernel (``recompute_scale_factor`` is off)."""
    rest = list(call.args[2:] if kind == "nearest" else call.args[3:])
    if not rest:
        rest = [call.kwargs.get("scale_factors")]
    if isinstance(rest[0], (list, tuple)):
        rest = list(cast("list[float]", rest[0]))
    return [*rest, *[None] * k][:k]


@op("grid_sampler", "grid_sampler_2d", "grid_sampler_3d", "_grid_sampler_2d_cpu_fallback",
    "cudnn_grid_sampler", "max_unpool2d", "max_unpool3d", name="grid_sample")  # fmt: skip
def sampled(call: Call) -> Effect:
    """(input, grid, …): positions are values; where the image decides them, nothing is known."""
    reach, grid = call.reach, call.reach_of(call.args[1])
    seen = reach if grid is None else grid if reach is None else None
    shape = tuple(call.out.shape)
    if reach is None and grid is None:
        return Effect()
    rank = Rank.BOUND if grid is None else Rank.DATA
    if seen is not None:
        return Effect(anywhere(seen, shape, rank))
    assert reach is not None
    assert grid is not None
    return Effect(union(anywhere(reach, shape, rank), anywhere(grid, shape, rank)))

"""Pools, padding, interpolation, unfolding."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from striate.tracing.fields.joins import anywhere, union, without
from striate.tracing.fields.moves import permute as move
from striate.tracing.fields.moves import reshape as rearrange
from striate.tracing.fields.moves import split_dim
from striate.tracing.fields.reach import Factor, Rank, Reach, Term, shifted, still, worsened
from striate.tracing.fields.resample import adaptive, antialiased, resize, taps
from striate.tracing.fields.windows import pad as padded
from striate.tracing.fields.windows import pool as pooled
from striate.tracing.fields.windows import convolve_transposed, remap, slide
from striate.tracing.ops.call import Call, Effect, op, sized


def _axes_of(name: str) -> int:
    return next(int(n) for n in "321" if f"{n}d" in name)


@op(*(f"{kind}_pool{k}d{tail}" for kind in ("max", "avg") for k in "123"
      for tail in ("", "_with_indices")), "mkldnn_max_pool2d")  # fmt: skip
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
    many = not isinstance(call.out, torch.Tensor)
    return Effect([seen, seen] if many else seen, attrs=attrs, name=name)


@op(*(f"{lead}adaptive_{kind}_pool{k}d" for lead in ("", "_") for kind in ("max", "avg")
      for k in "123"))  # fmt: skip
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
    many = not isinstance(call.out, torch.Tensor)
    return Effect([seen, seen] if many else seen, attrs=attrs)


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


_UPSAMPLE = tuple(
    f"{lead}upsample_{kind}{tail}"
    for lead in ("", "_")
    for kind in (
        "nearest1d", "nearest2d", "nearest3d", "nearest_exact1d", "nearest_exact2d",
        "nearest_exact3d", "linear1d", "bilinear2d", "trilinear3d", "bicubic2d",
    )
    for tail in ("", "_aa")
)  # fmt: skip


@op(*_UPSAMPLE, name="interpolate")
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
    tables = {}
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
    rest = call.args[2:] if kind == "nearest" else call.args[3:]
    if not rest:
        factors = call.kwargs.get("scale_factors")
        return list(factors) if factors else [None] * k
    if isinstance(rest[0], (list, tuple)):
        return list(rest[0])
    return [*rest, *[None] * k][:k]


@op("im2col", name="unfold")
def im2col(call: Call) -> Effect:
    """(input (N, C, H, W), kernel, dilation, padding, stride) → (N, C·kh·kw, oh·ow)."""
    reach = call.reach
    if reach is None:
        return Effect()
    kernel, dilation, padding, stride = (sized(call.args[i], 2) for i in range(1, 5))
    n, channels, height, width = call.args[0].shape
    out = [
        (side + 2 * p - d * (k - 1) - 1) // s + 1
        for side, k, d, p, s in zip((height, width), kernel, dilation, padding, stride, strict=True)
    ]

    def change(term: Term) -> Term:
        for i, d in ((1, 3), (0, 2)):
            term = windows_of(term, d, out[i], kernel[i], stride[i], dilation[i], padding[i])
        return term  # (N, C, oh, kh, ow, kw)

    seen = move(reach.each(change), (0, 1, 3, 5, 2, 4))
    seen = rearrange(seen, (n, channels * kernel[0] * kernel[1], out[0] * out[1]))
    attrs = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    return Effect(seen, attrs=attrs)


@op("col2im", name="fold")
def col2im(call: Call) -> Effect:
    """(input (N, C·kh·kw, oh·ow), output size, kernel, dilation, padding, stride) → (N, C, H, W)."""
    reach = call.reach
    kernel, dilation, padding, stride = (sized(call.args[i], 2) for i in range(2, 6))
    attrs = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    if reach is None:
        return Effect(attrs=attrs)
    n, channels, height, width = call.out.shape
    out = [
        (side + 2 * p - d * (k - 1) - 1) // s + 1
        for side, k, d, p, s in zip((height, width), kernel, dilation, padding, stride, strict=True)
    ]
    seen = rearrange(reach, (n, channels, *kernel, *out))
    places = {d for term in seen.terms for d in (2, 3) if not still(term.dims[d])}
    seen = without(seen, {2, 3}, keep=False)
    seen = convolve_transposed(
        seen,
        channels=channels,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=channels,
        out=(n, channels, height, width),
    )
    return Effect(worsened(seen, Rank.BOUND) if places else seen, attrs=attrs)


def windows_of(
    term: Term, d: int, out: int, kernel: int, stride: int, dilation: int, padding: int
) -> Term:
    """Dimension ``d`` as (windows, places in a window): nothing is mixed, places are told apart."""
    dim = term.dims[d]
    if len(dim) == 1 and not any(not isinstance(line, int) for line in dim[0].lines):
        factor = dim[0]
        outer = Factor(out, tuple(x * stride for x in factor.lines), factor.axes, factor.mixed)  # type: ignore[arg-type,operator]  # ints, as just checked
        inner = Factor(kernel, tuple(x * dilation for x in factor.lines), factor.axes, factor.mixed)  # type: ignore[arg-type,operator]  # likewise
        term = slide(term, d, first=-padding, reach=0, stride=stride, out=out, image=(1 << 30,) * 2)
        return Term((*term.dims[:d], (outer,), (inner,), *term.dims[d + 1 :]), term.hulls)
    o = np.arange(out, dtype=np.int64)[:, None] * stride - padding
    index = (o + np.arange(kernel, dtype=np.int64) * dilation).ravel()
    term = remap(term, d, index, index)
    (first, second), lo, hi, rank = split_dim(term.dims[d], (out, kernel))
    hulls = shifted(term.hulls, lo, hi)
    hulls = (
        hulls[0]._replace(rank=max(rank, hulls[0].rank)),
        hulls[1]._replace(rank=max(rank, hulls[1].rank)),
    )
    return Term((*term.dims[:d], first, second, *term.dims[d + 1 :]), hulls)


@op("unfold", kind="view")
def unfold(call: Call) -> Effect:
    """(input, dimension, size, step): windows of one dimension, their places last."""
    reach = call.reach
    if reach is None:
        return Effect()
    d = call.args[1] % call.args[0].dim()
    kernel, step = call.args[2], call.args[3]
    out = call.out.shape[d]
    seen = reach.each(lambda term: windows_of(term, d, out, kernel, step, 1, 0))
    order = [i for i in range(len(seen.shape)) if i != d + 1] + [d + 1]
    return Effect(move(seen, order), attrs={"kernel": kernel, "stride": step})


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

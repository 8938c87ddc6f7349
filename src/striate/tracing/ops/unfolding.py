"""Windows written out side by side, and put back."""

from __future__ import annotations

from striate.tracing.fields.convs import convolve_transposed
from striate.tracing.fields.joins import without
from striate.tracing.fields.moves import permute
from striate.tracing.fields.reach import Rank, Term, still, worsened
from striate.tracing.fields.splitting import reshape, windows_of
from striate.tracing.ops.call import Call, Effect, op, sized


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
            term = windows_of(
                term,
                d,
                out=out[i],
                kernel=kernel[i],
                stride=stride[i],
                dilation=dilation[i],
                padding=padding[i],
            )
        return term  # (N, C, oh, kh, ow, kw)

    seen = permute(reach.each(change), (0, 1, 3, 5, 2, 4))
    seen = reshape(seen, (n, channels * kernel[0] * kernel[1], out[0] * out[1]))
    attrs = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    return Effect(seen, attrs=attrs)


@op("col2im", name="fold")
def col2im(call: Call) -> Effect:
    """(input (N, C·kh·kw, oh·ow), size, kernel, dilation, padding, stride) → (N, C, H, W)."""
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
    seen = reshape(reach, (n, channels, *kernel, *out))
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


@op("unfold", kind="view")
def unfold(call: Call) -> Effect:
    """(input, dimension, size, step): windows of one dimension, their places last."""
    reach = call.reach
    if reach is None:
        return Effect()
    d = call.args[1] % call.args[0].dim()
    kernel, step = call.args[2], call.args[3]
    out = call.out.shape[d]
    seen = reach.each(lambda term: windows_of(term, d, out=out, kernel=kernel, stride=step))
    order = [i for i in range(len(seen.shape)) if i != d + 1] + [d + 1]
    return Effect(permute(seen, order), attrs={"kernel": kernel, "stride": step})

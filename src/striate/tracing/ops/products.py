"""Linear layers, matrix products, attention."""

from __future__ import annotations

from functools import reduce

from striate.tracing.costs import attention, attention_elements, matrix_product
from striate.tracing.fields.contracting import contract
from striate.tracing.fields.joins import product, without
from striate.tracing.fields.moves import expand
from striate.tracing.fields.reach import Reach, Term, plain, still
from striate.tracing.fields.unions import union
from striate.tracing.ops.call import Call, Effect, op


@op("linear")
def linear(call: Call) -> Effect:
    """(input (…, in), weight (out, in), bias)."""
    weight = tuple(call.args[1].shape)
    reach = call.reach
    seen = reach and _last_becomes(reach, weight[0])
    attrs = {
        "in_features": weight[1],
        "out_features": weight[0],
        "bias": call.get(2, "bias") is not None,
    }
    out = call.out
    return Effect(seen, out.numel() * weight[1], out.numel(), attrs)


def _last_becomes(reach: Reach, n: int) -> Reach:
    def change(term: Term) -> Term:
        last = len(term.dims) - 1
        if not still(term.dims[last]):
            term = contract(term, {last}, reach.image, keep=True)
        return Term((*term.dims[:-1], plain(n)), term.hulls)

    return reach.each(change)


@op("addmm", name="linear")
def addmm(call: Call) -> Effect:
    """(bias, left (M, K), right (K, N))."""
    _, left, right = call.args[:3]
    seen = product(call.reach_of(left), call.reach_of(right), tuple(call.out.shape))
    seen = _with_bias(call, seen)
    attrs = {"in_features": right.shape[0], "out_features": right.shape[1], "bias": True}
    macs = matrix_product(tuple(left.shape), tuple(call.out.shape))
    return Effect(seen, macs, call.out.numel(), attrs)


@op("baddbmm")
def baddbmm(call: Call) -> Effect:
    """(input, left (B, M, K), right (B, K, N))."""
    _, left, right = call.args[:3]
    seen = product(call.reach_of(left), call.reach_of(right), tuple(call.out.shape))
    macs = matrix_product(tuple(left.shape), tuple(call.out.shape))
    return Effect(_with_bias(call, seen), macs, call.out.numel())


def _with_bias(call: Call, seen: Reach | None) -> Reach | None:
    bias = call.reach_of(call.args[0])
    if bias is None:
        return seen
    bias = expand(bias, tuple(call.out.shape))
    return bias if seen is None else union(seen, bias)


@op("matmul", "bmm", "mm", "mv", "dot", "linalg_vecdot", "vdot", "inner")
def matmul(call: Call) -> Effect:
    """(left, right), with vectors taken as a row on the left and a column on the right."""
    left, right = call.args[:2]
    a, b = tuple(left.shape), tuple(right.shape)
    out = tuple(call.out.shape)
    shape = out
    seen_a, seen_b = call.reach_of(left), call.reach_of(right)
    if len(b) == 1:
        shape = (*shape, 1)
        seen_b = seen_b and seen_b.each(lambda t: Term((*t.dims, plain(1)), t.hulls))
    if len(a) == 1:
        shape = (*shape[:-1], 1, shape[-1])
        seen_a = seen_a and seen_a.each(lambda t: Term((plain(1), *t.dims), t.hulls))
    seen = product(seen_a, seen_b, shape)
    dropped = {len(shape) - 1} if len(b) == 1 else set[int]()
    if len(a) == 1:
        dropped.add(len(shape) - 2)
    if seen is not None and dropped:
        seen = without(seen, dropped, keep=False)
    elements = call.out.numel()
    attrs = None
    if call.reach_of(right) is None and len(b) == 2:
        attrs = {"in_features": b[0], "out_features": b[1], "bias": False}
    return Effect(seen, elements * a[-1], elements, attrs)


@op("scaled_dot_product_attention", name="attention")
def scaled_dot_product_attention(call: Call) -> Effect:
    """(query (…, L, E), key (…, S, E), value (…, S, V), mask, …): each row sees every key."""
    query, key, value = call.args[:3]
    shapes = tuple(query.shape), tuple(key.shape), tuple(value.shape)
    out = tuple(call.out.shape)
    parts: list[Reach] = []
    if (seen := call.reach_of(query)) is not None:
        parts.append(expand(_last_becomes(seen, out[-1]), out))
    keyed = (call.reach_of(tensor) for tensor in (key, value))
    parts.extend(_every_key(seen, out) for seen in keyed if seen is not None)
    attrs = {"heads": out[-3] if len(out) > 3 else 1, "head_features": shapes[0][-1]}
    return Effect(
        reduce(union, parts) if parts else None,
        attention(*shapes),
        attention_elements(*shapes),
        attrs,
    )


def _every_key(reach: Reach, out: tuple[int, ...]) -> Reach:
    """(…, S, E) contracted over both, as it is seen by each of the L rows of the output."""

    def change(term: Term) -> Term:
        last = len(term.dims) - 1
        term = contract(term, {last - 1, last}, reach.image, keep=True)
        return Term((*term.dims[:-2], plain(out[-2]), plain(out[-1])), term.hulls)

    seen = reach.each(change)
    heads = seen.shape[:-2]
    if heads != out[:-2] and len(heads) == len(out) - 2:  # grouped queries share keys
        seen = seen.each(
            lambda term: Term(
                tuple(
                    dim if n == m else plain(m)
                    for dim, n, m in zip(term.dims, seen.shape, out, strict=True)
                ),
                term.hulls,
            )
        )
    return expand(seen, out)

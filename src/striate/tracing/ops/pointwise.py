"""Element by element: activations, arithmetic, dropout, norms, softmax."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from striate.tracing.fields.gates import meet
from striate.tracing.fields.joins import everywhere, without
from striate.tracing.fields.moves import expand, take
from striate.tracing.fields.reach import Reach, still
from striate.tracing.fields.windows import remap
from striate.tracing.ops.call import Call, Effect, op, tensors_in


@op(
    "prelu", "hardswish", "rrelu", "rrelu_with_noise", "celu", "selu", "relu6",
    "masked_fill", "copy", "copy_", "fill", "fill_", "where", "lerp", "clamp", "log_sigmoid",
    "fake_quantize_per_tensor_affine", "fake_quantize_per_channel_affine", "zero_",
    "masked_fill_", "hardswish_", "rrelu_", "relu6_", "celu_", "selu_",
    "clone", "square", "square_", "log_sigmoid_forward",
    "_weight_norm", "_weight_norm_interface",
)  # fmt: skip
def pointwise(call: Call) -> Effect:
    """Operands of any number, broadcast against each other."""
    seen: list[Reach] = []
    for tensor in tensors_in(call.args):
        reach = call.reach_of(tensor)
        if reach is not None:
            seen.append(reach)
    if not seen:
        return Effect()
    first = call.first
    if len(seen) == 1 and seen[0].shape == first.shape:
        return Effect(seen[0])
    together, gate = meet(seen, tuple(first.shape))
    return Effect(together, gate=gate)


@op("dropout", "native_dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout",
    "dropout_", "feature_dropout_", "alpha_dropout_")  # fmt: skip
def dropout(call: Call) -> Effect:
    """(input, p, train)."""
    return pointwise(call)._replace(attrs={"p": float(call.get(1, "p", 0.5))})


@op("hardtanh", "hardtanh_")
def hardtanh(call: Call) -> Effect:
    """(input, least, most): ReLU6 where these are 0 and 6."""
    limits = (call.get(1, "min_val", -1), call.get(2, "max_val", 1))
    return Effect(call.reach, name="relu6" if limits == (0, 6) else "hardtanh")


@op("glu")
def glu(call: Call) -> Effect:
    """(input, dim): half of it times the sigmoid of the other half."""
    reach = call.reach
    if reach is None:
        return Effect()
    d = call.get(1, "dim", -1) % call.args[0].dim()
    half = call.args[0].shape[d] // 2
    parts = [take(reach, d, 0, 1, half), take(reach, d, half, 1, half)]
    return Effect(meet(parts, tuple(call.out.shape)).reach)


@op("batch_norm", "native_batch_norm", "_native_batch_norm_legit", "cudnn_batch_norm",
    "_native_batch_norm_legit_no_training", "_batch_norm_with_update",
    "_batch_norm_no_update", name="batch_norm")  # fmt: skip
def batch_norm(call: Call) -> Effect:
    """(input, weight, bias, running mean, running variance, …): pointwise once trained."""
    given = call.args[0]
    affine = call.get(1, "weight") is not None
    attrs = {"num_features": given.shape[1], "affine": affine}
    return Effect(call.reach, attrs=attrs)


@op("layer_norm", "native_layer_norm", "rms_norm", "_fused_rms_norm")
def layer_norm(call: Call) -> Effect:
    """(input, normalised shape, weight, bias, eps): statistics over the last dimensions."""
    shape = tuple(call.args[1])
    first = call.args[0].dim() - len(shape)
    reach = _with_statistics(call.reach, range(first, call.args[0].dim()))
    attrs = {"num_features": shape[-1], "normalized_shape": shape}
    name = "rms_norm" if "rms" in call.name else "layer_norm"
    return Effect(reach, attrs=attrs, name=name)


@op("group_norm", "native_group_norm", "instance_norm", name="group_norm")
def group_norm(call: Call) -> Effect:
    """Statistics over space, in groups of channels (one channel each for an instance norm)."""
    given = call.args[0]
    reach = _with_statistics(call.reach, range(2, given.dim()))
    attrs = {"num_features": given.shape[1]}
    if call.name == "group_norm":
        attrs["groups"] = call.args[1]
    name = "instance_norm" if call.name == "instance_norm" else "group_norm"
    return Effect(reach, attrs=attrs, name=name)


def _with_statistics(reach: Reach | None, over: Iterable[int]) -> Reach | None:
    """A norm's statistics over positions are a gate: left out, and said so."""
    if reach is None or all(still(term.dims[d]) for term in reach.terms for d in over):
        return reach
    return reach._replace(gated=True)


@op("softmax", "_softmax", "log_softmax", "_log_softmax", "_safe_softmax")
def softmax(call: Call) -> Effect:
    """(input, dim): every element along ``dim`` sees the others through the sum."""
    given = call.args[0]
    if call.reach is None:
        return Effect()
    d = call.get(1, "dim") % given.dim()
    name = "log_softmax" if "log" in call.name else "softmax"
    return Effect(everywhere(call.reach, {d}), attrs={"dim": d}, name=name)


@op("_fft_r2c", "_fft_c2c", "_fft_c2r")
def fourier(call: Call) -> Effect:
    """(input, dims, …): every frequency sees all positions; its products are not counted."""
    reach = call.reach
    if reach is None:
        return Effect(macs=None)
    over = {d % call.args[0].dim() for d in call.args[1]}
    seen = expand(without(reach, over, keep=True), tuple(call.out.shape))
    return Effect(seen, macs=None)


@op("cumsum", "cumprod", "logcumsumexp", "cummax", "cummin")
def running(call: Call) -> Effect:
    """(input, dim): each index along a dimension sees those up to itself."""
    reach = call.reach
    if reach is None:
        return Effect()
    given = call.args[0]
    d: int = call.get(1, "dim", -1) % max(1, given.dim())
    index = np.arange(given.shape[d], dtype=np.int64)
    seen = reach.each(lambda term: remap(term, d, np.zeros_like(index), index))
    return Effect(call.each_output(seen), attrs={"dim": d})


@op("sort", "argsort", "topk")
def along(call: Call) -> Effect:
    """Each index along a dimension may see any other there."""
    given = call.args[0]
    if call.reach is None:
        return Effect()
    position = 2 if call.name == "topk" else 1
    d: int = call.get(position, "dim", -1) % max(1, given.dim())
    reach = everywhere(call.reach, {d})
    kept: int = call.first.shape[d]
    reach = take(reach, d, 0, 1, kept)
    return Effect(call.each_output(reach))

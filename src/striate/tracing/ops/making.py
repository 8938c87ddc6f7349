"""Tensors that are the same as another, and tensors from nothing."""

from __future__ import annotations

from striate.tracing.ops.call import Call, Effect, op


@op("contiguous", "detach", "type_as", "alias", "to", "_to_copy", "lift_fresh", "resolve_conj",
    "resolve_neg", "positive", "detach_", "data", "pin_memory", "_conj",
    "requires_grad_", "lift_fresh_copy", "set_data",
    "_autocast_to_full_precision", "_autocast_to_reduced_precision", kind="alias")  # fmt: skip
def alias(call: Call) -> Effect:
    """The same values, at most in another layout or type."""
    return Effect(call.reach)


@op("empty", "zeros", "ones", "full", "arange", "linspace", "eye", "rand", "randn", "randint",
    "empty_like", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like", "new_empty",
    "new_zeros", "new_ones", "new_full", "empty_strided", "new_empty_strided", "scalar_tensor",
    "randperm", "bernoulli", "tril_indices", "triu_indices", "logspace", "empty_permuted",
    "randint_like", "hann_window", "normal_functional", "_shape_as_tensor", "sym_size",
    "sym_numel", "sym_stride", "is_same_size", "normal_", "uniform_", "bernoulli_",
    "randint", "random_", kind="make")  # fmt: skip
def make(_: Call) -> Effect:
    """From nothing: no pixel is seen."""
    return Effect()

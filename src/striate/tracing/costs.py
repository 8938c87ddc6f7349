"""Multiply-accumulates of one call, by operation.

Counted: convolutions, linear layers and matrix products (both products of attention), one
multiply-accumulate as 1.  Not counted, by convention: biases, element-wise operations, norms,
pools, softmax, interpolation.  An operation in neither list is unknown, not zero.

Numbers are from shapes alone: (N, C, H, W) in, elements of the output times products per element.
"""

from __future__ import annotations

from math import prod

Shape = tuple[int, ...]


def convolution(weight: Shape, out: Shape) -> int:
    """Weight (C_out, C_in/groups, *kernel): every output element is one window's sum."""
    return prod(out) * prod(weight[1:])


def transposed_convolution(weight: Shape, given: Shape) -> int:
    """Weight (C_in, C_out/groups, *kernel): every input element is spread over one window."""
    return prod(given) * prod(weight[1:])


def matrix_product(left: Shape, out: Shape) -> int:
    """Left (…, M, K), out (…, M, N)."""
    return prod(out) * left[-1]


def attention(query: Shape, key: Shape, value: Shape) -> int:
    """Query (…, L, E), key (…, S, E), value (…, S, V): query·keyᵀ and its product with value."""
    return prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def attention_elements(query: Shape, key: Shape, value: Shape) -> int:
    """Elements of both products: the scores (…, L, S) and the output (…, L, V)."""
    return prod(query[:-1]) * (key[-2] + value[-1])

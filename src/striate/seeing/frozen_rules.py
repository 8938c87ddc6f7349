"""Each operation as the linear map that it was for this image.

What is frozen, as it was measured:

- an activation is the gate f(x) − f(0) over x, element by element (for ReLU its mask, for GELU and
  SiLU the share that passes), and writes f(0);
- a norm's denominator, of the batch's statistics or of the layer's; its mean is subtracted from
  each part;
- a pool's choice of the greatest;
- attention's softmax, and what a squeeze gate multiplies by: of two values that meet in a product
  the one that is a gate, else the one that is broadcast; of two alike each is frozen in turn and
  half the product goes through either;
- whatever is divided by, and the outcome of any operation that is not known here, which is said.

Then the logit is the sum, over everything that was put in, of what came of it: autograd's gradient
through these maps carries each part.  Comes in: nodes as they are computed.  Goes out: tensors
equal to the network's own, and ``Source`` records of what was put in on the way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from striate.seeing.frozen_graph import Node, Ref, tensors_in, words
from striate.seeing.frozen_run import Values, outputs

Kind = Literal["image", "block", "bias", "frozen"]

_LINEAR = words(
    "add sub rsub neg cat stack view _unsafe_view reshape permute transpose t expand squeeze "
    "unsqueeze select slice narrow split split_with_sizes unbind alias clone _to_copy detach "
    "lift_fresh_copy as_strided unfold im2col col2im constant_pad_nd reflection_pad1d "
    "reflection_pad2d replication_pad2d mean sum avg_pool1d avg_pool2d avg_pool3d "
    "_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool1d upsample_nearest1d "
    "upsample_nearest2d upsample_bilinear2d upsample_bicubic2d _upsample_bilinear2d_aa "
    "_upsample_bicubic2d_aa grid_sampler_2d index index_select gather scatter slice_scatter "
    "select_scatter as_strided_scatter diagonal_scatter index_put masked_fill where copy roll flip "
    "rot90 repeat pixel_shuffle pixel_unshuffle channel_shuffle tril triu diagonal cumsum "
    "_fft_r2c _fft_c2r _fft_c2c view_as_real view_as_complex real imag "
    "max_pool2d_with_indices max_pool3d_with_indices adaptive_max_pool2d amax amin max min maximum "
    "minimum sort topk"
)
_ADDING = words(
    "add sub rsub cat stack constant_pad_nd slice_scatter select_scatter as_strided_scatter "
    "diagonal_scatter index_put masked_fill where copy scatter maximum minimum"
)
"""Linear operations that may also put in a constant."""

_PRODUCTS = {
    "mul": (0, 1),
    "div": (0, 1),
    "mm": (0, 1),
    "bmm": (0, 1),
    "mv": (0, 1),
    "dot": (0, 1),
    "addmm": (1, 2),
    "baddbmm": (1, 2),
    "addbmm": (1, 2),
    "addcmul": (1, 2),
    "addcdiv": (1, 2),
    "convolution": (0, 1),
    "linear": (0, 1),
}
_ADDEND = {"convolution": 2, "linear": 2}
"""Where a product's addend stands, if not first."""

_GATES = {
    "sigmoid": 2,
    "hardsigmoid": 2,
    "tanh": 1,
    "erf": 1,
    "hardtanh": 1,
    "clamp": 1,
}
"""How surely an outcome is a gate when it meets another value in a product."""

_SOFTMAX = frozenset(("_softmax", "_safe_softmax", "_log_softmax"))
_PASSING = words(
    "view _unsafe_view reshape permute transpose t expand squeeze unsqueeze select slice alias "
    "clone _to_copy repeat mul div add sub rsub mean upsample_nearest2d"
)
_FROZEN_RANK = 3


class Source(NamedTuple):
    """Something put in: ``constant``, as a part of ``at``, by which the logit is differentiated.

    ``path``: the module; ``what``: the parameter, operation or block; ``place``: the node.
    """

    at: Tensor
    constant: Tensor
    kind: Kind
    path: str
    what: str
    place: int


@dataclass(eq=False)
class Freezer:
    """Computes nodes one after another; ``sources`` and ``halved`` grow as it does.

    ``names``: parameters behind constants, by id.  ``halved``: modules in which two values alike
    were multiplied.
    """

    names: dict[int, str]
    sources: list[Source] = field(default_factory=list[Source])
    halved: dict[str, None] = field(default_factory=dict[str, None])
    _ranks: dict[int, int] = field(default_factory=dict[int, int])

    def __call__(
        self, node: Node, args: tuple[Any, ...], kwargs: dict[str, Any], _values: Values
    ) -> tuple[Tensor, ...]:
        carried = [t for t in tensors_in((args, kwargs)) if t.requires_grad]
        self._rank(node)
        if not carried:
            return tuple(t.detach() for t in outputs(node.func(*args, **kwargs)))
        if node.op in _SOFTMAX:
            return self._stopped(node, args, kwargs)
        if node.op in _PRODUCTS:
            return self._product(node, args, kwargs)
        if (norm := _NORMS.get(node.op)) is not None:
            scaled, shift = norm(args)
            if shift is None:
                return scaled, *_unused(node)
            return self._put_in(node, scaled + shift, shift, ()), *_unused(node)
        if node.op == "glu":
            value, gate = args[0].chunk(2, args[1] if len(args) > 1 else -1)
            return (value * gate.sigmoid().detach(),)
        if node.op in _LINEAR and not isinstance(kwargs.get("reduce"), str):
            made = outputs(node.func(*args, **kwargs))
            if node.op in _ADDING:
                alone = node.func(*_emptied(args), **_emptied_of(kwargs))
                self._put_in(node, made[0], alone, args)
            return made
        if len(carried) == 1 and (torch.Tag.pointwise in node.func.tags or node.op in _POINTWISE):
            return self._secant(node, args, kwargs, carried[0])
        return self._stopped(node, args, kwargs)

    def _rank(self, node: Node) -> None:
        rank = _GATES.get(node.op, 0)
        if node.op in _PASSING and len(node.reads) == 1:
            rank = self._ranks.get(node.reads[0], 0)
        if node.op == "clamp" and (len(node.args) < 3 or None in node.args[1:3]):
            rank = 0  # held from one side only
        self._ranks.update(dict.fromkeys(node.outs, max(rank, self._ranks.get(node.outs[0], 0))))

    def _put_in(self, node: Node, made: Tensor, constant: Tensor, args: Any) -> Tensor:
        """Note a constant that is part of ``made``."""
        constant = constant.detach().expand_as(made)
        if made.requires_grad and bool(constant.any()):
            what = next((self.names[id(t)] for t in tensors_in(args) if id(t) in self.names), "")
            self.sources.append(Source(made, constant, "bias", node.path, what, node.index))
        return made

    def _stopped(self, node: Node, args: Any, kwargs: Any) -> tuple[Tensor, ...]:
        """Taken as it is: nothing is carried through it, and it counts as put in here."""
        made: list[Tensor] = []
        for out, tensor in zip(node.outs, outputs(node.func(*args, **kwargs)), strict=True):
            tensor = tensor.detach()
            if tensor.is_floating_point():
                tensor.requires_grad_()
                self.sources.append(
                    Source(tensor, tensor.detach(), "frozen", node.path, node.op, node.index)
                )
                self._ranks[out] = _FROZEN_RANK
            made.append(tensor)
        return tuple(made)

    def _secant(self, node: Node, args: Any, kwargs: Any, value: Tensor) -> tuple[Tensor, ...]:
        """f(x) = f(0) + gate · x, element by element."""
        made = outputs(node.func(*args, **kwargs))
        flat = made[0].detach()
        zero = outputs(node.func(*_emptied(args), **_emptied_of(kwargs)))[0].detach()
        if not flat.is_floating_point() or not bool(zero.isfinite().all()):
            return self._stopped(node, args, kwargs)
        x = value.detach()
        gate = torch.where(x == 0, torch.zeros_like(flat), (flat - zero) / x)
        out = self._put_in(node, value * gate + zero, zero, ())
        return (out, *made[1:])

    def _product(self, node: Node, args: Any, kwargs: Any) -> tuple[Tensor, ...]:
        first, second = _PRODUCTS[node.op]
        place = _ADDEND.get(node.op, 0 if first == 1 else None)
        one, two = args[first], args[second]
        if node.op in ("div", "addcdiv") and isinstance(two, Tensor) and two.requires_grad:
            if not (isinstance(one, Tensor) and one.requires_grad) or kwargs.get("rounding_mode"):
                return self._stopped(node, args, kwargs)
            two = two.detach()
        both = all(isinstance(t, Tensor) and t.requires_grad for t in (one, two))
        pairs = [(one, two)]
        if both:
            pairs = self._frozen_in_turn(node, first, second, one, two)
        share = 1 / len(pairs)
        made: Tensor | None = None
        for pair in pairs:
            given = list(args)
            given[first], given[second] = pair
            part = share * node.func(*given, **kwargs)
            made = part if made is None else made + part
        assert made is not None
        addend = args[place] if place is not None and len(args) > place else None
        if isinstance(addend, Tensor) and not addend.requires_grad:
            alone = addend * kwargs.get("beta", 1)
            if node.op == "convolution":
                alone = alone.view(-1, *(1 for _ in made.shape[2:]))
            self._put_in(node, made, alone, (addend,))
        return (made,)

    def _frozen_in_turn(
        self, node: Node, first: int, second: int, one: Tensor, two: Tensor
    ) -> list[tuple[Tensor, Tensor]]:
        """The pairs of which each carries through one factor alone."""
        refs = (node.args[first], node.args[second])
        ranks = [self._ranks.get(ref.value, 0) if isinstance(ref, Ref) else 0 for ref in refs]
        gates = (ranks[0], -one.numel()), (ranks[1], -two.numel())
        if node.op in ("convolution", "linear") or gates[1] > gates[0]:
            return [(one, two.detach())]
        if gates[0] > gates[1]:
            return [(one.detach(), two)]
        self.halved[node.path] = None
        return [(one, two.detach()), (one.detach(), two)]


_POINTWISE = words(
    "relu relu6 hardtanh leaky_relu _prelu_kernel elu celu selu silu gelu mish hardswish "
    "hardsigmoid sigmoid tanh softplus softshrink hardshrink threshold log_sigmoid_forward "
    "rrelu_with_noise"
)
"""Activations, which not all bear PyTorch's tag for what works element by element."""


def _batch_norm(args: Any) -> tuple[Tensor, Tensor | None]:
    x, weight, bias, mean, variance, training, _, eps = args[:8]
    shape = (1, -1, *(1 for _ in x.shape[2:]))
    if training or mean is None:
        dims = [0, *range(2, x.dim())]
        middle = x.mean(dims, keepdim=True)
        scale = (x.detach().var(dims, correction=0, keepdim=True) + eps).rsqrt()
        shift = None
        x = x - middle
    else:
        scale = (variance.to(x.dtype) + eps).rsqrt().view(shape)
        shift = -mean.view(shape) * scale
    return _affine(x * scale, shift, weight, bias, shape)


def _layer_norm(args: Any) -> tuple[Tensor, Tensor | None]:
    x, shape, weight, bias, eps = args[:5]
    dims = list(range(-len(shape), 0))
    scale = (x.detach().var(dims, correction=0, keepdim=True) + eps).rsqrt()
    return _affine((x - x.mean(dims, keepdim=True)) * scale, None, weight, bias, tuple(shape))


def _group_norm(args: Any) -> tuple[Tensor, Tensor | None]:
    x, weight, bias, images, _, _, groups, eps = args[:8]
    parts = x.reshape(images, groups, -1)
    scale = (parts.detach().var(2, correction=0, keepdim=True) + eps).rsqrt()
    parts = (parts - parts.mean(2, keepdim=True)) * scale
    shape = (1, -1, *(1 for _ in x.shape[2:]))
    return _affine(parts.reshape(x.shape), None, weight, bias, shape)


def _rms_norm(args: Any) -> tuple[Tensor, Tensor | None]:
    x, shape, weight, eps = args[:4]
    dims = list(range(-len(shape), 0))
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    scale = (x.detach().square().mean(dims, keepdim=True) + eps).rsqrt()
    return _affine(x * scale, None, weight, None, tuple(shape))


def _affine(
    x: Tensor, shift: Tensor | None, weight: Tensor | None, bias: Tensor | None, shape: Any
) -> tuple[Tensor, Tensor | None]:
    """Scaled by frozen weights; ``shift`` and the bias as one."""
    if weight is not None:
        weight = weight.detach().view(shape)
        x = x * weight
        shift = None if shift is None else shift * weight
    if bias is not None:
        shift = bias.view(shape) if shift is None else shift + bias.view(shape)
    return x, shift


_NORMS = {
    "native_batch_norm": _batch_norm,
    "cudnn_batch_norm": _batch_norm,
    "miopen_batch_norm": _batch_norm,
    "native_layer_norm": _layer_norm,
    "native_group_norm": _group_norm,
    "_fused_rms_norm": _rms_norm,
}


def _unused(node: Node) -> list[Tensor]:
    """Stand-ins for a norm's other outputs, which only its own backward reads."""
    return [torch.empty(0) for _ in node.outs[1:]]


def _emptied(value: Any) -> Any:
    """The arguments with zeros for everything that is carried."""
    return tuple(map(_empty, value))


def _emptied_of(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {key: _empty(value) for key, value in kwargs.items()}


def _empty(value: Any) -> Any:
    if isinstance(value, Tensor):
        return torch.zeros_like(value) if value.requires_grad else value
    if isinstance(value, (list, tuple)):
        return [_empty(item) for item in value]  # pyright: ignore[reportUnknownVariableType] -- arguments are of any kind
    return value

"""Many images through captured graphs, with batch norms as they are or estimated again.

Comes in: a module, images (N, C, H, W).  Goes out: a ``Graph`` for each batch; what points hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.errors import InputError
from striate.seeing.frozen_graph import Graph, Node, capture, words
from striate.seeing.frozen_run import Compute, Values, plainly, run

ROOM = 2**30  # bytes that the values of one graph may take
Statistics = dict[int, tuple[Tensor, Tensor]]
_BATCH_NORMS = words("native_batch_norm cudnn_batch_norm miopen_batch_norm")
_CHANNELS_FIRST = words(
    "convolution native_batch_norm cudnn_batch_norm native_group_norm max_pool2d_with_indices "
    "avg_pool2d _adaptive_avg_pool2d"
)
_CHANNELS_LAST = words("native_layer_norm addmm mm linear _fused_rms_norm")


def graphs(module: nn.Module, images: Tensor, batch: int) -> Iterator[tuple[slice, Graph]]:
    """The images' places and their graph, batch after batch.  InputError without images.

    A batch is of less than ``batch`` images where their values would not fit into ``ROOM``.
    """
    if images.dim() != 4 or len(images) == 0:
        raise InputError(f"the images have shape {tuple(images.shape)}; give (N, C, H, W), N ≥ 1")
    if batch < 1:
        raise InputError(f"batch {batch}: give at least 1")
    batch = min(batch, fitting(module, images))
    for start in range(0, len(images), batch):
        here = slice(start, min(start + batch, len(images)))
        yield here, capture(module, images[here])


def fitting(module: nn.Module, images: Tensor) -> int:
    """How many of these images' graphs fit into ``ROOM`` together, 1 at least."""
    graph = capture(module, images[:1])
    kept = {
        value.untyped_storage().data_ptr(): value.untyped_storage().nbytes()
        for value in graph.values
    }
    return max(1, ROOM // max(1, sum(kept.values())))


def labelled(images: Tensor, labels: Tensor | NDArray[np.int64]) -> NDArray[np.int64]:
    """The labels as numbers (N,); InputError where there are not as many as images."""
    given = np.asarray(labels, np.int64)
    if given.shape != (len(images),):
        raise InputError(f"{len(images)} images and labels of shape {given.shape}; give one each")
    return given


def has_batch_norms(graph: Graph) -> bool:
    """Whether a batch norm with kept statistics is in it."""
    return any(_kept(node) for node in graph.nodes)


def estimated(graph: Graph, given: Mapping[int, Tensor]) -> Statistics:
    """The batch's own mean and variance at every batch norm behind what is given.

    Each norm's are of what reaches it when those before it normalise by the batch, as in training.
    """
    found: Statistics = {}

    def compute(
        node: Node, args: tuple[Any, ...], kwargs: dict[str, Any], values: Values
    ) -> tuple[Tensor, ...]:
        if _kept(node):
            x: Tensor = args[0].detach()
            dims = [0, *range(2, x.dim())]
            found[node.index] = (x.mean(dims), x.var(dims, correction=0))
            args = (*args[:3], *found[node.index], *args[5:])
        return plainly(node, args, kwargs, values)

    run(graph, given, compute=compute)
    return found


def settled(statistics: Statistics) -> Compute:
    """A way to compute nodes in which batch norms hold these statistics."""

    def compute(
        node: Node, args: tuple[Any, ...], kwargs: dict[str, Any], values: Values
    ) -> tuple[Tensor, ...]:
        if node.index in statistics:
            args = (*args[:3], *statistics[node.index], *args[5:])
        return plainly(node, args, kwargs, values)

    return compute


def _kept(node: Node) -> bool:
    return node.op in _BATCH_NORMS and not node.args[5] and node.args[3] is not None


def channels_of(graph: Graph, value: int) -> int:
    """The dimension of channels: of four, 1 or the last, as the next operation that knows has it.

    That is the first behind the value that is reached without a change of shape, else the last
    before it; 1 where none knows.  Of three dimensions or two it is the last.
    """
    shape = graph.values[value].shape
    if len(shape) != 4:
        return len(shape) - 1
    for nodes, ahead in ((graph.nodes, True), (graph.nodes[::-1], False)):
        reached = {value}
        for node in nodes:
            met, beyond = (node.reads, node.outs) if ahead else (node.outs, node.reads)
            if not any(number in reached for number in met):
                continue
            if (known := _channels_in(node)) is not None:
                return known
            reached.update(number for number in beyond if graph.values[number].shape == shape)
    return 1


def _channels_in(node: Node) -> int | None:
    """The dimension, of four, in which an operation knows channels to be."""
    if node.op in _CHANNELS_FIRST:
        return 1
    if node.op in _CHANNELS_LAST:
        return 3
    if node.op in ("mean", "sum", "amax") and len(node.args) > 1 and node.args[1]:
        return 3 if 1 in {dim % 4 for dim in node.args[1]} else 1
    return None


def held(graph: Graph, value: int, name: str) -> Tensor:
    """A point's value as (N, positions, channels).  InputError where images are not first."""
    tensor = graph.values[value].detach()
    if len(tensor) != len(graph.image) or tensor.dim() < 2:
        raise InputError(
            f"{name} holds {tuple(tensor.shape)} for {len(graph.image)} images; only values with "
            "the images first can be compared"
        )
    return (
        tensor.movedim(channels_of(graph, value), -1).flatten(1, -2)
        if tensor.dim() > 2
        else (tensor[:, None])
    )


def said(logits: Tensor) -> NDArray[np.int64]:
    """(N,) the class each image is given."""
    return logits.detach().argmax(dim=1).cpu().numpy()


def losses(logits: Tensor, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N,) cross-entropy in nats."""
    target = torch.as_tensor(labels, device=logits.device)
    return (
        nn.functional.cross_entropy(logits.detach().double(), target, reduction="none")
        .cpu()
        .numpy()
    )

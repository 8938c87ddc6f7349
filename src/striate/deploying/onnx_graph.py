"""An ONNX graph made ready: norms folded, nothing of this machine in it, what it needs embedded."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

Model = Any
"""``onnx.ModelProto``, which has no types."""


def fold_norms(model: Model) -> tuple[int, int]:
    """Fold every batch norm that directly follows a convolution into it, in place.

    y = (Wx + b − μ)·γ/√(σ² + ε) + β is a convolution with W·s and (b − μ)·s + β, s = γ/√(σ² + ε),
    computed in double precision and rounded once.  Returns how many norms were folded here, and how
    many are left: those behind a sum or a concatenation, or whose convolution others read too.
    """
    import onnx

    helper, graph = onnx.numpy_helper, model.graph
    held = {tensor.name: tensor for tensor in graph.initializer}
    readers = Counter(name for node in graph.node for name in node.input)
    readers.update(output.name for output in graph.output)
    makers = {name: node for node in graph.node for name in node.output}
    folded = 0
    for norm in [node for node in graph.node if node.op_type == "BatchNormalization"]:
        conv = makers.get(norm.input[0])
        names = list(norm.input[1:5])
        if (
            conv is None
            or conv.op_type != "Conv"
            or readers[norm.input[0]] != 1
            or readers[conv.input[1]] != 1
            or not {conv.input[1], *names, *conv.input[2:]} <= set(held)
        ):
            continue
        gamma, beta, mean, var = (helper.to_array(held[n]).astype(np.float64) for n in names)
        eps = next((a.f for a in norm.attribute if a.name == "epsilon"), 1e-5)
        scale = gamma / np.sqrt(var + eps)
        weight = helper.to_array(held[conv.input[1]])
        bias = helper.to_array(held[conv.input[2]]) if len(conv.input) > 2 else 0.0
        new_weight = (weight * scale.reshape(-1, *([1] * (weight.ndim - 1)))).astype(weight.dtype)
        new_bias = ((bias - mean) * scale + beta).astype(weight.dtype)
        bias_name = f"{conv.input[1]}.folded_bias"
        held[conv.input[1]].CopyFrom(helper.from_array(new_weight, conv.input[1]))
        graph.initializer.append(helper.from_array(new_bias, bias_name))
        del conv.input[2:]
        conv.input.append(bias_name)
        conv.output[0] = norm.output[0]
        graph.node.remove(norm)
        folded += 1
    _drop_unread(graph)
    left = sum(node.op_type == "BatchNormalization" for node in graph.node)
    return folded, left


def _drop_unread(graph: Any) -> None:
    read = {name for node in graph.node for name in node.input}
    read |= {output.name for output in graph.output}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in read]:
        graph.initializer.remove(tensor)


def strip_traces(model: Model) -> None:
    """Take away what the exporter noted of source files and stacks: paths of its machine."""
    graph = model.graph
    for part in [*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer]:
        del part.metadata_props[:]
        part.doc_string = ""
    for function in model.functions:
        for node in function.node:
            del node.metadata_props[:]
            node.doc_string = ""
    del graph.metadata_props[:]
    del model.metadata_props[:]
    graph.doc_string = model.doc_string = ""
    model.producer_name, model.producer_version = "striate", ""


def embed(model: Model, facts: Mapping[str, Any]) -> None:
    """Keep ``facts`` in the file, as JSON under the key ``striate``."""
    entry = model.metadata_props.add()
    entry.key, entry.value = "striate", json.dumps(dict(facts), ensure_ascii=False)

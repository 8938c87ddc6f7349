"""The network as all processes train it: gradients are averaged while the backward pass runs.

Torch's ``DistributedDataParallel`` (Li et al. 2020) sends gradients in buckets of 25 MiB as soon
as the last of a bucket is there, so that most of the sending hides behind the rest of the
backward pass.
"""

from __future__ import annotations

import copy
import gc
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from striate.training.processes import Processes
from striate.training.steady import steady_generators


class Replica:
    """``module``, wrapped for the parameters that are trained now, and anew when those change.

    A process on its own has the module as it is.
    """

    def __init__(self, module: nn.Module, together: Processes) -> None:
        self._module = module
        self._together = together
        self._trained: tuple[bool, ...] | None = None
        self._wrapped: nn.Module | None = None

    def ready(self, forward: Callable[[nn.Module], Tensor]) -> nn.Module:
        """What a step's forward pass is to run through.

        ``forward``: a network's logits for images of this step.  Where it is wrapped anew, it is
        called with a copy, to find trained parameters that the logits do not depend on: they get
        no gradient, as in one process, and the others must not wait for it.
        """
        if self._together.group is None:
            return self._module
        trained = tuple(parameter.requires_grad for parameter in self._module.parameters())
        if self._wrapped is None or trained != self._trained:
            self._wrapped = None
            gc.collect()  # the wrapper before, which may hang in a cycle, still listens
            unused = self._together.any(self._has_unused(forward))
            with warnings.catch_warnings():
                # Its new name is not known before torch 2.13.
                warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated")
                self._wrapped = DistributedDataParallel(
                    self._module,
                    process_group=self._together.group,
                    broadcast_buffers=False,  # equal anyway, or each process's own
                    gradient_as_bucket_view=True,
                    find_unused_parameters=unused,
                )
            self._trained = trained
        return self._wrapped

    def _has_unused(self, forward: Callable[[nn.Module], Tensor]) -> bool:
        own = copy.deepcopy(self._module)
        with steady_generators(0):
            reached = _leaves(forward(own))
        return any(p.requires_grad and id(p) not in reached for p in own.parameters())


def _leaves(output: Tensor) -> set[int]:
    """The identities of the parameters that the graph of ``output`` ends in."""
    found: set[int] = set()
    seen: set[Any] = set()
    waiting: list[Any] = [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if isinstance(leaf := getattr(node, "variable", None), torch.Tensor):
            found.add(id(leaf))
        waiting.extend(following for following, _ in node.next_functions)
    return found

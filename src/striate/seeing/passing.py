"""Running a network while watching, or replacing, what its modules hand on.

Hooks are removed and modes restored when the block ends, also after an error.

Comes in: a module, the paths of some of its submodules.  Goes out: tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
_BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.SyncBatchNorm
Hook = Callable[[nn.Module, Any, Any], Any]


@contextmanager
def hooked(module: nn.Module, hooks: dict[str, Hook]) -> Generator[None]:
    """Forward hooks by path; KeyError for a path that is none."""
    parts = submodules(module)
    with ExitStack() as stack:
        for path, hook in hooks.items():
            handle = parts[path].register_forward_hook(hook)
            stack.callback(handle.remove)
        yield


def watch(
    module: nn.Module,
    paths: Sequence[str],
    forward: Callable[[], Tensor],
    *,
    calls: dict[str, int] | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """What ``forward`` gives, and a copy of what each path handed on, in order of passing.

    A copy, since a later operation may write into the tensor in place.  Of a module that is called
    more than once the last output is kept; ``calls``, if given, is told how often each was called.
    """
    seen: dict[str, Tensor] = {}

    def keep(path: str) -> Hook:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            if calls is not None:
                calls[path] = calls.get(path, 0) + 1
            if isinstance(output, Tensor):
                seen.pop(path, None)
                seen[path] = output.detach().clone()

        return hook

    with hooked(module, {path: keep(path) for path in paths}):
        result = forward()
    return result, seen


def replacing(
    module: nn.Module, path: str, handed: Tensor, forward: Callable[[], Tensor]
) -> Tensor:
    """What ``forward`` gives when the module at ``path`` hands on ``handed`` instead of its own."""

    def hook(_module: nn.Module, _inputs: object, _output: object) -> Tensor:
        return handed.clone()

    with hooked(module, {path: hook}):
        return forward()


@contextmanager
def estimated_norms(module: nn.Module) -> Generator[None]:
    """Inside, batch norms use the statistics of the batch at hand and remember nothing.

    A network without training has running statistics of 0 and 1, which fit no data; with the
    batch's own it passes its signals on as one in training does.
    """
    norms = norms_of(module)
    kept = [(norm.training, norm.track_running_stats) for norm in norms]
    try:
        for norm in norms:
            norm.training, norm.track_running_stats = True, False
        yield
    finally:
        for norm, (training, tracked) in zip(norms, kept, strict=True):
            norm.training, norm.track_running_stats = training, tracked


def norms_of(module: nn.Module) -> list[_BatchNorm]:
    """Every batch norm of a module."""
    return [part for part in submodules(module).values() if isinstance(part, _BATCH_NORMS)]


def submodules(module: nn.Module) -> dict[str, nn.Module]:
    """Every part by its path, the module itself (``""``) first."""
    return dict(cast("Iterator[tuple[str, nn.Module]]", module.named_modules()))


def device_of(module: nn.Module) -> torch.device:
    """Where the module's first parameter is."""
    first = next(module.parameters(), None)
    return torch.device("cpu") if first is None else first.device

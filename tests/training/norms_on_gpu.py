"""Reduced norms beside torch's ``SyncBatchNorm``, in two processes on one GPU; print JSON.

Gloo carries the messages, since NCCL takes one process a device.  Run by ``test_processes.py``:
``python norms_on_gpu.py FOLDER``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from striate.training.messages import Collective
from striate.training.norms import ReducedNorms


def compared(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    group = dist.group.WORLD
    assert group is not None
    found: dict[str, list[float]] = {}
    for dtype in (torch.float32, torch.bfloat16):
        generator = torch.Generator().manual_seed(1)
        far = 10 * torch.arange(6).view(1, 6, 1, 1)
        x = (torch.randn(10, 6, 5, 5, generator=generator) + far).to("cuda", dtype)
        g = torch.randn(10, 6, 5, 5, generator=generator).to("cuda", dtype)
        own = slice(0, 3) if rank == 0 else slice(3, 10)
        torchs, ours = nn.SyncBatchNorm(6).cuda(), nn.BatchNorm2d(6).cuda()
        first, second = (x[own].clone().requires_grad_() for _ in range(2))
        expected = torchs(first)
        expected.backward(g[own])
        with ReducedNorms(Collective(group)):
            got = ours(second)
            got.backward(g[own])
        assert ours.weight.grad is not None
        assert ours.bias.grad is not None
        pairs = [
            (got, expected),
            (second.grad, first.grad),
            (ours.weight.grad, torchs.weight.grad),
            (ours.bias.grad, torchs.bias.grad),
            (ours.running_mean, torchs.running_mean),
            (ours.running_var, torchs.running_var),
        ]
        found[str(dtype).removeprefix("torch.")] = [
            ((mine.double() - theirs.double()).abs().max() / theirs.double().abs().max()).item()
            for mine, theirs in pairs
        ]
    Path(folder, f"{rank}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


if __name__ == "__main__":
    mp.spawn(compared, (sys.argv[1],), 2)
    first, second = (json.loads(Path(sys.argv[1], f"{rank}.json").read_text()) for rank in (0, 1))
    sys.stdout.write(json.dumps({c: list(map(max, first[c], second[c])) for c in first}))

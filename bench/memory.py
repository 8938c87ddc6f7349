"""Bytes that ``striate.trace`` predicts, beside those that a real run holds.

    python bench/memory.py                 every network
    python bench/memory.py resnet50        one of them, as a line of JSON

Each network is a process of its own, at a batch whose activations exceed 1 GiB, with random weights
and random images.  On the CPU live storages are counted, forward and backward, by a mode that sees
every operation; what backward keeps, by hooks that see every tensor that is packed away.  On a GPU,
where there is one, the same steps are held against ``torch.cuda.max_memory_allocated``; cuDNN and
cuBLAS are told to take no workspace that they can do without.
"""

from __future__ import annotations

import json
import subprocess
import sys

import torch
from torch import Tensor, nn

from alive import Alive
from common import command, commit, hardware, today, versions, write
from peers import import_peer
from record import Cell, Claim, Column, Record
from striate.tracing import trace

MIB = 2**20
NETWORKS: dict[str, int] = {
    "resnet50": 16,
    "vgg16_bn": 16,
    "densenet121": 12,
    "efficientnet_b0": 16,
    "mobilenetv2_100": 16,
    "regnety_016": 20,
    "convnext_tiny": 12,
    "vit_small_patch16_224": 20,
    "swin_tiny_patch4_window7_224": 12,
    "mixer_s16_224": 24,
    "coat_lite_mini": 16,
}
"""Each with a batch at which more than 1 GiB is saved for backward."""


def saved(net: nn.Module, pixels: Tensor) -> tuple[int, Tensor]:
    """Bytes of the storages that autograd packs away, the module's own left out; the output."""
    own = {t.untyped_storage().data_ptr() for t in (*net.parameters(), *net.buffers())}
    kept: dict[int, int] = {}
    held: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
            held.append(tensor)  # so that no address is used twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = net(pixels)
    return sum(kept.values()), out


def on_cpu(net: nn.Module, pixels: Tensor) -> dict[str, int]:
    """Bytes really saved, really alive in a step and in inference, the module's own left out."""
    own = [*net.parameters(), *net.buffers()]
    found: dict[str, int] = {}
    found["saved"] = saved(net.train(), pixels)[0]
    step = Alive(own)
    step.watch(pixels)
    with step:
        out = net(pixels)
        out.sum().backward()
    found["step"] = step.peak
    del out
    net.zero_grad()
    infer = Alive(own)
    infer.watch(pixels)
    with torch.no_grad(), infer:
        net.eval()(pixels)
    found["infer"] = infer.peak
    return found


def on_gpu(net: nn.Module, pixels: Tensor) -> dict[str, int]:
    """The same by the allocator's own count; a first run takes what libraries keep for good."""
    torch.backends.cudnn.benchmark = False
    torch.backends.cuda.matmul.allow_tf32 = False
    net, pixels = net.cuda(), pixels.cuda()
    found: dict[str, int] = {}

    def step() -> None:
        net(pixels).sum().backward()

    for name, run in (("step", step), ("infer", torch.no_grad()(lambda: net(pixels)))):
        net.train(name == "step")
        for _ in range(2):
            net.zero_grad()
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            base = torch.cuda.memory_allocated() - pixels.untyped_storage().nbytes()
            run()
            torch.cuda.synchronize()
            found[name] = torch.cuda.max_memory_allocated() - base
    return found


def measure(name: str) -> dict[str, Cell]:
    """One network: what was predicted, what was measured, and the differences."""
    timm = import_peer("timm")
    torch.manual_seed(0)
    batch = NETWORKS[name]
    net: nn.Module = timm.create_model(name)
    size = tuple(timm.get_pretrained_cfg(name).input_size)
    own = sum(t.nbytes for t in (*net.parameters(), *net.buffers()))
    training = trace(net, size, batch=batch, train=True).totals
    predicted = {
        "saved": training.saved_bytes,
        "step": (training.step_bytes or 0) - own,
        "infer": trace(net, size, batch=batch).totals.infer_bytes - own,
    }
    pixels = torch.randn(batch, *size)
    gpu = torch.cuda.is_available()
    row: dict[str, Cell] = {"network": name, "device": "gpu" if gpu else "cpu", "batch": batch}
    measured = on_cpu(net, pixels) if not gpu else {
        "saved": saved(net.train(), pixels)[0], **on_gpu(net, pixels)
    }  # fmt: skip
    worst = 0.0
    for key, real in measured.items():
        off = predicted[key] / real - 1
        worst = max(worst, abs(off))
        row |= {key: round(real / MIB, 1), f"{key}_said": round(predicted[key] / MIB, 1)}
        row[f"{key}_off"] = round(off, 4)
    return row | {"worst": round(worst, 4)}


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    head, changed = commit()
    rows: list[dict[str, Cell]] = []
    for name in NETWORKS:
        done = subprocess.run(
            [sys.executable, __file__, name], check=True, stdout=subprocess.PIPE, text=True
        )
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], file=sys.stderr)
    titles = {
        "saved": "saved for backward",
        "step": "most alive in a training step",
        "infer": "most alive in inference",
    }
    write(
        Record(
            title="Memory, predicted and measured",
            what=(
                "Bytes of activations, gradients and of what is saved for backward, as "
                "`striate.trace` predicts them from shapes and as a real run of the network holds "
                "them (live storages; the module's own parameters and buffers left out). timm's "
                "networks at their own image size, random weights, float32."
            ),
            command=command(),
            commit=head,
            changed=changed,
            date=today(),
            hardware=hardware(),
            versions=versions(("torch", "timm")),
            seeds=(0,),
            columns=(
                Column(key="network", title="network"),
                Column(key="device", title="on"),
                Column(key="batch", title="batch", shown="d"),
                *(
                    column
                    for key, title in titles.items()
                    for column in (
                        Column(key=key, title=title, unit="MiB", shown=",.1f"),
                        Column(key=f"{key}_said", title="predicted", unit="MiB", shown=",.1f"),
                        Column(key=f"{key}_off", title="off by", shown="+.2%"),
                    )
                ),
                Column(key="worst", title="worst", shown=".2%"),
            ),
            rows=tuple(rows),
            averaged=("worst",),
            claims=(
                Claim(
                    text="within 5 % of what is measured, each",
                    column="worst",
                    by="largest",
                    at_most=0.05,
                ),
            ),
        ),
        "memory",
    )


if __name__ == "__main__":
    main()

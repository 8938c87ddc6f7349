"""``striate doctor``: what striate runs on, how fast that is, and what would make it faster."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from striate.data.pixel_files import Kept, clear_pixels, kept_pixels
from striate.flow.ceilings import Ceiling, convolutions, decoding, matrix_products, memory
from striate.runs import versions

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "export": ("onnx", "onnxscript", "onnxruntime"),
    "hub": ("huggingface_hub",),
    "log": ("tensorboard",),
    "scale": ("optuna",),
    "stream": ("litdata",),
}
"""What each extra brings, and the command that needs it says so too."""
OTHERS = ("simplejpeg", "pillow", "timm", "torchvision", "transformers")
BUSY = 0.25
"""Share of the cores that other work may take before it is named."""
WORTH = 1.15
"""How many times faster a change must be to be advised."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """``cores``: those this process may use.  ``threads``: those PyTorch does.

    ``load``: tasks that ran or waited over the last minute, ours included; None where the system
    does not say.  ``gpus``: by name, those that this PyTorch sees.
    """

    processor: str
    cores: int
    threads: int
    memory_bytes: int | None
    load: float | None
    gpus: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """``missing``: extras whose libraries are not all installed.  ``advice``: what would be
    faster.  ``pixels``: decoded images in the user's cache.
    """

    versions: Mapping[str, str]
    missing: tuple[str, ...]
    machine: Machine
    ceilings: tuple[Ceiling, ...]
    advice: tuple[str, ...]
    pixels: Kept

    def as_json(self) -> dict[str, Any]:
        return {
            "striate": 1,
            "versions": dict(self.versions),
            "missing_extras": list(self.missing),
            "machine": {**asdict(self.machine), "gpus": list(self.machine.gpus)},
            "ceilings": {one.key: {"value": one.value, "unit": one.unit} for one in self.ceilings},
            "advice": list(self.advice),
            "pixel_cache": {
                "folder": str(self.pixels.folder),
                "files": self.pixels.files,
                "bytes": self.pixels.bytes,
            },
        }


def doctor() -> Doctor:
    """Look and measure; takes some five seconds."""
    machine = look()
    ceilings = [*matrix_products(), *convolutions(), memory(), decoding()]
    if machine.gpus:
        ceilings += [
            replace(one, key=f"cuda_{one.key}", what=f"GPU, {one.what}")
            for one in (*matrix_products("cuda"), *convolutions("cuda"))
        ]
    return Doctor(
        versions=_versions(),
        missing=missing_extras(),
        machine=machine,
        ceilings=tuple(ceilings),
        advice=tuple(advise(machine, tuple(ceilings), _all_threads(machine))),
        pixels=kept_pixels(),
    )


def cleared() -> dict[str, Any]:
    """Remove the decoded images of the user's cache; what there was, as JSON."""
    before = clear_pixels()
    return {
        "striate": 1,
        "cleared": {
            "folder": str(before.folder),
            "files": before.files,
            "bytes": before.bytes,
        },
    }


def look() -> Machine:
    """What is here; nothing is measured."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return Machine(
        processor=versions()["processor"],
        cores=cores or 1,
        threads=torch.get_num_threads(),
        memory_bytes=_memory_bytes(),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        gpus=tuple(torch.cuda.get_device_name(i) for i in range(gpus)),
    )


def missing_extras() -> tuple[str, ...]:
    """Extras of which some library is not installed."""
    return tuple(
        extra
        for extra, needed in EXTRAS.items()
        if any(importlib.util.find_spec(name) is None for name in needed)
    )


def advise(
    machine: Machine, ceilings: tuple[Ceiling, ...], with_all: float | None
) -> Iterator[str]:
    """What would make it faster, from what was measured.

    ``with_all``: GMAC/s of the fp32 matrix product with a thread for every core, where fewer are
    in use.
    """
    value = {one.key: one.value for one in ceilings}
    if with_all is not None and with_all > WORTH * value["matmul_fp32"]:
        yield (
            f"PyTorch uses {machine.threads} of {machine.cores} cores; with all of them a matrix "
            f"product is {with_all / value['matmul_fp32']:.1f} times as fast: unset "
            "OMP_NUM_THREADS, or give --threads"
        )
    if machine.load is not None and machine.load > machine.cores * (1 + BUSY):
        yield (
            f"other work is running (load {machine.load:.1f} on {machine.cores} cores): these "
            "figures and any training are slower than they need be"
        )
    if not machine.gpus and shutil.which("nvidia-smi"):
        yield (
            f"an NVIDIA driver is installed, and this PyTorch ({torch.__version__}) sees no GPU: "
            "install PyTorch's CUDA build"
        )
    settings = {key.removeprefix("conv_"): v for key, v in value.items() if key.startswith("conv_")}
    fastest = max(settings, key=lambda key: settings[key])
    gain = settings[fastest] / settings["fp32"]
    name = fastest.replace("_", "-")
    if gain > WORTH:
        yield (
            f"{name} is {gain:.1f} times as fast as fp32 for a ResNet's convolution here: leave "
            "--setting at auto, which measures it on your own network"
        )
    if value["matmul_bf16"] < value["matmul_fp32"]:
        yield (
            "this processor computes bf16 more slowly than fp32 "
            f"({value['matmul_bf16'] / value['matmul_fp32']:.2f} times its speed): --setting auto "
            "will not take it for what is made of matrix products"
        )
    if importlib.util.find_spec("simplejpeg") is None:
        yield "simplejpeg is not installed, and JPEG is decoded by Pillow: pip install simplejpeg"


def _all_threads(machine: Machine) -> float | None:
    """GMAC/s of the fp32 matrix product with every core, where fewer threads are in use."""
    if machine.threads >= machine.cores:
        return None
    torch.set_num_threads(machine.cores)
    try:
        return matrix_products()[0].value
    finally:
        torch.set_num_threads(machine.threads)


def _versions() -> dict[str, str]:
    found = {key: said for key, said in versions().items() if key != "processor"}
    for name in (*OTHERS, *(name for needed in EXTRAS.values() for name in needed)):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _memory_bytes() -> int | None:
    names = ("SC_PAGE_SIZE", "SC_PHYS_PAGES")
    if not hasattr(os, "sysconf") or not set(names) <= set(os.sysconf_names):
        return None
    return os.sysconf(names[0]) * os.sysconf(names[1])

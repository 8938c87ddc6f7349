"""The tools that ``bench/trace.py`` sets side by side, each as its own documentation uses it.

    python bench/trace_tools.py TOOL

imports PyTorch, timm and TOOL, then forks for every model named on stdin a child that does the
work and ends.  So each measurement has a process of its own, which has done its imports and
nothing else; what it took is measured from there to the result, and its peak memory is what the
kernel says of that child when it has ended.  What the imports left behind is frozen, so that no
tool pays for the garbage collector's walks over it, and the child owns its memory before the clock
starts, so that none pays for copying what it shared.  One JSON document a model goes to stdout.

What the tools are given: a model built as usual, with real weights in evaluation mode, and a real
image on the CPU, with gradients on or off as the examples of the tool's own documentation have them
(torchinfo turns them off itself; torch's counter cannot do some of the models otherwise).  striate
is given the function that builds the model.  ``bare`` is no tool: it is what any of them needs at
least, the model built on the meta device and run there once.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import re
import resource
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

MOST_SECONDS = 300
MOST_BYTES = 10 * 2**30

Size = tuple[int, int, int]
Work = Callable[[Any, Size], dict[str, float]]
"""Takes what builds the model and the image's size; gives ``macs``, and times of parts."""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """``module``: what is imported for it.  ``package``: whose version is stated."""

    module: str
    package: str
    says: str
    work: Work


def _bare(make: Callable[[], Any], size: Size) -> dict[str, float]:
    import torch

    start = perf_counter()
    with torch.device("meta"):
        module = make().eval()
    built = perf_counter()
    with torch.inference_mode():
        image = torch.empty(1, *size, device="meta")
        module(image)
        took = {"build": built - start, "forward": perf_counter() - built}
        return {**took, "seconds": perf_counter() - start, "again": _again(lambda: module(image))}


def _again(work: Callable[[], object]) -> float:
    """Seconds of doing it once more: the median of three, the first call's costs behind it."""
    times: list[float] = []
    for _ in range(3):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return median(times)


def _striate(make: Callable[[], Any], size: Size) -> dict[str, float]:
    import striate

    return {"macs": striate.trace(make, size).totals.macs}


def _analysis(make: Callable[[], Any], size: Size) -> dict[str, float]:
    """The trace alone, of a model that was built on the meta device before."""
    import torch

    import striate

    with torch.device("meta"):
        module = make().eval()
    start = perf_counter()
    macs = striate.trace(module, size).totals.macs
    took = perf_counter() - start
    return {"macs": macs, "trace": took, "again": _again(lambda: striate.trace(module, size))}


def _torchinfo(make: Callable[[], Any], size: Size) -> dict[str, float]:
    from torchinfo import summary

    return {"macs": summary(make(), input_size=(1, *size), verbose=0).total_mult_adds}


def _fvcore(make: Callable[[], Any], size: Size) -> dict[str, float]:
    import torch
    from fvcore.nn import FlopCountAnalysis

    return {"macs": FlopCountAnalysis(make().eval(), torch.rand(1, *size)).total()}


def _ptflops(make: Callable[[], Any], size: Size) -> dict[str, float]:
    from ptflops import get_model_complexity_info

    macs, _ = get_model_complexity_info(
        make().eval(), size, as_strings=False, print_per_layer_stat=False, backend="pytorch"
    )
    if macs is None:
        raise RuntimeError("gave no total")
    return {"macs": float(macs)}


def _calflops(make: Callable[[], Any], size: Size) -> dict[str, float]:
    from calflops import calculate_flops

    _, macs, _ = calculate_flops(
        model=make().eval(), input_shape=(1, *size), output_as_string=False, print_results=False
    )
    return {"macs": float(macs)}


def _torch(make: Callable[[], Any], size: Size) -> dict[str, float]:
    import torch

    return _counted(make().eval(), torch.rand(1, *size))


def _torch_meta(make: Callable[[], Any], size: Size) -> dict[str, float]:
    import torch

    with torch.device("meta"):
        module = make().eval()
    return _counted(module, torch.empty(1, *size, device="meta"))


def _counted(module: Any, image: Any) -> dict[str, float]:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    # Its hooks want a gradient function of a parameter that is given to a module (cait's).
    module.requires_grad_(False)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(image)
    return {"macs": counter.get_total_flops() / 2}


def _torchlens(make: Callable[[], Any], size: Size) -> dict[str, float]:
    import torch
    import torchlens

    log = torchlens.trace(make().eval(), torch.rand(1, *size))
    return {"macs": int(log.total_macs_forward)}


_COUNTER = "torch.utils.flop_counter"
TOOLS = {
    "bare": Tool(
        module="torch", package="torch", work=_bare,
        says="`make()` on the meta device, then one forward there in inference mode",
    ),
    "striate": Tool(
        module="striate.tracing", package="striate", work=_striate,
        says="`striate.trace(make, size)`",
    ),
    "analysis": Tool(
        module="striate.tracing", package="striate", work=_analysis,
        says="`striate.trace(module, size)` of a module that is on the meta device already",
    ),
    "torchinfo": Tool(
        module="torchinfo", package="torchinfo", work=_torchinfo,
        says="`summary(model, input_size=…, verbose=0).total_mult_adds`",
    ),
    "fvcore": Tool(
        module="fvcore.nn", package="fvcore", work=_fvcore,
        says="`FlopCountAnalysis(model, image).total()`",
    ),
    "ptflops": Tool(
        module="ptflops", package="ptflops", work=_ptflops,
        says="`get_model_complexity_info(model, size, backend='pytorch')`",
    ),
    "calflops": Tool(
        module="calflops", package="calflops", work=_calflops,
        says="`calculate_flops(model, input_shape=…)`, its MACs",
    ),
    "torch": Tool(
        module=_COUNTER, package="torch", work=_torch,
        says="`FlopCounterMode`, half of its total",
    ),
    "torch-meta": Tool(
        module=_COUNTER, package="torch", work=_torch_meta,
        says="the same with model and image on the meta device",
    ),
    "torchlens": Tool(
        module="torchlens", package="torchlens", work=_torchlens,
        says="`trace(model, image).total_macs_forward`",
    ),
}  # fmt: skip


def serve(name: str) -> None:
    """Import, say so, then answer one line ``MODEL C H W`` after another."""
    from peers import import_peer

    tool = TOOLS[name]
    with contextlib.redirect_stdout(sys.stderr):
        timm = import_peer("timm")
        import_peer(tool.module)
        if name in ("striate", "analysis"):
            importlib.import_module("striate.tracing")
    gc.collect()
    gc.freeze()
    print(json.dumps({"ready": name}), flush=True)
    for line in sys.stdin:
        model, *size = line.split()
        shape = (int(size[0]), int(size[1]), int(size[2]))
        answer = _forked(partial(tool.work, partial(timm.create_model, model), shape))
        print(json.dumps(answer), flush=True)


def _forked(work: Callable[[], dict[str, float]]) -> dict[str, Any]:
    """What ``work`` gave in a process of its own, its ``seconds`` and its peak ``bytes``."""
    come, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(come)
        _in_child(work, go)
    os.close(go)
    with os.fdopen(come, "rb") as stream:
        said = stream.read()
    _, status, used = os.wait4(child, 0)
    unit = 1 if sys.platform == "darwin" else 1024
    if os.WIFSIGNALED(status):
        by = signal.Signals(os.WTERMSIG(status))
        what = f"took more than {MOST_SECONDS} s" if by == signal.SIGALRM else f"died of {by.name}"
        return {"error": what, "bytes": used.ru_maxrss * unit}
    return {**json.loads(said), "bytes": used.ru_maxrss * unit}


def _in_child(work: Callable[[], dict[str, float]], go: int) -> None:
    """Never returns.  What the tool prints is kept apart, for the case that it fails."""
    signal.alarm(MOST_SECONDS)
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
    printed = tempfile.TemporaryFile()  # noqa: SIM115  # it ends with the process
    os.dup2(printed.fileno(), 1)
    os.dup2(printed.fileno(), 2)
    answer: dict[str, Any]
    try:
        _own_memory()
        start = perf_counter()
        answer = work()
        answer = {"seconds": perf_counter() - start, **answer}
    except BaseException as error:  # noqa: BLE001  # whatever a tool raises is its result here
        sys.stdout.flush()
        answer = {"error": _said(error, printed)}
    gc.disable()
    os.write(go, json.dumps(answer).encode())
    os._exit(0)


_POPULATE_WRITE = 23
"""``MADV_POPULATE_WRITE`` of Linux 5.14 and later."""


def _own_memory() -> None:
    """Take this process's pages for its own, now.

    A process that was forked off shares them with its parent, and each is copied where it is first
    written to: thousands of them in the first milliseconds, which a process that had done the
    imports itself would not pay for.  Of mappings of which at least half is there; elsewhere than
    on Linux, nothing.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    for found in re.finditer(_MAPPING, Path("/proc/self/smaps").read_text("ascii", "replace")):
        first, last = int(found[1], 16), int(found[2], 16)
        if 2 * 1024 * int(found[4]) < last - first:
            continue
        size = ctypes.c_size_t(last - first)
        if libc.madvise(ctypes.c_void_p(first), size, _POPULATE_WRITE):
            raise OSError(ctypes.get_errno(), "madvise(MADV_POPULATE_WRITE), of Linux 5.14")


_MAPPING = re.compile(
    r"^([0-9a-f]+)-([0-9a-f]+) rw.p [^\n]*\n(?:(\w+):[^\n]*\n)*?Rss: +([0-9]+) kB", re.MULTILINE
)
"""A private mapping that may be written to, and how much of it is there."""


def _said(error: BaseException, printed: Any) -> str:
    """The error's own words, or those of what the tool printed instead of raising it."""
    printed.seek(0)
    lines = printed.read().decode(errors="replace").splitlines()
    told = [line for line in lines if line.startswith("<class '") or "Error:" in line]
    text = told[-1] if told else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:200]


if __name__ == "__main__":
    serve(sys.argv[1])

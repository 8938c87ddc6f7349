"""Every image classifier of torchvision and of transformers, traced.

    python bench/classifiers.py

torchvision's by name; transformers' from the configuration that it gives each type by default.
Parameters are set beside ``sum(p.numel())``, multiply-accumulates beside half of what torch's own
counter finds in the same forward on the meta device.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from common import command, commit, hardware, today, versions, write
from peers import import_peer
from record import Cell, Claim, Column, Record
from striate.errors import StriateError
from striate.flow.targets import Target, resolve
from striate.flow.trace import trace_target
from striate.tracing.prepare import made


def targets() -> Iterator[str]:
    """``torchvision/…`` and ``hf/…``, every classifier that the two libraries list."""
    models = import_peer("torchvision").models
    yield from (f"torchvision/{name}" for name in models.list_models(module=models))
    auto = import_peer("transformers.models.auto.modeling_auto")
    yield from (f"hf/{kind}" for kind in sorted(auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES))


def counted(net: nn.Module, image: tuple[int, ...]) -> int:
    """Multiply-accumulates by torch's counter, which counts two operations for each."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.empty(1, *image, device="meta"))
    return counter.get_total_flops() // 2


def _reason(error: StriateError) -> str:
    """Its first sentence, without the target and without the place in somebody's folders."""
    said = str(error).split(": ", 1)[1]
    return re.sub(r" at \S+:\d+", "", said).split(". ")[0]


def row(name: str) -> dict[str, Cell]:
    """One classifier; ``said`` is why it does not trace, where it does not."""
    found: dict[str, Cell] = {"target": name}
    try:
        target: Target = resolve(name)
        traced = trace_target(target)
    except StriateError as error:
        return found | {
            "layers": 0, "params": 0, "macs": 0, "params_off": 0, "macs_off": 0.0, "unknown": 0,
            "refused": True, "said": _reason(error),
        }  # fmt: skip
    net = made(target.make)[0].to("meta").eval()
    params = sum(p.numel() for p in net.parameters())
    macs = counted(net, traced.image)
    failure = traced.failure
    return found | {
        "layers": len(traced),
        "params": traced.totals.params,
        "macs": traced.totals.macs,
        "params_off": traced.totals.params - params,
        "macs_off": round(traced.totals.macs / macs - 1, 6),
        "unknown": len(traced.unknown),
        "refused": failure is not None,
        "said": "" if failure is None else failure.message,
    }


def main() -> None:
    warnings.simplefilter("ignore")  # of the libraries' own making
    head, changed = commit()
    rows: list[dict[str, Cell]] = []
    for name in targets():
        rows.append(row(name))
        print(rows[-1], file=sys.stderr, flush=True)
    write(
        Record(
            title="Every classifier of torchvision and transformers",
            what=(
                "Whether each traces to the end, and its parameters and multiply-accumulates "
                "beside PyTorch's own counts."
            ),
            command=command(),
            commit=head,
            changed=changed,
            date=today(),
            hardware=hardware(),
            versions=versions(("torch", "torchvision", "transformers")),
            seeds=(),
            columns=(
                Column(key="target", title="network"),
                Column(key="layers", title="layers", shown=",d"),
                Column(key="params", title="parameters", shown=",d"),
                Column(key="macs", title="MACs", shown=",d"),
                Column(key="params_off", title="parameters off by", shown="+.0f"),
                Column(key="macs_off", title="MACs off the counter's", shown="+.2%"),
                Column(key="unknown", title="unknown operations", shown=".0f"),
                Column(key="refused", title="not traced", shown=".0f"),
                Column(key="said", title="why"),
            ),
            rows=tuple(rows),
            claims=(
                Claim(text="at most 5 do not trace", column="refused", by="sum", at_most=5),
                Claim(text="no parameter off", column="params_off", by="largest", at_most=0),
                Claim(text="no MACs above the counter", column="macs_off", by="largest", at_most=0),
                Claim(text="no MACs below it", column="macs_off", by="smallest", at_least=0),
                Claim(text="no operation unknown", column="unknown", by="largest", at_most=0),
            ),
        ),
        "classifiers",
    )


if __name__ == "__main__":
    main()

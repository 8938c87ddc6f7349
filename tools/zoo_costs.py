"""Write the zoo's table of costs by tracing every network on its own image size.

``src/striate/arch/zoo/costs.json``, which ``striate zoo`` reads without torch; with ``--check``,
say if it is stale.
"""

from __future__ import annotations

import json
import sys

from _generated import ROOT, finish
from striate.arch import zoo, zoo_names
from striate.building import build
from striate.tracing import trace


def main() -> int:
    rows = [f'  "{name}": {json.dumps(row(name))}' for name in zoo_names()]
    path = ROOT / "src" / "striate" / "arch" / "zoo" / "costs.json"
    return finish({path: "{\n" + ",\n".join(rows) + "\n}\n"})


def row(name: str) -> dict[str, int | None]:
    """Parameters, MACs, activations, and the field of the last convolution in pixels."""
    arch = zoo(name)
    traced = trace(lambda: build(arch), arch.image, name=name)
    if not traced.complete or traced.unknown:
        raise SystemExit(f"{name}: the trace is not whole: {traced.failure or traced.unknown}")
    fields = [layer.field for layer in traced if layer.op == "conv2d"]
    seen = [field for field in fields if field and field.status != "whole"]  # a gate's see it all
    return {
        "params": traced.totals.params,
        "macs": traced.totals.macs,
        "activations": traced.totals.activations,
        "field_px": seen[-1].size[0] if seen else None,
    }


if __name__ == "__main__":
    sys.exit(main())

"""How much faster one image is in an exported file than in eager PyTorch, in one process.

    python bench/export.py             trains, exports and measures; prints the table
    python bench/export.py --write     and keeps it as a record

Each network is trained for four epochs on the digits, brought to 32 × 32, and exported with all its
checks.  Then one image at a time goes through eager PyTorch (evaluation mode, inference mode,
fp32), the file, and the int8 file where its checks let it be: in turn, so that whatever else the
machine does meets all three alike.  The median of 200 rounds is stated, with the same threads.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import torch

import striate
from common import command, commit, hardware, today, versions, write
from record import Cell, Claim, Column, Record
from striate.arch import adapt, to_toml
from striate.deploying.gates import Runtime
from striate.errors import ExportError
from striate.flow.events import FitOptions
from striate.flow.fit import fit

NETWORKS = ("resnet20", "efficientnet_b0-small", "mobilenetv2-small")
EPOCHS, ROUNDS, WARM = 4, 200, 20


NOTES = ("Where there is no int8 figure, the int8 file was refused by one of its checks.",)


def trained(name: str, folder: Path) -> Path:
    """A run of a few epochs."""
    arch = folder / f"{name}.toml"
    made = adapt(striate.zoo(name), image=(1, 32, 32), classes=10)
    arch.write_text(to_toml(made))
    fit(
        "digits",
        FitOptions(
            arch=str(arch), image="1x32x32", epochs=EPOCHS, setting="fp32-channels-last",
            threads=torch.get_num_threads(), out=folder / name,
        ),
    )  # fmt: skip
    return folder / name


def measured(name: str, folder: Path) -> dict[str, Cell]:
    """Medians of one image, in ms."""
    path = trained(name, folder)
    refused = False
    try:
        done = striate.export(path, int8=True)
    except ExportError as error:
        print(f"{name}: {error}")
        refused = True
        done = striate.export(path)
    run = striate.load(path)
    module = run.module
    image = torch.randn(1, *run.preprocessing.image)
    ways = {
        "whole": Runtime(Path(done.files[0]).read_bytes(), optimised=True),
        "small": None if refused else Runtime(Path(done.files[1]).read_bytes(), optimised=True),
    }
    times: dict[str, list[float]] = {"eager": [], "whole": [], "small": []}
    pixels = image.numpy()
    with torch.inference_mode():
        for round_ in range(WARM + ROUNDS):
            started = perf_counter()
            module(image)
            spent = {"eager": perf_counter() - started}
            for key, way in ways.items():
                if way is not None:
                    started = perf_counter()
                    way(pixels)
                    spent[key] = perf_counter() - started
            if round_ >= WARM:
                for key, seconds in spent.items():
                    times[key].append(1e3 * seconds)
    eager, whole = median(times["eager"]), median(times["whole"])
    small = median(times["small"]) if times["small"] else None
    return {
        "network": name,
        "params": sum(p.numel() for p in module.parameters()),
        "accuracy": done.accuracy["model.onnx"],
        "int8_accuracy": done.accuracy.get("model.int8.onnx"),
        "eager": eager,
        "whole": whole,
        "small": small,
        "faster": eager / whole,
        "int8_faster": None if small is None else eager / small,
    }


def main() -> None:
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002  of libraries that ask for it
    head, changed = commit()
    rows: list[dict[str, Cell]] = []
    with tempfile.TemporaryDirectory() as name:
        for network in NETWORKS:
            rows.append(measured(network, Path(name)))
            print(rows[-1])
    record = Record(
        title="One image through an export",
        what=(
            "Time of one 32×32 image through eager PyTorch (fp32, inference mode), the ONNX file "
            "and the int8 file that `striate export` writes, in ONNX Runtime with its "
            f"optimisations: in turn in one process, {torch.get_num_threads()} thread(s) each, the "
            f"median of {ROUNDS} rounds. Each network was trained for four epochs on the digits, "
            "and its files passed all their checks."
        ),
        command=command(),
        commit=head,
        changed=changed,
        date=today(),
        hardware=hardware(),
        versions=versions(("torch", "onnx", "onnxscript", "onnxruntime")),
        seeds=(0,),
        columns=(
            Column(key="network", title="network"),
            Column(key="params", title="parameters", shown=",d"),
            Column(key="accuracy", title="accuracy", shown=".2%"),
            Column(key="int8_accuracy", title="int8 accuracy", shown=".2%"),
            Column(key="eager", title="eager", unit="ms", shown=".2f"),
            Column(key="whole", title="file", unit="ms", shown=".2f"),
            Column(key="small", title="int8", unit="ms", shown=".2f"),
            Column(key="faster", title="faster", unit="×", shown=".2f"),
            Column(key="int8_faster", title="int8 faster", unit="×", shown=".2f"),
        ),
        rows=tuple(rows),
        averaged=("faster",),
        claims=(
            Claim(
                text="at least 1.5 times as fast as eager PyTorch, each",
                column="faster",
                by="smallest",
                at_least=1.5,
            ),
        ),
        notes=NOTES,
    )
    if "--write" in sys.argv:
        write(record, "export")


if __name__ == "__main__":
    main()

"""``striate code``: a network as plain PyTorch source, verified before it is handed over."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from striate.arch import Arch
from striate.building import build
from striate.errors import TargetError
from striate.flow.confidence import confidence_of
from striate.flow.load import load
from striate.flow.targets import resolve
from striate.records import Trace
from striate.runs import LoadedRun, RunPaths, evaluating
from striate.tracing import trace
from striate.writing import Trained, class_name, write_code

_IDLE = frozenset({"dropout", "flatten"})
"""Operations that compute nothing where nothing is trained, and that the two may differ in."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """``text``: the source.  ``name``: its class.  ``checked``: what was found equal, said."""

    arch: Arch
    name: str
    text: str
    checked: tuple[str, ...]
    said: tuple[str, ...] = ()


def code(target: str | Path, *, out: Path | None = None) -> Written:
    """The source of TARGET (a zoo name, a TOML file, a run's folder).

    Of a run it reads the weights, prepares pixels and names classes too; ``out``, where the text
    will lie, decides how it names the weights' place.  Before it is returned, the text is run, and
    its network compared with the one it was written from: names and shapes of the state, every
    operation with its shape and cost, and, of a run, the logits.

    TargetError for a network that is source already (a user's own, or another library's).
    """
    if RunPaths(Path(target)).info.exists():
        return _of_run(load(target), out)
    if Path(target).is_dir():
        raise TargetError(
            f"{target}: not a run's folder (it has no run.json); name a zoo network, a TOML file "
            "or the folder that striate fit wrote"
        )
    found = resolve(str(target))
    if found.arch is None:
        raise TargetError(
            f"{target}: is Python source already; striate code writes networks of the zoo, of a "
            "TOML file or of a run trained from one"
        )
    return code_of(found.arch)


def code_of(arch: Arch) -> Written:
    """The source of an architecture, compared with the network that it was written from."""
    text = write_code(arch)
    _compare(arch, text)
    return Written(
        arch=arch,
        name=class_name(arch),
        text=text,
        checked=("weights' names and shapes", "operations"),
    )


def _of_run(run: LoadedRun, out: Path | None) -> Written:
    if run.arch is None:
        assert run.target is not None
        raise TargetError(
            f"{run.path}: its network is {run.target.target}, which is Python source already"
        )
    weights = RunPaths(run.path).weights.absolute()
    base = Path.cwd() if out is None else out.absolute().parent
    measured = confidence_of(run)
    text = write_code(
        run.arch,
        trained=Trained(
            weights=os.path.relpath(weights, base),
            classes=run.preprocessing.classes,
            mean=run.preprocessing.mean,
            std=run.preprocessing.std,
            temperature=measured.confidence.temperature,
        ),
    )
    names = _compare(run.arch, text)
    theirs: nn.Module = names["load"](weights)
    images = torch.randn(2, *run.preprocessing.image, generator=torch.Generator().manual_seed(0))
    with evaluating(run.module), evaluating(theirs):
        same = torch.equal(run.module(images), theirs(images))
    assert same, f"the source written for {run.path} gives other logits; please report this"
    return Written(
        arch=run.arch,
        name=class_name(run.arch),
        text=text,
        checked=("weights' names and shapes", "operations", "logits with the run's weights"),
        said=measured.said,
    )


def _compare(arch: Arch, text: str) -> dict[str, Any]:
    """Run ``text``; AssertionError where its network is not ``arch``'s.  Returns its names."""
    names: dict[str, Any] = {"__name__": class_name(arch), "__file__": f"{arch.name}.py"}
    exec(compile(text, f"<source of {arch.name}>", "exec"), names)  # noqa: S102  our own text
    made = names[class_name(arch)]
    with torch.device("meta"):
        theirs: nn.Module = made()
    ours = build(arch, device="meta")
    shapes = [
        {name: tensor.shape for name, tensor in module.state_dict().items()}
        for module in (ours, theirs)
    ]
    assert shapes[0] == shapes[1], f"{arch.name}: the written weights differ; please report this"
    same = _operations(trace(ours, arch.image)) == _operations(trace(theirs, arch.image))
    assert same, f"{arch.name}: the written operations differ; please report this"
    return names


def _operations(found: Trace) -> list[tuple[object, ...]]:
    return [(x.op, x.shape, x.params, x.macs) for x in found if x.op not in _IDLE]

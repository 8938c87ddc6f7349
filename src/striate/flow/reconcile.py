"""``striate trace TARGET --reconcile TOOLS``: why other tools' totals differ from ours."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import PackageNotFoundError, version
from io import StringIO
from typing import Any

import torch
from torch import nn

from striate.arch import adapt
from striate.building import build
from striate.errors import InputError, TraceError, choices
from striate.flow.matching import reconcile
from striate.flow.network import settled
from striate.flow.others import TOOLS
from striate.flow.sizes import full_image
from striate.flow.targets import Target, raised, resolve
from striate.flow.trace import DEFAULT_IMAGE, check_channels
from striate.records import Trace
from striate.records.reconciliation import Reconciled, Reconciliation
from striate.records.trace_text import stopped
from striate.tracing import trace

__all__ = ["beside", "parse_tools", "reconcile_target"]


def parse_tools(text: str) -> tuple[str, ...]:
    """Read ``torchinfo,fvcore``: names of other tools, each once, in order; InputError if wrong."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise InputError(f"--reconcile {text!r}: names no tool; choose from {', '.join(TOOLS)}")
    for name in names:
        if name not in TOOLS:
            raise InputError(f"--reconcile {name}: no tool of that name; {choices(name, TOOLS)}")
    return tuple(dict.fromkeys(names))


def reconcile_target(
    target: Target | str,
    names: Sequence[str],
    image: str | None = None,
    *,
    begins: Callable[[str], None] = lambda _: None,
) -> Reconciled:
    """Trace TARGET, run the other tools on it, and find out what their totals differ by.

    The tools run the network on real numbers, each on a copy that is built for it, one after the
    other; ``begins`` is told each one's name before it is run.  TraceError where our own trace
    does not come to its end, InputError where none of the tools is installed.
    """
    if isinstance(target, str):
        target = resolve(target)
    size = full_image(image, target.image or DEFAULT_IMAGE)
    missing = tuple((name, TOOLS[name].package) for name in names if not _installed(name))
    here = [name for name in names if name not in dict(missing)]
    if not here:
        packages = " ".join(package for _, package in missing)
        raise InputError(
            f"--reconcile {','.join(names)}: "
            f"{'is' if len(names) == 1 else 'none of them is'} not installed; "
            f"pip install {packages}"
        )
    make = _maker(target, size)
    ours = trace(make(), size, name=target.name)
    if ours.failure is not None:
        raise TraceError(f"{target.text}: {stopped(ours.failure)}")
    found: list[Reconciliation] = []
    for name in here:
        begins(name)
        found.append(beside(ours, name, make(), torch.rand(1, *size)))
    return Reconciled(
        target=target.text,
        image=size,
        macs=ours.totals.macs,
        tools=tuple(found),
        missing=tuple((name, f"pip install {package}") for name, package in missing),
    )


def beside(ours: Trace, name: str, module: nn.Module, image: torch.Tensor) -> Reconciliation:
    """One tool's total for ``module`` (in evaluation mode afterwards), beside its trace.

    Whatever the tool raises is in the result; what it prints is not heard, what it patches of
    torch is put back.
    """
    tool = TOOLS[name]
    module.eval()
    weight = next((one for one in module.parameters() if one.is_floating_point()), image)
    image = image.to(weight.dtype)
    try:
        with _kept(), redirect_stdout(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            account = tool.count(module, image, ours)
    except Exception as error:  # noqa: BLE001  # another tool may fail in any way
        return Reconciliation(
            tool=name,
            version=version(tool.package),
            ours=ours.totals.macs,
            failure=raised(error).removeprefix("raised "),
        )
    return reconcile(ours, account)


def _installed(name: str) -> bool:
    package = TOOLS[name].package
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return importlib.util.find_spec(package) is not None


def _maker(target: Target, size: tuple[int, int, int]) -> Callable[[], nn.Module]:
    if target.arch is None:
        return lambda: settled(target.make(), size, target.name).eval()
    check_channels(target, size)
    network = adapt(target.arch, image=size)
    return lambda: build(network).eval()


_PATCHED = ("matmul", "mm", "bmm", "addmm", "baddbmm", "mul", "add", "einsum")


@contextmanager
def _kept() -> Generator[None]:
    """What tools patch of torch while they count is as it was afterwards, even if they fail."""
    names: list[tuple[Any, str]] = [(nn.functional, name) for name in vars(nn.functional)]
    names += [(owner, name) for owner in (torch, torch.Tensor) for name in _PATCHED]
    before = [(owner, name, getattr(owner, name, None)) for owner, name in names]
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            for owner, name, value in before:
                if value is not None and getattr(owner, name) is not value:
                    setattr(owner, name, value)

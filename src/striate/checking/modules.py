"""Parameters and modules by their names: what belongs together, and what stands for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from striate.records import Layer, Trace


def owner(parameter: str) -> str:
    """The path of the module that holds a parameter.

    >>> owner("layer1.0.conv.weight"), owner("scale")
    ('layer1.0.conv', '')
    """
    return parameter.rpartition(".")[0]


def is_in(path: str, module: str) -> bool:
    """Whether a path is that of ``module`` or of something in it.

    >>> is_in("layer1.0.conv", "layer1.0"), is_in("layer10", "layer1"), is_in("a", "")
    (True, False, True)
    """
    return not module or path == module or path.startswith(f"{module}.")


def whole_modules(chosen: Collection[str], every: Iterable[str]) -> dict[str, list[str]]:
    """The chosen parameters by the largest modules of which all parameters are chosen.

    >>> every = ["stem.w", "head.a.w", "head.a.b", "head.b.w"]
    >>> whole_modules(["head.a.w", "head.a.b", "head.b.w"], every)
    {'head': ['head.a.w', 'head.a.b', 'head.b.w']}
    >>> whole_modules(["head.a.w", "head.b.w"], every)
    {'head.a': ['head.a.w'], 'head.b': ['head.b.w']}
    """
    others = [name for name in every if name not in chosen]
    found: dict[str, list[str]] = {}
    for name in chosen:
        parts = owner(name).split(".") if owner(name) else []
        path = owner(name)
        for depth in range(1, len(parts) + 1):
            above = ".".join(parts[:depth])
            if not any(is_in(owner(other), above) for other in others):
                path = above
                break
        found.setdefault(path, []).append(name)
    return found


def stand_in(trace: Trace, path: str) -> Layer:
    """A place to point at for a module in which nothing ran."""
    made = trace.defined.get(path)
    return Layer(
        index=len(trace), path=path, op="", inputs=(), shape=(), source=made, defined=made,
        module=trace.modules.get(path, ""),
    )  # fmt: skip


def first_in(trace: Trace, path: str) -> Layer:
    """The first layer that ran in a module, under the module's own path; or what stands for it."""
    return next(
        (layer for layer in trace if layer.path == path and layer.params), stand_in(trace, path)
    )

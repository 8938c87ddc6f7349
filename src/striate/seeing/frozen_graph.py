"""One forward of any network as a graph of values, each made once and never written again.

The forward is functionalised: operations in place become ones that make something new, so reused
modules, functional skips and writes into views leave one value for each moment of a tensor.  Only
what depends on the image is a node; what does not is a constant inside the arguments.

Comes in: a module and its input.  Goes out: ``Graph``.  The module is called once, in evaluation
mode; its modes and hooks are put back also after an error, its parameters are only read.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.func import (
    functional_call,  # pyright: ignore[reportPrivateImportUsage] -- public, as documented
    functionalize,  # pyright: ignore[reportPrivateImportUsage] -- public, as documented
)
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

from striate.errors import InputError
from striate.runs import evaluating
from striate.seeing.passing import submodules


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


class Ref(NamedTuple):
    """An argument that is the value of this number."""

    value: int


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """One ATen operation on values.

    ``op``: its name without namespace and overload.  ``args``, ``kwargs``: with ``Ref`` where a
    value is given.  ``reads``, ``outs``: numbers of values.  ``path``: the module it ran in.
    """

    index: int
    func: Any
    op: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    reads: tuple[int, ...]
    outs: tuple[int, ...]
    path: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Graph:
    """``values[0]`` is the image batch (N, C, H, W), ``values[output]`` the logits (N, classes).

    ``made``: for each value but the image, the number of the node that made it.
    ``names``: the parameter or buffer behind a constant, by ``id``, where there is one.
    """

    nodes: tuple[Node, ...]
    values: tuple[Tensor, ...]
    output: int
    made: tuple[int, ...]
    names: dict[int, str] = field(default_factory=dict[int, str])
    notes: tuple[str, ...] = ()

    @property
    def image(self) -> Tensor:
        """(N, C, H, W) as it was given, in the type of the computation."""
        return self.values[0]

    @property
    def logits(self) -> Tensor:
        """(N, classes)."""
        return self.values[self.output]

    def maker(self, value: int) -> Node | None:
        """The node that made a value; None for the image."""
        return None if value == 0 else self.nodes[self.made[value]]


def capture(module: nn.Module, images: Tensor, *, dtype: torch.dtype | None = None) -> Graph:
    """The graph of one forward of ``images`` (N, C, H, W), computed in ``dtype`` (default: as is).

    With ``dtype`` parameters, buffers and the forward's own casts are of that type, on copies.  A
    network that ends in a softmax is heard up to what enters it.  InputError where the module
    cannot take the images, or does not return (N, classes), or an object with such ``logits``.
    """
    kind = images.dtype if dtype is None else dtype

    def cast_to(tensor: Tensor) -> Tensor:
        return tensor.detach().to(kind) if tensor.is_floating_point() else tensor.detach()

    named = [*module.named_parameters(), *module.named_buffers()]
    state = {name: cast_to(tensor).clone() for name, tensor in named}
    given = cast_to(images).clone()
    recorder = _Recorder(given, {id(tensor): name for name, tensor in state.items()}, kind)

    def forward(state: dict[str, Tensor], images: Tensor) -> Tensor:
        result = functional_call(module, state, (images,))
        logits = result if isinstance(result, Tensor) else getattr(result, "logits", None)
        if not isinstance(logits, Tensor) or logits.dim() != 2 or len(logits) != len(images):
            shown = tuple(logits.shape) if isinstance(logits, Tensor) else type(result).__name__
            raise InputError(
                f"{type(module).__name__} returns {shown} for {len(images)} images; to be looked "
                f"into it must return logits of shape ({len(images)}, classes)"
            )
        return logits.clone()

    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with (
            evaluating(module),
            _placed(module, recorder),
            torch.random.fork_rng(),
            sdpa_kernel(SDPBackend.MATH),
            recorder,
        ):
            cast("Any", functionalize(forward, remove="mutations"))(state, given)
    except RuntimeError as error:
        shape, said = "×".join(map(str, images.shape)), str(error).splitlines()[0]
        raise InputError(
            f"{type(module).__name__}{recorder.where}: cannot take images of shape {shape} as "
            f"{kind}: {said}"
        ) from error
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return recorder.finished()


class _Recorder(TorchDispatchMode):
    """Hears every ATen operation below functionalisation, where nothing is written in place."""

    def __init__(self, image: Tensor, names: dict[int, str], dtype: torch.dtype) -> None:
        super().__init__()
        self.stack: list[str] = []
        self._numbers = {id(image): 0}
        self._values, self._made = [image], [-1]
        self._nodes: list[Node] = []
        self._names, self._dtype = names, dtype
        self._kept: list[Tensor] = []  # so that no id is given twice

    @property
    def where(self) -> str:
        return f", in {self.stack[-1]}" if self.stack and self.stack[-1] else ""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        asked = kwargs.get("dtype")
        if isinstance(asked, torch.dtype) and asked.is_floating_point and _floats(args):
            kwargs["dtype"] = self._dtype  # the forward's own casts would lose what was asked for
        out = func(*args, **kwargs)
        name = func._schema.name.split("::")[1]
        if name == "copy":  # what was there before is gone
            func, args = _copied, (args[1], args[0].detach().new_empty(()).expand_as(args[0]))
        reads = tuple(self._numbers[id(t)] for t in tensors_in((args, kwargs)) if self._is(t))
        made = list(tensors_in((out,)))
        self._kept += made
        if not reads:
            self._inherit(args, made)
            return out
        if name == "as_strided_":  # the one operation in place that is let through
            name, func = name.rstrip("_"), getattr(torch.ops.aten, name.rstrip("_")).default
        node = Node(
            index=len(self._nodes),
            func=func,
            op=name,
            args=tuple(self._told(args)),
            kwargs={key: self._told((value,))[0] for key, value in kwargs.items()},
            reads=tuple(dict.fromkeys(reads)),
            outs=tuple(range(len(self._values), len(self._values) + len(made))),
            path=self.stack[-1] if self.stack else "",
        )
        for number, tensor in zip(node.outs, made, strict=True):
            self._numbers[id(tensor)] = number
            self._values.append(tensor)
            self._made.append(node.index)
        self._nodes.append(node)
        return out

    def _is(self, tensor: Tensor) -> bool:
        return id(tensor) in self._numbers

    def _told(self, given: Any) -> list[Any]:
        told: list[Any] = []
        for value in given:
            if isinstance(value, Tensor):
                told.append(Ref(self._numbers[id(value)]) if self._is(value) else value)
            elif isinstance(value, (list, tuple)):
                told.append(self._told(cast("list[Any]", value)))
            else:
                told.append(value)
        return told

    def _inherit(self, args: Any, made: list[Tensor]) -> None:
        """What is made of one named constant goes by its name."""
        found = {self._names[id(t)] for t in tensors_in((args,)) if id(t) in self._names}
        if len(found) == 1:
            self._names.update({id(tensor): next(iter(found)) for tensor in made})

    def finished(self) -> Graph:
        """The graph up to the logits; what does not lead to them is left out of no list."""
        if not self._nodes:
            raise InputError("the network's output does not depend on the image")
        output, notes = self._nodes[-1].outs[0], ()
        end: Node | None = self._nodes[-1]
        while end is not None and end.op in ("clone", "alias", "_to_copy"):
            output = end.reads[0]
            end = None if output == 0 else self._nodes[self._made[output]]
        if end is not None and end.op in ("_softmax", "_log_softmax", "_safe_softmax"):
            output = end.reads[0]
            notes = ("The network ends in a softmax; its logits are what enters it.",)
        return Graph(
            nodes=tuple(self._nodes),
            values=tuple(self._values),
            output=output,
            made=tuple(self._made),
            names=self._names,
            notes=notes,
        )


def _copied(source: Tensor, place: Tensor, **_: object) -> Tensor:
    """What ``place`` holds when ``source`` has been written into it."""
    return source.to(place.dtype).expand_as(place)


def tensors_in(values: Any) -> Iterator[Tensor]:
    """Every tensor in nested lists, tuples and dicts, in order."""
    within = cast("dict[str, Any]", values).values() if isinstance(values, dict) else values
    for value in within:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple, dict)):
            yield from tensors_in(value)


def _floats(args: Any) -> bool:
    return any(tensor.is_floating_point() for tensor in tensors_in((args,)))


@contextmanager
def _placed(module: nn.Module, recorder: _Recorder) -> Generator[None]:
    """Hooks that tell the recorder which module is running."""
    handles: list[Any] = []

    def entering(path: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any) -> None:
            recorder.stack.append(path)

        return hook

    def leaving(_module: nn.Module, _inputs: Any, _output: Any) -> None:
        recorder.stack.pop()

    try:
        for path, part in submodules(module).items():
            if isinstance(part, torch.jit.ScriptModule):
                continue  # runs outside Python and takes no such hooks
            handles.append(part.register_forward_pre_hook(entering(path), prepend=True))
            handles.append(part.register_forward_hook(leaving))
        yield
    finally:
        for handle in handles:
            handle.remove()

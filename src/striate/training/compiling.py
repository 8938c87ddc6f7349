"""Training steps made by ``torch.compile`` (Ansel et al. 2024, "PyTorch 2"), exactly repeatable.

Which steps are compiled is a function of the recipe, the number of images and the step, never of
what the process did before, so a resumed run computes each step as the one that was never stopped:

- Batches differ in size by one at most.  A size that makes up ``WHOLE`` of an epoch or more is
  compiled, each for itself (no symbolic sizes, which depend on what was seen first); one that is
  rarer, and an epoch that ends short, runs as it is.
- A step in which the layers are looked at runs as it is: compiled code hears no hooks.
- The network is compiled whole or not at all, and never again for a shape that was compiled while
  the same parameters were trained: one that asks for it, as by a counter of its own, is refused.

The network itself stays as it is: evaluation, checkpoints and averages see the same module.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext
from typing import cast

import torch
from torch import Tensor, nn

from striate.errors import RecipeError
from striate.runs import Compile
from striate.training.plan import steps_per_epoch
from striate.training.recipe import Recipe
from striate.training.watching import looked_at, looks_every

WHOLE = 0.25
"""Share of an epoch's batches that a size must make up to be compiled: a rarer one would take as
long to compile, and save less."""

_MODES: dict[Compile, str | None] = {"on": None, "graphs": "reduce-overhead"}
_AGAIN = "Detected recompile"


def compiled_sizes(images: int, batch_size: int) -> dict[int, float]:
    """The sizes of batch that are compiled, each with its share of the batches of an epoch.

    >>> compiled_sizes(50_000, 128)  # 343 batches of 128, and 48 of 127 that run as they are
    {128: 0.8772378516624041}
    """
    batches = steps_per_epoch(images, batch_size)
    least, more = divmod(images, batches)
    shares = {least: 1 - more / batches, least + 1: more / batches}
    return {size: share for size, share in shares.items() if share >= WHOLE}


def compiled_share(images: int, batch_size: int, steps: int) -> float:
    """The share of ``steps`` that are compiled: of those sizes, and not looked at."""
    return sum(compiled_sizes(images, batch_size).values()) * (1 - 1 / looks_every(steps))


class Compiled:
    """The compiled training steps of ``module``; ``sizes`` are the batches' that are compiled.

    ``steps``: of the whole training.  With ``mode`` ``off`` every step runs as it is.
    """

    def __init__(
        self, module: nn.Module, mode: Compile, *, sizes: Mapping[int, float], steps: int
    ) -> None:
        self._sizes = sizes
        self._steps = steps
        self._mode: Compile = mode
        self._parameters = list(module.parameters())
        self._known: set[tuple[tuple[int, ...], tuple[bool, ...]]] = set()
        self._network: nn.Module | None = None
        if mode == "off":
            return
        try:
            whole = torch.compile(module, fullgraph=True, dynamic=False, mode=_MODES[mode])
        except RuntimeError as error:  # torch has no compiler for this Python or system
            raise _refusal(mode, brief(error)) from error
        self._network = cast(nn.Module, whole)

    @classmethod
    def of(
        cls, module: nn.Module, recipe: Recipe, *, images: int, steps: int, processes: int
    ) -> Compiled:
        """As the frozen ``recipe`` says, for so many training ``images``.

        A run from before recipes had the key was not compiled.
        """
        mode: Compile = "off" if recipe.compile == "auto" else recipe.compile
        if mode != "off" and processes > 1:
            raise RecipeError(
                f'compile = "{mode}" is of a run in one process, and {processes} are here; go on '
                "with one"
            )
        sizes = compiled_sizes(images, recipe.batch_size)
        return cls(module, mode, sizes=sizes, steps=steps)

    @contextmanager
    def alone(self) -> Generator[None]:
        """The whole training is made inside; nothing that was compiled outside is used."""
        with apart() if self._network is not None else nullcontext():
            yield

    def takes(self, images: int, step: int) -> bool:
        """Whether ``step`` (1, 2, …) on so many images is compiled."""
        return (
            self._network is not None and images in self._sizes and not looked_at(step, self._steps)
        )

    @contextmanager
    def through(self, images: Tensor, step: int) -> Generator[nn.Module | None]:
        """What the forward pass of ``step`` is to run through, None for the network as it is;
        forward and backward pass are taken inside.

        RecipeError where the network cannot be compiled here.
        """
        if not self.takes(len(images), step):
            yield None
            return
        made = tuple(images.shape), tuple(one.requires_grad for one in self._parameters)
        try:
            if self._mode == "graphs":
                torch.compiler.cudagraph_mark_step_begin()
            if made in self._known:
                with torch.compiler.set_stance("fail_on_recompile"):
                    yield self._network
            else:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # torch's own, of its own older parts
                    yield self._network
                self._known.add(made)
        except Exception as error:  # the compiler's, which have no common class
            if (said := why_not(error)) is None:
                raise
            raise _refusal(self._mode, said) from error


@contextmanager
def apart() -> Generator[None]:
    """What is compiled inside does not lean on what was compiled before, nor is it leant on."""
    torch.compiler.reset()
    try:
        yield
    finally:
        torch.compiler.reset()


def _refusal(mode: Compile, said: str) -> RecipeError:
    return RecipeError(
        f'compile = "{mode}" belongs to this run, and its network cannot be compiled here: {said}; '
        "mend that, or begin a new run with --set compile=off (this one cannot go on uncompiled: "
        "its bits would be others)"
    )


def why_not(error: BaseException) -> str | None:
    """What the compiler says, in one line; None where ``error`` is none of the compiler's."""
    ours = [
        kind
        for kind in type(error).__mro__
        if kind.__module__.startswith(("torch._dynamo", "torch._inductor", "torch._functorch"))
    ]
    if not ours and not str(error).startswith(_AGAIN):
        return None
    return brief(error)


def brief(error: BaseException) -> str:
    """The first telling line of what the compiler raised, without its advice to developers."""
    text = str(error)
    if text.startswith(_AGAIN):
        return "it would be compiled anew at every step (something in it changes from step to step)"
    if "C++ compiler" in text or "InvalidCxxCompiler" in text:
        return "no working C++ compiler is found (install g++ or clang)"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith("backend=")]
    first = next(iter(told or lines), type(error).__name__)
    return first[:160].rstrip(".")

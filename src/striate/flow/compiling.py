"""Whether a training's steps are compiled: tried where it can pay, taken where it is found to.

Compiling takes tens of seconds and more, and brings what the network's own kernels leave; it pays
where what it saves over all steps is more.  So it is tried only in a training that is so long that
``PLAUSIBLE`` of its time is more than compiling takes by a rough count; then it is measured, and
what was measured decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from striate.errors import RecipeError
from striate.records import ProbeResult
from striate.runs import Compile, Setting
from striate.training import (
    MARGIN,
    Probe,
    Recipe,
    compiled_share,
    compiled_sizes,
    probe_compiled,
    steps_per_epoch,
)

PLAUSIBLE: Mapping[str, float] = {"cpu": 0.05, "cuda": 0.2}
"""Share of the training time that compiling is thought to save before it is measured.  A CPU's
convolutions are the library's either way, and only what stands between them is gained
(docs/decisions/0034-compile.md); on a GPU, too, what it costs to launch each.  It also bounds what
the trial itself can cost."""

LAYER_SECONDS = 2.0
"""Seconds that compiling one layer with weights and what stands around it takes, for one shape."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """The images of one size: the first batch of them, and their ``share`` of all that are seen;
    ``plain``: images a second as they are trained without compiling.
    """

    images: Tensor
    share: float
    plain: float


@dataclass(frozen=True, kw_only=True)
class Compiling:
    """What was found.  ``results``: rows of the probe's table; ``said``: why a kind has none.

    Where one of them is chosen: ``seconds`` that compiling takes in this training, and ``speed``,
    images a second over the whole of it; else 0 and None.
    """

    results: tuple[ProbeResult, ...] = ()
    said: tuple[str, ...] = ()
    seconds: float = 0.0
    speed: float | None = None


@dataclass(frozen=True, kw_only=True)
class _Gain:
    """What a kind brings: seconds saved in the whole training, and what it took to compile."""

    row: ProbeResult
    saved: float
    spent: float
    speed: float

    @property
    def pays(self) -> bool:
        return self.row.agrees and self.saved > MARGIN * self.spent


def expected_seconds(module: nn.Module, shapes: int) -> float:
    """Roughly what compiling ``module`` for so many ``shapes`` takes."""
    layers = sum(parameter.dim() > 1 for parameter in module.parameters())
    return LAYER_SECONDS * layers * shapes


def kinds_to_try(
    recipe: Recipe, module: nn.Module, *, seconds: float, shapes: int, never: str | None = None
) -> tuple[Compile, ...]:
    """The kinds of compiling that are worth a trial in a training of ``seconds``; () for none.

    ``shapes``: how many would be compiled.  ``never``: why nothing is, whatever the length.
    RecipeError where a kind was asked for that cannot be.
    """
    device = recipe.device.partition(":")[0]
    if never is None and recipe.finetune is not None:
        never = "layers that are trained later than others would be compiled anew"
    if never is None and device not in PLAUSIBLE:
        never = f"it is made for {' and '.join(PLAUSIBLE)}, not {device}"
    if recipe.compile == "off":
        return ()
    if recipe.compile != "auto":
        if never is None and recipe.compile == "graphs" and device != "cuda":
            never = f"CUDA graphs are made on a GPU, and the device is {device}"
        if never is not None:
            raise RecipeError(
                f'compile = "{recipe.compile}": {never}; leave it out, or write --set compile=off'
            )
        return (recipe.compile,)
    if never is not None or PLAUSIBLE[device] * seconds < expected_seconds(module, shapes):
        return ()
    return ("on", "graphs") if device == "cuda" else ("on",)


def found_compiling(
    module: nn.Module,
    labels: Tensor,
    recipe: Recipe,
    sides: Sequence[Side],
    *,
    kinds: Sequence[Compile],
    setting: Setting,
    classes: int,
    train_images: int,
    steps: int,
    fresh: bool = False,
) -> Compiling:
    """Try ``kinds`` in ``setting`` on each of ``sides`` (the full one first), and choose.

    ``steps``: of the whole training, on ``train_images`` an epoch.  RecipeError where the kind
    that was asked for cannot be had.
    """
    asked = recipe.compile != "auto"
    gains: list[_Gain] = []
    said: list[str] = []
    for kind in kinds:
        tried: list[Probe] = []
        for side in sides:
            found = probe_compiled(
                module,
                side.images,
                labels,
                recipe,
                setting=setting,
                mode=kind,
                classes=classes,
                fresh=fresh,
            )
            if isinstance(found, str):
                if asked:
                    raise RecipeError(
                        f'compile = "{kind}": the network cannot be compiled here: {found}; mend '
                        "that, or leave it out"
                    )
                said.append(f"{_NAMES[kind]}: not possible here: {found}")
                break
            tried.append(found)
        else:
            gains.append(_gain(tried, sides, recipe, train_images=train_images, steps=steps))
    paying = [gain for gain in gains if asked or gain.pays]
    best = max(paying, key=lambda gain: gain.saved - gain.spent, default=None)
    rows = tuple(replace(gain.row, chosen=gain is best) for gain in gains)
    if best is None:
        return Compiling(results=rows, said=tuple(said))
    return Compiling(results=rows, said=tuple(said), seconds=best.spent, speed=best.speed)


def _gain(
    tried: Sequence[Probe],
    sides: Sequence[Side],
    recipe: Recipe,
    *,
    train_images: int,
    steps: int,
) -> _Gain:
    """What was measured on each side, over the whole training.

    A side's compiled speed is its plain one times the ratio that was measured in turns.
    """
    sizes = compiled_sizes(train_images, recipe.batch_size)
    share = compiled_share(train_images, recipe.batch_size, steps)
    seen = steps * train_images / steps_per_epoch(train_images, recipe.batch_size)
    pairs = [(found.results[0], found.results[1]) for found in tried]
    ratios = [compiled.images_per_second / plain.images_per_second for plain, compiled in pairs]
    before = sum(side.share / side.plain for side in sides)
    after = sum(
        side.share / side.plain * (share / ratio + 1 - share)
        for side, ratio in zip(sides, ratios, strict=True)
    )
    spent = len(sizes) * sum(compiled.compile_seconds or 0.0 for _, compiled in pairs)
    saved = seen * (before - after)
    deviation = max(compiled.deviation for _, compiled in pairs)
    row = replace(
        pairs[0][1],
        images_per_second=sides[0].plain * ratios[0],
        deviation=deviation,
        agrees=all(compiled.agrees for _, compiled in pairs),
        compile_seconds=spent,
        why=f"saves {_span(saved)} in this run" if saved > 0 else "saves nothing",
    )
    return _Gain(row=row, saved=saved, spent=spent, speed=1 / after)


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


_NAMES: Mapping[Compile, str] = {"on": "compiled", "graphs": "CUDA graphs"}

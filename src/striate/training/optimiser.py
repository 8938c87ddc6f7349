"""Optimisers: which parameters decay, and their state as tensors by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from striate.errors import RunError
from striate.training.layers import layers_of
from striate.training.muon import Muon
from striate.training.recipe import MuonPart, Recipe

_NORMS = (
    nn.modules.batchnorm._NormBase,  # pyright: ignore[reportPrivateUsage] # batch and instance norms have no public base
    nn.GroupNorm,
    nn.LayerNorm,
    nn.RMSNorm,
    nn.LocalResponseNorm,
)


def decays(module: nn.Module) -> dict[str, bool]:
    """Whether weight decay applies, for each trained parameter by name (shared ones once).

    Not to norms, not to biases, nor to any other parameter of fewer than two dimensions (scales,
    class tokens): pulling those to zero changes what the network computes without simplifying it
    (Goyal et al. 2017, section 5.1; He et al. 2019, section 4.2).
    """
    exempt = {
        id(parameter)
        for part in module.modules()
        for name, parameter in part.named_parameters(recurse=False)
        if isinstance(part, _NORMS) or name == "bias" or parameter.dim() < 2
    }
    return {
        name: id(parameter) not in exempt
        for name, parameter in module.named_parameters()
        if parameter.requires_grad
    }


def silent_norm(module: nn.Module) -> str | None:
    """The first trained scale of a norm that is zero everywhere, by name: what comes before it is
    silent until it learns (Goyal et al. 2017, section 5.1).  None where there is none.
    """
    scales = _norm_scales(module).items()
    return next((name for name, scale in scales if scale.requires_grad and not scale.any()), None)


def _norm_scales(module: nn.Module) -> dict[str, nn.Parameter]:
    return {
        f"{path}.{name}" if path else name: scale
        for path, part in cast("Iterable[tuple[str, nn.Module]]", module.named_modules())
        if isinstance(part, _NORMS)
        for name, scale in part.named_parameters(recurse=False)
        if name != "bias"
    }


def make_optimiser(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser over ``module``'s trained parameters, in two groups: decayed or not;
    where the recipe fine-tunes, two for each layer, stem first, with its number as ``layer``.

    AdamW's second beta is 0.999 and its epsilon 1e-8, as in its paper.  Where torch has one kernel
    for a whole step of all parameters (``fused``), it is used.
    """
    if recipe.optimiser == "muon":
        return _muon(module, recipe)
    parameters = dict(module.named_parameters())
    layers = None if recipe.finetune is None else layers_of(module)
    count = 1 if layers is None else len(layers.paths)
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {
        (layer, decayed): [] for layer in range(count) for decayed in (True, False)
    }
    for name, decayed in decays(module).items():
        groups[0 if layers is None else layers.of(name), decayed].append(parameters[name])
    options = [
        {
            "params": members,
            "weight_decay": recipe.weight_decay if decayed else 0.0,
            "layer": layer,
        }
        for (layer, decayed), members in groups.items()
        if members
    ]
    fused = _can_fuse(parameters.values())
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(options, lr=recipe.lr, betas=(recipe.momentum, 0.999), fused=fused)
    return torch.optim.SGD(
        options,
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.momentum > 0,
        fused=fused,
    )


def _can_fuse(parameters: Iterable[Tensor]) -> bool:
    """Whether torch's fused kernels take all of these: dense floats on a CPU or CUDA device."""
    return all(
        parameter.is_floating_point()
        and parameter.layout == torch.strided
        and parameter.device.type in ("cpu", "cuda")
        for parameter in parameters
    )


def _muon(module: nn.Module, recipe: Recipe) -> Muon:
    """Muon over filters and hidden matrices, SGD over biases, scales and the last layer."""
    rates, batch = recipe.muon or MuonPart(), recipe.batch_size
    layers = layers_of(module)
    convolutions = {
        f"{path}.weight": part.groups
        for path, part in cast("Iterable[tuple[str, nn.Module]]", module.named_modules())
        if isinstance(part, nn.Conv1d | nn.Conv2d | nn.Conv3d)
    }
    norms = {id(scale) for scale in _norm_scales(module).values()}
    decayed = decays(module)
    groups: dict[tuple[int, str, int], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if name not in decayed:
            continue
        layer = layers.of(name)
        if layer == layers.last:
            kind = "last"
        elif name.endswith("bias"):
            kind = "bias"
        elif id(parameter) in norms:
            kind = "norm"
        elif not decayed[name] or not name.endswith("weight"):
            kind = "scale"
        else:
            kind = "filters"
        key = (layer if recipe.finetune else 0, kind, convolutions.get(name, 1))
        groups.setdefault(key, []).append(parameter)
    found: list[dict[str, Any]] = []
    for (layer, kind, blocks), members in groups.items():
        filters = kind == "filters"
        rate = getattr(rates, kind, 0) * batch
        times = 1.0 if filters else rate / recipe.lr
        shrinks = kind in ("bias", "last") and rate > 0
        found.append({
            "params": members, "layer": layer, "filters": filters, "blocks": blocks,
            "times": times, "momentum": recipe.momentum if filters else rates.momentum,
            "weight_decay": rates.decay * batch / rate if shrinks else 0.0,
        })  # fmt: skip
    return Muon(found)


def set_lr(
    optimiser: torch.optim.Optimizer, lr: float, layers: Sequence[float] = (), *, times: float = 1.0
) -> float:
    """Apply ``lr``, or its own of ``layers``' rates, to every group from the next step on, so many
    ``times`` (and the group's own); returns what ``lr`` has become.
    """
    for group in optimiser.param_groups:
        own = layers[cast("int", group["layer"])] if layers else lr
        group["lr"] = own * times * cast("float", group.get("times", 1.0))
    return lr * times


def optimiser_state(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's tensors, named ``number of the parameter/name``."""
    state = cast(dict[int, dict[str, Any]], optimiser.state_dict()["state"])
    return {
        f"{number}/{name}": value
        for number, values in state.items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }


def put_optimiser_state(optimiser: torch.optim.Optimizer, state: Mapping[str, Tensor]) -> None:
    """Give the optimiser back what ``optimiser_state`` took, laid out as its parameters are.

    Raises ``RunError`` where a number or shape does not fit.
    """
    parameters = [
        p for group in optimiser.param_groups for p in cast(list[Tensor], group["params"])
    ]
    optimiser.state.clear()
    for key, value in state.items():
        number, _, name = key.partition("/")
        if int(number) >= len(parameters):
            raise RunError(f"optimiser state {key}: the network has no such parameter")
        parameter = parameters[int(number)]
        if value.dim() == 0:
            # A step counter: a fused optimiser's lies where its parameter does.
            fused = bool(optimiser.defaults.get("fused"))
            own = value.clone().to(parameter.device if fused else "cpu")
        elif value.shape == parameter.shape:
            own = torch.empty_like(parameter, memory_format=torch.preserve_format)
            own.requires_grad_(False).copy_(value)
        else:
            raise RunError(
                f"optimiser state {key}: is {tuple(value.shape)} for a parameter of "
                f"{tuple(parameter.shape)}"
            )
        optimiser.state[parameter][name] = own

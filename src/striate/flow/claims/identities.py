"""The identities that the ledger and the path spectrum promise, in float64.

Weights, norms, their statistics and layer scales are drawn at random first: fresh networks have
zeros and ones there, and would pass with nothing in them.

Comes in: networks of the zoo.  Goes out: the groups ``ledger`` and ``spectrum``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from striate.flow.claims.claim import Claim, Group, Tick

if TYPE_CHECKING:
    from torch import Tensor, nn

ELHAGE = "Elhage et al. 2021, direct logit attribution; with gates frozen, docs/decisions/0018"
VEIT = "Veit et al. 2016, section 3: a residual network is the sum of its paths"
MOST = 1e-9
SIDES = {
    "resnet20": 16,
    "preact_resnet20": 16,
    "plain20": 16,
    "wide_resnet16_4": 16,
    "resnet18": 32,
    "seresnet18": 32,
    "mobilenetv2": 32,
    "efficientnet_b0": 32,
    "convnext_tiny": 32,
    "densenet121": 32,
    "deit_tiny_patch16": 32,
    "resnet50": 32,
}
"""The networks, and the images they are given: small ones, since an identity knows no size."""
QUICK = ("resnet20", "preact_resnet20", "wide_resnet16_4", "resnet18", "seresnet18", "mobilenetv2")
"""Those with few skips: the spectrum takes a backward pass for each length and skip."""


def shaken(name: str) -> tuple[nn.Module, Tensor]:
    """A network of the zoo with 7 classes, in float64, nothing in it 0 or 1; and its image."""
    import torch

    from striate.arch import adapt, zoo
    from striate.building import build

    side = SIDES[name]
    module = build(adapt(zoo(name), image=(3, side, side), classes=7), seed=1).double()
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for key, parameter in module.named_parameters():
            drawn = torch.randn(parameter.shape, generator=draw, dtype=torch.float64)
            if parameter.squeeze().dim() <= 1:
                parameter.copy_((0.0 if key.endswith("bias") else 1.0) + 0.4 * drawn)
            else:
                parameter.copy_(1.4 * drawn / parameter[0].numel() ** 0.5)
        for key, buffer in module.named_buffers():
            drawn = torch.rand(buffer.shape, generator=draw, dtype=torch.float64)
            if key.endswith("running_mean"):
                buffer.copy_(drawn - 0.5)
            elif key.endswith("running_var"):
                buffer.copy_(0.5 + drawn)
    image = torch.randn(3, side, side, generator=draw, dtype=torch.float64)
    return module.eval(), image


def _ledgers(names: Sequence[str], tick: Tick) -> Iterator[tuple[str, float]]:
    import torch

    from striate.seeing import logit_ledger

    for done, name in enumerate(names):
        tick(done, len(names))
        module, image = shaken(name)
        found = logit_ledger(module, image, classes=(0, 3))
        with torch.no_grad():
            own = module(image[None])[0, [0, 3]].numpy()
        missed = abs(found.written.sum(axis=0) - own).max()
        yield name, float(missed / abs(own).max())


def _spectra(names: Sequence[str], tick: Tick) -> Iterator[tuple[str, float]]:
    import numpy as np
    import torch

    from striate.seeing import path_spectrum

    for done, name in enumerate(names):
        tick(done, len(names))
        module, image = shaken(name)
        found = path_spectrum(module, image, target=3)
        given = image[None].requires_grad_()
        (slope,) = torch.autograd.grad(module(given)[0, 3], given)
        own = slope[0].numpy()
        missed = np.linalg.norm(found.gradients.sum(axis=0) - own)
        yield name, float(missed / np.linalg.norm(own))


def _claims(names: Sequence[str], what: str, source: str) -> tuple[Claim, ...]:
    return tuple(
        Claim(name=name, what=f"{name}: {what}", source=source, claimed=MOST, relation="≤")
        for name in names
    )


LEDGER = Group(
    name="ledger",
    what="the parts of a logit sum to the logit",
    claims=_claims(
        tuple(SIDES), "relative difference between the sum of the parts and the logit", ELHAGE
    ),
    measure=_ledgers,
)
SPECTRUM = Group(
    name="spectrum",
    what="the gradient's parts by path length sum to autograd's",
    claims=_claims(
        QUICK, "relative difference between the sum over lengths and autograd's gradient", VEIT
    ),
    measure=_spectra,
)

"""Published networks by name; one paper per file, each reading like the paper's own table.

Their costs come from ``costs.json``, which ``tools/zoo_costs.py`` makes by tracing every entry and
``make check`` verifies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from striate.arch.spec import Arch
from striate.arch.variants import small_form
from striate.arch.zoo import (
    airbench,
    alexnet,
    convnext,
    densenet,
    efficientnet,
    efficientnetv2,
    lenet,
    mobilenet,
    perceptron,
    plain_resnet_cifar,
    preact_resnet,
    resnet,
    resnext,
    se_resnet,
    vgg,
    vit,
    wide_resnet,
)
from striate.errors import ArchError, choices

_ZOO: dict[str, Arch] = {
    arch.name: arch
    for paper in (
        perceptron,
        lenet,
        alexnet,
        vgg,
        plain_resnet_cifar,
        resnet,
        preact_resnet,
        wide_resnet,
        resnext,
        se_resnet,
        densenet,
        mobilenet,
        efficientnet,
        efficientnetv2,
        convnext,
        vit,
        airbench,
    )
    for arch in paper.ARCHS
}
SMALL = "-small"
"""Behind a name: the network's form for small images."""


@dataclass(frozen=True, kw_only=True)
class ZooCost:
    """What a network of the zoo costs for one image of its own size.

    ``macs``: multiply-accumulates.  ``activations``: elements of conv and linear outputs.
    ``field_px``: side of the receptive field at the last convolution; None without one.
    """

    name: str
    image: tuple[int, int, int]
    params: int
    macs: int
    activations: int
    field_px: int | None


def zoo_names() -> tuple[str, ...]:
    """The names, paper by paper.

    >>> zoo_names()[:4]
    ('mlp', 'lenet5', 'alexnet', 'vgg11')
    """
    return tuple(_ZOO)


def zoo(name: str, *, small: bool = False) -> Arch:
    """The network of that name; ArchError with the nearest names if there is none.

    ``small``, or ``-small`` behind the name: its form for images of 32 × 32 (``small_form``).

    >>> zoo("resnet18-small").image
    (3, 32, 32)

    >>> zoo("resnet5")
    Traceback (most recent call last):
    striate.errors.ArchError: no network 'resnet5' in the zoo; did you mean resnet56?
    """
    base = name.removesuffix(SMALL)
    if base not in _ZOO:
        raise ArchError(f"no network {name!r} in the zoo; {choices(base, _ZOO)}")
    return small_form(_ZOO[base]) if small or name.endswith(SMALL) else _ZOO[name]


def zoo_costs() -> Mapping[str, ZooCost]:
    """The cost of every network, by name, from the generated table.

    >>> zoo_costs()["resnet50"].params
    25557032
    """
    table: dict[str, dict[str, Any]] = json.loads(
        (files(__name__) / "costs.json").read_text(encoding="utf-8")
    )
    return {
        name: ZooCost(
            name=name,
            image=_ZOO[name].image,
            params=row["params"],
            macs=row["macs"],
            activations=row["activations"],
            field_px=row["field_px"],
        )
        for name, row in table.items()
    }

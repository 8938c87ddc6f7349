"""The randomisation test: which maps notice that the network has forgotten everything?

The gradient does; guided backpropagation (Springenberg et al. 2014) hardly, so that it cannot show
what was learned.  Measured as the mean rank correlation, over images, of the absolute values of a
network's map and of the map after weights were drawn anew.

Comes in: a trained network.  Goes out: the group ``randomised``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from striate.flow.claims.claim import Claim, Group, Tick

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

ADEBAYO = "Adebayo et al. 2018, Sanity checks for saliency maps, section 3 and figure 4"
NETWORK = "resnet20"
KEPT = ("stem", "stages.0")
"""What stays as trained where the layers above are drawn anew."""


def _measured(names: Sequence[str], tick: Tick) -> Iterator[tuple[str, float]]:
    import numpy as np

    from striate.flow.claims.trained import trained

    (net,) = trained([NETWORK], tick)
    for name in names:
        kind, which = name.split("-", 1)
        other = drawn_anew(net.module, net.images, keep=KEPT if which == "upper" else ())
        maps = [
            saliency(module, net.images, net.labels, guided=kind == "guided")
            for module in (net.module, other)
        ]
        ranks = [_correlation(a, b) for a, b in zip(*maps, strict=True)]
        yield name, float(np.mean(ranks))


def drawn_anew(module: nn.Module, images: Tensor, *, keep: tuple[str, ...]) -> nn.Module:
    """A copy with fresh weights but for the modules of ``keep``; norms hold ``images``' statistics.

    ``module`` is one of striate's own.
    """
    from copy import deepcopy

    from striate.building import Network, build
    from striate.seeing.control import settled_norms

    assert isinstance(module, Network)
    fresh = build(module.arch, seed=77).state_dict()
    other = deepcopy(module)
    state = other.state_dict()
    for key in state:
        if not keep or not key.startswith(keep):
            state[key] = fresh[key]
    other.load_state_dict(state)
    return settled_norms(other, images)


def saliency(
    module: nn.Module, images: Tensor, labels: NDArray[np.int64], *, guided: bool
) -> NDArray[np.float64]:
    """(N, pixels): the absolute gradient of each image's own logit, summed over channels.

    ``guided``: activations hand back only what is positive, and only where they were open.
    """
    import torch

    from striate.seeing.frozen_graph import capture
    from striate.seeing.frozen_run import plainly, run

    def opened(node: Any, args: Any, kwargs: Any, values: Any) -> tuple[Tensor, ...]:
        if node.op != "relu":
            return plainly(node, args, kwargs, values)
        out = args[0].relu()
        if out.requires_grad:
            out.register_hook(_positive)
        return (out,)

    graph = capture(module, images)
    image = graph.image.detach().clone().requires_grad_()
    with torch.enable_grad():
        logits = run(graph, {0: image}, compute=opened if guided else plainly)[graph.output]
        total = logits[torch.arange(len(images)), torch.as_tensor(labels)].sum()
        (slope,) = torch.autograd.grad(total, image)
    return slope.double().abs().sum(dim=1).flatten(1).numpy()


def _positive(slope: Tensor) -> Tensor:
    return slope.clamp_min(0)


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Spearman's; equal values share their mean rank."""
    import numpy as np

    def ranked(values: NDArray[np.float64]) -> NDArray[np.float64]:
        _, inverse, count = np.unique(values, return_inverse=True, return_counts=True)
        return (np.cumsum(count) - (count - 1) / 2)[inverse]

    a, b = ranked(first), ranked(second)
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


RANDOMISED = Group(
    name="randomised",
    what="maps before and after weights are drawn anew (digits, 10 epochs)",
    minutes=1,
    claims=(
        Claim(
            name="gradient-all",
            what="rank correlation of the gradient with that of fresh weights",
            source=ADEBAYO,
            claimed=0.0,
            tolerance=0.2,
        ),
        Claim(
            name="gradient-upper",
            what="rank correlation of the gradient, two stages and head drawn anew",
            source=ADEBAYO,
            claimed=0.3,
            relation="≤",
        ),
        Claim(
            name="guided-upper",
            what="rank correlation of guided backpropagation, two stages and head drawn anew",
            source=ADEBAYO,
            claimed=0.7,
            relation="≥",
        ),
    ),
    measure=_measured,
)

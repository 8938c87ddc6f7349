"""What a trained network does to real images: the evidence behind the rules of the group AF.

Measured over a sample of a run's validation images, in evaluation mode unless said otherwise, and
converted to plain numbers at the door; ``path`` and ``op`` are those of the network's Trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

RANGES: Mapping[str, tuple[float, float]] = {
    "sigmoid": (0.0, 1.0), "hardsigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0),
}  # fmt: skip
"""Activations that can stand at an end of their range."""

HARD = frozenset({"relu", "relu6"})
"""Activations whose channels can be dead: never above zero."""

SATURATED, MOSTLY = 0.01, 0.99
"""How near to an end of its range, as a share of it, and at what share of places."""


@dataclass(frozen=True, kw_only=True)
class Units:
    """One call of an activation, channel by channel.

    ``index``: its layer of the Trace.  ``channels``: how many it has.  ``dead``: those that were
    never above zero at any position of any image.  ``saturated``: those that stood within a
    hundredth of the activation's range of one of its ends at 99 of 100 positions and images.
    """

    index: int
    path: str
    op: str
    channels: int
    dead: int
    saturated: int


@dataclass(frozen=True, kw_only=True)
class Branch:
    """One residual branch, at the addition that ends it.

    ``index``: the addition's layer.  ``path``: the branch's last module.  ``share``: the mean
    over images of ‖branch‖ / ‖branch + skip‖.  ``flipped``: share of the images whose class
    changes when the branch is left out; ``shift``: how far their logits move then, as a share of
    the logits' deviation over images.  Both are None where that was not tried, the branch being
    too strong to be idle.  ``began``: the share before step 1, None where that is not known.
    """

    index: int
    path: str
    share: float
    flipped: float | None = None
    shift: float | None = None
    began: float | None = None


@dataclass(frozen=True, kw_only=True)
class Gradient:
    """One weight on one batch: ‖gradient‖ and ‖weight‖, Euclidean."""

    parameter: str
    path: str
    gradient: float
    weight: float


@dataclass(frozen=True, kw_only=True)
class WatchedWeight:
    """One parameter of two dimensions or more in one step of the training.

    ``gradient``: ‖gradient‖ as the optimiser got it; ``weight``: ‖weight‖ before the step;
    ``update``: ‖change‖ / ‖weight‖.  Euclidean; None where it is not finite.
    """

    parameter: str
    gradient: float | None
    weight: float | None
    update: float | None


@dataclass(frozen=True, kw_only=True)
class WatchedUnits:
    """One call of an activation module on one training batch; as ``Units``, over that batch."""

    path: str
    op: str
    channels: int
    dead: int
    saturated: int


@dataclass(frozen=True, kw_only=True)
class WatchedStep:
    """What was seen of the layers in one step; ``units`` of activations that are modules."""

    epoch: int
    step: int
    weights: tuple[WatchedWeight, ...]
    units: tuple[WatchedUnits, ...]


@dataclass(frozen=True, kw_only=True)
class Health:
    """What was measured of one run.

    ``images``: how many were looked at.  ``classes``: how many there are.  ``first_loss``: that of
    step 1, None where the run does not say.  ``started``: gradients of the network as it was
    before step 1, in training mode (empty where it cannot be made again); ``ended``: of the
    trained one.  ``spread``: the deviation of the logits over images, ``level``: that of their
    means over classes.  ``said``: images given each class.  ``accuracy``: on the sample, and
    ``batch_accuracy`` the same with batch norms on the batch's own statistics (None without batch
    norms).  ``broken``: modules whose output was not finite, in order.  ``watched``: what was seen
    of the layers while it trained, step by step (empty where nothing was).
    """

    images: int
    classes: int
    first_loss: float | None = None
    units: tuple[Units, ...] = ()
    branches: tuple[Branch, ...] = ()
    started: tuple[Gradient, ...] = ()
    ended: tuple[Gradient, ...] = ()
    spread: float | None = None
    level: float | None = None
    said: tuple[int, ...] = ()
    accuracy: float | None = None
    batch_accuracy: float | None = None
    broken: tuple[str, ...] = ()
    watched: tuple[WatchedStep, ...] = ()

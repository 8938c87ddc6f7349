"""How alike two layers' representations are, whatever their axes: unbiased linear CKA.

Kornblith et al. 2019, "Similarity of neural network representations revisited", equation 4, with
the unbiased estimate of HSIC (Song et al. 2012, equation 5) summed over batches before dividing
(Nguyen et al. 2021, equation 3), so that few images and wide layers do not look alike by chance.
How much would be seen by chance is measured all the same: the images of one are shuffled.

Comes in: one or two modules, images.  Goes out: ``Similarity``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from striate import keyed
from striate.errors import InputError
from striate.records import Check, Evidence
from striate.records.stream import Similarity
from striate.seeing.frozen_batches import fitting, held
from striate.seeing.frozen_evidence import or_why_not
from striate.seeing.frozen_graph import Graph, capture
from striate.seeing.frozen_points import points_of
from striate.seeing.subject import Subject, Tick

TITLE = "How alike its layers are"
MOST_OFF = 1e-6
MOST_BY_CHANCE = 0.3
LEAST = 4  # images for which the unbiased estimate is defined


def similarity(
    module: nn.Module,
    images: Tensor,
    *,
    other: nn.Module | None = None,
    other_images: Tensor | None = None,
    shuffles: int = 99,
    seed: int = 0,
    batch: int = 64,
) -> Similarity:
    """CKA between every point of ``module`` and every point of ``other`` (default: itself).

    ``images``: (N, C, H, W), N ≥ 4, taken ``batch`` at a time, or as many as fit into
    memory; a last batch of less than 4 joins the one before.  ``other_images``: the same images as
    ``other`` takes them, where it takes them otherwise.  InputError for fewer than 4.
    """
    if len(images) < LEAST or batch < LEAST:
        raise InputError(
            f"{len(images)} images, {batch} at a time: CKA without bias needs at least {LEAST}"
        )
    theirs = images if other_images is None else other_images
    if len(theirs) != len(images):
        raise InputError(f"{len(images)} images and {len(theirs)} of the other; give the same")
    room = min(fitting(module, images), fitting(other or module, theirs))
    sizes = _sizes(len(images), max(LEAST, min(batch, room)))
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    crosses: list[NDArray[np.float64]] = []
    own_rows: list[NDArray[np.float64]] = []
    own_columns: list[NDArray[np.float64]] = []
    start = 0
    for number, size in enumerate(sizes):
        here = slice(start, start + size)
        start += size
        rows, first = _grams(module, images[here])
        columns, second = (rows, first) if other is None else _grams(other, theirs[here])
        scale = size * (size - 3)
        turned = [second]
        for shuffle in range(shuffles):
            places = keyed.bits(
                seed, "seeing.cka", shuffle, number, np.arange(size, dtype=np.int64)
            ).argsort()
            turned.append(second[:, places][:, :, places])
        crosses.append(np.stack([_products(first, grams) / scale for grams in turned]))
        own_rows.append((first**2).sum(axis=(1, 2)) / scale)
        own_columns.append((second**2).sum(axis=(1, 2)) / scale)
    within = np.sqrt(np.outer(sum(own_rows), sum(own_columns)))
    total = np.sum(crosses, axis=0)
    found = np.divide(total, within, out=np.full_like(total, np.nan), where=within > 0)
    null = found[1:] if shuffles else np.full((1, *found[0].shape), np.nan)
    return Similarity(
        rows=rows,
        columns=columns,
        cka=found[0],
        null=null.mean(axis=0),
        null_high=np.quantile(null, 0.95, axis=0),
        chance=(1 + (found[1:] >= found[0]).sum(axis=0)) / (1 + shuffles),
        images=len(images),
        shuffles=shuffles,
    )


def _sizes(count: int, batch: int) -> list[int]:
    """Batches of which none is too small."""
    sizes = [min(batch, count - start) for start in range(0, count, batch)]
    if sizes[-1] < LEAST:
        last = sizes.pop()
        sizes[-1] += last
    return sizes


def _grams(module: nn.Module, images: Tensor) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """The points' names and (points, n, n): their U-centred Gram matrices."""
    graph = capture(module, images)
    points = points_of(graph)
    return (
        tuple(point.name for point in points),
        np.stack([centred(_gram(graph, point.value, point.name)) for point in points]),
    )


def _gram(graph: Graph, value: int, name: str) -> NDArray[np.float64]:
    rows = held(graph, value, name).flatten(1).double()
    rows = rows - rows.mean(dim=0)  # changes nothing but rounding: centring follows
    return (rows @ rows.T).cpu().numpy()


def centred(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    """U-centred (Székely and Rizzo 2014, equation 2.3): rows sum to 0 without the diagonal, 0.

    ⟨Ã, B̃⟩ / n(n − 3) is then Song's unbiased estimate of HSIC.
    """
    count = len(gram)
    gram = gram - np.diag(np.diag(gram))
    sums = gram.sum(axis=0)
    out = gram - (sums[:, None] + sums[None, :]) / (count - 2)
    out += sums.sum() / ((count - 1) * (count - 2))
    np.fill_diagonal(out, 0.0)
    return out


def _products(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """(rows, columns): the inner product of every pair of matrices."""
    return first.reshape(len(first), -1) @ second.reshape(len(second), -1).T


def alike(subject: Subject, tick: Tick) -> Evidence:
    """Evidence ``depth.likeness``: ``cka`` and ``chance`` (points, points) of the looked-at images.

    Withheld where the shuffled images look alike: then there were too few.
    """
    tick(0, 1)
    return or_why_not("depth.likeness", TITLE, lambda: _alike(subject))


def _alike(subject: Subject) -> Evidence:
    inputs = subject.inputs(subject.looked_at)
    found = similarity(subject.module, inputs)
    off = float(np.abs(np.diag(found.cka) - 1).max())
    high = float(np.nanmax(found.null_high))
    return Evidence(
        name="depth.likeness",
        title=TITLE,
        arrays={"cka": found.cka, "chance": found.chance},
        facts={
            "names": list(found.rows),
            "images": found.images,
            "shuffles": found.shuffles,
            "split": subject.images.name,
        },
        checks=(
            Check(
                name="itself",
                claim="Greatest difference from 1 of a layer's likeness to itself",
                value=off,
                limit=MOST_OFF,
                passed=off <= MOST_OFF,
            ),
            _by_chance(high),
        ),
    )


BETWEEN = "How alike the two networks' layers are"


def between(subject: Subject) -> Evidence:
    """Evidence ``beside.likeness``: ``cka``, ``null`` and ``chance``, (own points, the other's).

    ``null``: the 95th percentile when the other's images are shuffled.  Withheld where those look
    alike.
    """
    return or_why_not("beside.likeness", BETWEEN, lambda: _between(subject))


def _between(subject: Subject) -> Evidence:
    other = subject.beside
    assert other is not None
    found = similarity(
        subject.module,
        subject.inputs(subject.looked_at),
        other=other.module,
        other_images=other.inputs(subject.looked_at),
    )
    high = float(np.nanmax(found.null_high))
    return Evidence(
        name="beside.likeness",
        title=BETWEEN,
        arrays={"cka": found.cka, "null": found.null_high, "chance": found.chance},
        facts={
            "rows": list(found.rows),
            "columns": list(found.columns),
            "images": found.images,
            "shuffles": found.shuffles,
            "split": subject.images.name,
        },
        checks=(_by_chance(high),),
    )


def _by_chance(high: float) -> Check:
    return Check(
        name="shuffled",
        claim="95th percentile of the likeness when one layer's images are shuffled, of the pair "
        "where it is greatest",
        value=high,
        limit=MOST_BY_CHANCE,
        passed=high <= MOST_BY_CHANCE,
    )

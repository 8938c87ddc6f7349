"""Unbiased CKA against the sum over quadruples, saturation and probes against what was planted."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from stream_networks import EVERY, network, picture
from torch import Tensor, nn

from striate.errors import InputError
from striate.records.stream import Probes
from striate.seeing import layer_saturation, linear_probes, similarity
from striate.seeing.cka import centred

FIRST = [name for name in EVERY if name != "ours written"]


@pytest.mark.parametrize("name", FIRST)
def test_a_representation_is_like_itself(name: str) -> None:
    module, image = network(name)
    images = picture(1, image.shape[-1], 6)
    found = similarity(module, images, shuffles=3)
    assert np.abs(np.diag(found.cka) - 1).max() < 1e-9
    assert np.allclose(found.cka, found.cka.T)
    assert found.rows == found.columns
    assert len(found.rows) >= 3


def _quadruples(first: np.ndarray, second: np.ndarray) -> float:
    """HSIC without bias, as the mean over all quadruples of images (Song et al. 2012, eq. 4)."""
    total, count = 0.0, 0
    for i, j, q, r in permutations(range(len(first)), 4):
        total += first[i, j] * (second[i, j] + second[q, r] - 2 * second[i, q])
        count += 1
    return total / count


def test_hsic_is_the_mean_over_quadruples() -> None:
    draw = np.random.default_rng(0)
    first, second = (rows @ rows.T for rows in (draw.normal(size=(6, 3)), draw.normal(size=(6, 9))))
    products = (centred(first) * centred(second)).sum() / (6 * 3)
    assert products == pytest.approx(_quadruples(first, second), rel=1e-10)


class _Features(nn.Module):
    """Hands on its image as features, turned, scaled and moved; or others that have no part in it.

    The last layer only stands there so that there is a point before it.
    """

    def __init__(self, turn: Tensor, moved: float = 0.0) -> None:
        super().__init__()
        self.turn = nn.Linear(turn.shape[1], turn.shape[0])
        self.head = nn.Linear(turn.shape[0], 2)
        with torch.no_grad():
            self.turn.weight.copy_(turn)
            self.turn.bias.fill_(moved)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.turn(x.flatten(1)))


def test_axes_scale_and_origin_do_not_matter() -> None:
    images = picture(1, 4, 12)
    torch.manual_seed(0)
    turn = torch.linalg.qr(torch.randn(16, 16))[0]
    same = similarity(
        _Features(torch.eye(16)).double(), images, other=_Features(3 * turn, 100.0).double()
    )
    assert same.cka[0, 0] == pytest.approx(1, abs=1e-6)  # float32 before it was turned
    assert same.chance[0, 0] == pytest.approx(0.01)
    assert abs(same.null[0, 0]) < 0.1
    assert same.null_high[0, 0] < 0.5


def test_what_has_nothing_in_common_is_not_alike_by_chance() -> None:
    images = picture(1, 8, 24)
    left, right = torch.zeros(32, 64), torch.zeros(32, 64)
    left[:, ::2], right[:, 1::2] = torch.eye(32), torch.eye(32)
    found = similarity(_Features(left).double(), images, other=_Features(right).double())
    biased = [
        rows.flatten(1) - rows.flatten(1).mean(0)
        for rows in (images.flatten(1)[:, ::2], images.flatten(1)[:, 1::2])
    ]
    cross = float((biased[0].T @ biased[1]).norm() ** 2)
    within = [float((rows.T @ rows).norm()) for rows in biased]
    assert cross / (within[0] * within[1]) > 0.4  # what an estimate with bias would say
    assert abs(found.cka[0, 0]) < 0.15
    assert found.chance[0, 0] > 0.05


def test_batches_are_summed_before_dividing() -> None:
    module, _ = network("ours basic")
    images = picture(1, 8, 21)
    split = similarity(module, images, batch=9, shuffles=0)  # 9, and 12: 3 would be too few
    parts = [similarity_products(module, images[:9]), similarity_products(module, images[9:])]
    total = sum(parts)
    scale = np.sqrt(np.diag(total))
    assert np.allclose(split.cka, total / np.outer(scale, scale))


def similarity_products(module: nn.Module, images: Tensor) -> np.ndarray:
    """HSIC between all points, from hooks' outputs alone."""
    kept: list[Tensor] = []
    blocks = [module.stem, *module.stages[0].blocks, *module.stages[1].blocks]
    handles = [
        part.register_forward_hook(lambda _m, _i, out: kept.append(out.clone()))
        for part in (*blocks, module.head)
    ]
    with torch.no_grad():
        module(images)
    for handle in handles:
        handle.remove()
    count = len(images)
    grams = [centred((rows.flatten(1) @ rows.flatten(1).T).numpy()) for rows in kept]
    return np.array([[(a * b).sum() for b in grams] for a in grams]) / (count * (count - 3))


def test_saturation_finds_the_planted_directions() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 2, 1, bias=False), nn.Conv2d(2, 8, 1), nn.Flatten(), nn.Linear(128, 3)
    )
    images = picture(1, 4, 50).float()
    found = layer_saturation(net, images, batch=16)
    assert found.names == ("0", "1", "3")
    assert found.directions.tolist()[:2] == [1, 1]  # one channel of image: one direction
    assert found.share.tolist()[:2] == [1 / 2, 1 / 8]
    assert found.samples.tolist() == [800, 800, 50]
    with torch.no_grad():
        logits = net(images).double().numpy()
    values = np.sort(np.linalg.eigvalsh(np.cov(logits.T, ddof=0)))[::-1]
    assert found.directions[2] == np.searchsorted(values.cumsum() / values.sum(), 0.99) + 1
    assert layer_saturation(net, images, level=0.5).directions[2] < found.directions[2]
    assert found.enough.all()


def test_channels_are_found_where_they_are() -> None:
    for name, channels in (
        ("ours transformer", 12),
        ("timm swin", 8),
        ("timm convnext", 8),
        ("ours basic", 8),
    ):
        module, image = network(name)
        found = layer_saturation(module, image[None])
        assert found.channels[1] == channels, name


def test_a_probe_finds_what_is_there() -> None:
    torch.manual_seed(0)
    images = picture(1, 4, 120)
    labels = (images.mean((1, 2, 3)) > 0).long()
    net = nn.Sequential(
        nn.Conv2d(1, 6, 1), nn.Flatten(), nn.Linear(96, 5), nn.Tanh(), nn.Linear(5, 2)
    ).double()
    found = linear_probes(net, (images[:80], labels[:80]), (images[80:], labels[80:]))
    assert found.accuracy[0] > 0.9  # the mean over positions is what is asked for
    assert found.converged.all()
    with torch.no_grad():
        own = (net(images[80:]).argmax(1) == labels[80:]).double().mean()
    assert found.whole == pytest.approx(float(own))
    commonest = labels[:80].bincount().argmax()
    assert found.baseline == pytest.approx(float((labels[80:] == commonest).double().mean()))
    draw = torch.Generator().manual_seed(1)
    random = torch.randint(2, (120,), generator=draw)
    nothing = linear_probes(net, (images[:80], random[:80]), (images[80:], random[80:]))
    assert nothing.accuracy[0] < 0.75
    short = linear_probes(net, (images[:80], labels[:80]), (images[80:], labels[80:]), steps=1)
    assert not short.converged.all()


def test_where_accuracy_stops_rising() -> None:
    accuracy = np.array([0.5, 0.80, 0.89, 0.90, 0.88])
    probes = Probes(
        names=tuple("abcde"),
        depths=np.arange(5),
        accuracy=accuracy,
        train_accuracy=accuracy,
        converged=np.ones(5, np.bool_),
        baseline=0.1,
        whole=0.9,
        trained_on=100,
        images=100,
    )
    assert probes.rises_until == 2  # within one standard error, 0.03, of 0.90


def test_what_cannot_be_measured_is_refused() -> None:
    module, _ = network("ours basic")
    images = picture(1, 8, 6)
    with pytest.raises(InputError, match="3 images, 64 at a time: CKA without bias needs at least"):
        similarity(module, images[:3])
    with pytest.raises(InputError, match="level 0: give a share of the variance above 0"):
        layer_saturation(module, images, level=0)
    with pytest.raises(InputError, match="fitted on two classes or more; the labels hold one"):
        linear_probes(module, (images, np.zeros(6, int)), (images, np.zeros(6, int)))
    written, _ = network("ours written")
    with pytest.raises(InputError, match=r"holds \(17, 6, 8\) for 6 images; only values with"):
        similarity(written, images)

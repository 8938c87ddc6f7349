"""The loss around the found weights, against weights moved by hand."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from striate.seeing.landscape import IMAGES, filter_normalised, landscape, losses_along
from striate.seeing.looking import subject_of


def quiet(done: int, total: int) -> None:
    del done, total


def test_every_filter_is_as_long_as_the_networks_own(trained) -> None:
    first, second = (filter_normalised(trained.module, number) for number in (1, 2))
    named = dict(trained.module.named_parameters())
    assert set(first) == {name for name, weight in named.items() if weight.dim() > 1}
    for name, way in first.items():
        own = named[name].detach()
        assert torch.allclose(way.flatten(1).norm(dim=1), own.flatten(1).norm(dim=1), rtol=1e-5)
        assert not torch.allclose(way, second[name])
    stem = first["stem.conv.weight"].flatten()
    assert abs(float(stem.mean() / stem.std())) < 4 / len(stem) ** 0.5


def test_losses_are_those_of_weights_moved_by_hand() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).eval()
    images, labels = torch.randn(6, 1, 2, 2), np.array([0, 1, 2, 0, 1, 2])
    ways = (filter_normalised(net, 1), filter_normalised(net, 2))
    places = np.array([[0.0, 0.0], [0.5, 0.0], [-0.25, 1.0]])
    before = {name: value.clone() for name, value in net.state_dict().items()}
    found = losses_along(net, lambda module, x: module(x), images, labels, ways, places, quiet)
    for (a, b), loss in zip(places, found, strict=True):
        moved = {
            name: value + a * ways[0][name] + b * ways[1][name] if name in ways[0] else value
            for name, value in before.items()
        }
        logits = torch.func.functional_call(net, moved, (images,))
        assert abs(float(F.cross_entropy(logits, torch.as_tensor(labels))) - loss) < 1e-5
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_the_centre_is_the_network_itself(trained) -> None:
    subject = subject_of(
        trained.module, trained.images, trained.preprocessing, trained.evaluation, seed=3
    )
    piece = landscape(subject, quiet)
    assert not piece.withheld, [(c.name, c.value) for c in piece.checks]
    line, plane = piece.arrays["line"], piece.arrays["plane"]
    middle = line.shape[1] // 2
    assert piece.arrays["at"][middle] == 0
    np.testing.assert_allclose(plane[len(plane) // 2, len(plane) // 2], line[0, middle], rtol=1e-6)
    # A trained network stands in a dip of its loss.
    assert line[:, middle].max() < min(line[:, 0].min(), line[:, -1].min())
    trained.module.eval()
    with torch.no_grad():
        places = np.arange(min(IMAGES, len(trained.images.labels)))
        logits = trained.module(subject.inputs(places))
        own = F.cross_entropy(logits, torch.as_tensor(trained.images.labels[places]))
    assert abs(piece.facts["kept"] - float(own)) < 1e-5

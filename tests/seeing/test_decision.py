"""Maps of evidence are shown where they are the network's, and withheld where they are not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from striate.building import build
from striate.errors import InputError, TargetError
from striate.records import Evidence
from striate.runs import Preprocessing
from striate.runs.evaluate import evaluation_of
from striate.seeing import place_choice
from striate.seeing.control import redrawn, settled_norms
from striate.seeing.decision import decision
from striate.seeing.explaining import METHODS as EXPLAINED
from striate.seeing.explaining import Explained, Method, Network
from striate.seeing.faithful import blurred, curves, edges_of, likeness, shuffled
from striate.seeing.gentle import CHANGES, Change
from striate.seeing.looking import subject_of
from striate.seeing.places import Place
from striate.seeing.saliency import gradcam, handed_on, hirescam, occlusion
from striate.seeing.subject import LookOptions, Subject

METHODS = ("hirescam", "gradcam", "integrated", "occlusion")


def quiet(done: int, total: int) -> None:
    del done, total


def subject(case, **options) -> Subject:
    return subject_of(
        case.module, case.images, case.preprocessing, case.evaluation, seed=3,
        options=LookOptions(**options),
    )  # fmt: skip


def shown(pieces: Iterable[Evidence]) -> list[str]:
    return [p.name for p in pieces if not p.withheld and p.inapplicable is None]


def test_what_was_learned_is_shown_and_no_label_is_asked(trained) -> None:
    pieces = decision(subject(trained, pictures=2), quiet)
    assert [piece.name for piece in pieces] == [
        "decision", *(f"decision.{n}.{m}" for n in range(2) for m in METHODS),
    ]  # fmt: skip
    assert "decision.1.hirescam" in shown(pieces)
    # Wrong labels everywhere: the same verdicts on the same pictures.
    first = subject(trained, pictures=2)
    wrong = replace(trained.images, labels=(trained.images.labels + 1) % 4)
    other = replace(first, images=wrong, given=first.pictures)
    again = decision(other, quiet)
    assert [[c.passed for c in p.checks] for p in again] == [
        [c.passed for c in p.checks] for p in pieces
    ]


@pytest.mark.parametrize(
    ("margins", "taken"),
    [((0.30, 0.34), -1), ((0.34, 0.30), -1), ((0.34, 0.20), 0), ((0.20, 0.34), -1)],
)
def test_the_last_layer_that_serves_as_well_as_the_best_is_taken(
    trained, monkeypatch: pytest.MonkeyPatch, margins: tuple[float, ...], taken: int
) -> None:
    told = iter(margins)
    monkeypatch.setattr(place_choice, "_margin", lambda *_: (next(told), 0.05))
    chosen = place_choice.choose_place(subject(trained), quiet)
    assert len(chosen.tried) == 2
    assert chosen.place is not None
    assert chosen.place.path == chosen.tried[taken][0]


def test_what_was_learned_by_heart_is_withheld(by_heart, trained) -> None:
    """It has fitted its (shuffled) labels; that they are wrong is not asked."""
    learned = decision(subject(trained, pictures=3), quiet)[1:]
    pieces = decision(subject(by_heart, pictures=3), quiet)[1:]
    assert len(shown(pieces)) <= 0.05 * len(pieces), shown(pieces)
    assert len(shown(learned)) >= 0.5 * len(learned)


def test_a_network_that_has_not_learned_is_told(fresh_case, arch) -> None:
    """It is its own start, and what it draws it drew before."""
    pieces = decision(subject(fresh_case(build(arch, seed=3)), pictures=2), quiet)
    assert not [name for name in shown(pieces) if name != "decision"]
    likes = [max(p.facts["likeness"]["random"]) for p in pieces[1:] if "likeness" in p.facts]
    assert min(likes) > 0.8


def test_a_map_of_the_image_alone_is_withheld(trained, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its edges: the same for any network and any class."""

    def edges(_network: Network, inputs: torch.Tensor, _classes: object, _rough: bool) -> Explained:
        planes = [edges_of(image.double().numpy()) for image in inputs]
        return Explained(maps=torch.as_tensor(np.stack(planes)))

    blind = Method(name="edges", title="Edges", says="where brightness changes", explain=edges)
    monkeypatch.setattr("striate.seeing.decision.METHODS", (blind,))
    (piece,) = decision(subject(trained, pictures=1), quiet)[1:]
    failed = {check.name: check.value for check in piece.checks if not check.passed}
    assert failed.items() >= {"random network": 1.0, "other class": 1.0}.items()


def test_the_other_class_is_a_typical_one(trained) -> None:
    first = subject(trained, pictures=1)
    piece = decision(first, quiet)[1]
    logits = first.logits(first.module, first.prepared(first.pictures.pixels))[0]
    order = [first.preprocessing.classes[number] for number in logits.argsort(descending=True)]
    assert [piece.facts["class"], piece.facts["other"]] == [order[0], order[2]]


def test_the_layer_that_is_asked_for(trained) -> None:
    pieces = decision(subject(trained, pictures=1, layer="stages.1"), quiet)
    assert pieces[0].facts["layer"] == "stages.1"
    assert pieces[1].arrays["map"].shape == (6, 6)
    with pytest.raises(InputError, match=r"--layer stage: hands on no map .*did you mean stages.1"):
        decision(subject(trained, layer="stage"), quiet)


class InPlace(nn.Module):
    """A map that is written over after it was handed on, and a skip without a module."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.again = nn.Conv2d(6, 6, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.out = nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        y = self.act(self.again(x))
        y = self.again(y)
        y += x
        y = F.relu_(y)
        return self.out(y.mean((2, 3)))


def test_in_place_operations_do_not_corrupt_maps_or_gradients() -> None:
    torch.manual_seed(0)
    module = InPlace().double().eval()
    image = torch.randn(2, 3, 7, 7).double()
    place = Place(path="first", layout="channels-first", size=(7, 7), channels=6)
    handed = handed_on(module, place, module, image, torch.tensor([0, 1]))
    # The same, written out without anything in place.
    x = module.first(image).detach().requires_grad_()
    y = (module.again(module.again(x).relu()) + x).relu()
    logits = module.out(y.mean((2, 3)))
    (slopes,) = torch.autograd.grad(logits[0, 0] + logits[1, 1], x)
    torch.testing.assert_close(handed.maps, x.detach())
    torch.testing.assert_close(handed.slopes, slopes)
    torch.testing.assert_close(hirescam(handed), (x * slopes).sum(1).detach())
    expected = (x * slopes.mean((2, 3), keepdim=True)).sum(1).detach()
    torch.testing.assert_close(gradcam(handed), expected)


def test_hooks_are_gone_after_an_error() -> None:
    module = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(3, 2)).train()
    place = Place(path="0", layout="channels-first", size=(6, 6), channels=2)
    with pytest.raises(RuntimeError):
        handed_on(module, place, module, torch.zeros(1, 3, 8, 8), torch.tensor([0]))
    assert module.training
    assert not module[0]._forward_hooks


def test_a_forward_that_cuts_gradients_is_named() -> None:
    class Cut(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                return super().forward(x)

    module = Cut(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    place = Place(path="0", layout="channels-first", size=(6, 6), channels=2)
    with pytest.raises(TargetError, match="no gradient comes back to 0: the forward cuts it off"):
        handed_on(module, place, module, torch.zeros(1, 3, 8, 8), torch.tensor([0]))


class Nets:
    """Networks that lack something, by name: (module, image, classes)."""

    def __init__(self) -> None:
        conv = lambda a, b: nn.Conv2d(a, b, 3, padding=1)  # noqa: E731
        pooled = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        self.all = {
            "no convolutions": (nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), (1, 8, 8), 3),
            "no pooling": (
                nn.Sequential(conv(1, 4), nn.ReLU(), nn.Flatten(), nn.Linear(256, 3)),
                (1, 8, 8),
                3,
            ),
            "two classes": (
                nn.Sequential(conv(1, 4), nn.ReLU(inplace=True), *pooled, nn.Linear(4, 2)),
                (1, 8, 8),
                2,
            ),
            "a thousand classes": (
                nn.Sequential(conv(3, 4), nn.ReLU(), *pooled, nn.Linear(4, 1000)),
                (3, 16, 16),
                1000,
            ),
            "a large image": (
                nn.Sequential(nn.Conv2d(3, 4, 8, 8), nn.ReLU(), *pooled, nn.Linear(4, 2)),
                (3, 512, 512),
                2,
            ),
        }


NETS = Nets().all


@pytest.mark.parametrize("name", NETS)
def test_networks_of_every_kind_are_explained_or_told_why_not(name: str) -> None:
    torch.manual_seed(0)
    module, image, classes = NETS[name]
    rng = np.random.default_rng(0)
    count = 6

    class Images:
        name = "test"
        labels = rng.integers(0, classes, count)
        array = rng.integers(0, 256, (count, *image)).astype(np.uint8)

        def pixels(self, indices):
            return self.array[indices]

        def paths(self, indices):
            return [f"{index}" for index in indices]

    preprocessing = Preprocessing(
        image=image, fit="crop", mean=(0.5,) * image[0], std=(0.25,) * image[0], scale=255.0,
        classes=tuple(map(str, range(classes))), decoder="none",
    )  # fmt: skip
    images = Images()
    with torch.no_grad():
        logs = module(preprocessing(torch.as_tensor(images.array))).log_softmax(1).numpy()
    evaluation = evaluation_of(logs, images.labels, split="test", classes=preprocessing.classes)
    made = subject_of(module, images, preprocessing, evaluation, options=LookOptions(pictures=1))
    pieces = decision(made, quiet)
    assert len(pieces) == 1 + len(METHODS)
    for piece in pieces[1:]:
        assert piece.inapplicable or piece.checks
    if name == "no convolutions":
        assert "does not apply: no layer of this network" in (pieces[1].inapplicable or "")
        assert "map" in pieces[3].arrays or pieces[3].inapplicable


def test_occlusion_finds_the_only_pixel_that_counts() -> None:
    class Corner(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([x[:, 0, 3, 12], -x[:, 0, 3, 12]], dim=1)

    image = torch.ones(1, 16, 16)
    found = occlusion(Corner(), image, torch.zeros_like(image), 0)
    rows, columns = np.unravel_index(np.flatnonzero(found.numpy() == 1), (8, 8))
    assert set(rows) == {1, 2}
    assert set(columns) == {5, 6}
    assert float(found.sum()) == len(rows)


@pytest.mark.parametrize("name", ["integrated", "occlusion"])
def test_an_object_of_the_mean_colour_is_seen(name: str) -> None:
    """Held against the mean colour alone it would not be there."""

    class Dark(nn.Module):
        """How near to 0 the object's place is."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            score = -(x[:, 0, 8:16, 8:16] ** 2).mean((1, 2))
            return torch.stack([score, -score], dim=1)

    module = Dark().double()
    image = torch.ones(1, 1, 32, 32).double()
    image[:, :, 8:16, 8:16] = 0
    method = next(one for one in EXPLAINED if one.name == name)
    network = Network(module=module, forward=module, place=None)
    found = method.explain(network, image, torch.tensor([0]), False)
    large = F.interpolate(found.maps[None], (32, 32))[0, 0]
    assert large[8:16, 8:16].max() == large.max() > 0
    if name == "integrated":
        assert found.errors is not None
        assert found.errors[0] < 1e-2
        # The road from the mean colour adds nothing, that from the blurred image half its rise.
        rise = -float(module(blurred(image[0])[None])[0, 0])
        assert float(found.maps.sum()) == pytest.approx(rise / 2, rel=1e-2)


def test_insertion_and_deletion_reward_the_right_order() -> None:
    class Bright(nn.Module):
        """How much of the left half is white."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            score = 12 * (x[:, 0, :, :4].mean((1, 2)) - 0.5)
            return torch.stack([score, -score], dim=1)

    image = torch.ones(1, 8, 8)
    right = torch.zeros(1, 8, 8)
    right[:, :, :4] = 1
    told = curves(Bright(), image, torch.zeros_like(image), torch.cat([right, -right]), 0)
    assert told.margins[0] > 0.4
    assert told.margins[1] == pytest.approx(-told.margins[0], abs=0.05)
    assert told.insertion[0, -1] == told.deletion[0, 0] > 0.99
    mixed = shuffled(right[0], 5, 0)
    assert mixed.shape == (5, 8, 8)
    assert (mixed.sum((1, 2)) == 32).all()
    assert not torch.equal(mixed[0], mixed[1])


def test_gentle_changes_move_maps_as_they_move_images() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(2, 1, 16, 16, generator=generator)
    for change in CHANGES:
        changed = change.inputs(image)
        assert changed.shape == image.shape
        assert not torch.equal(changed, image)
        if change.moves:
            torch.testing.assert_close(change.maps(image[:, 0]), changed[:, 0])
    down = Change(move=(1 / 16, 0.0)).inputs(image)
    torch.testing.assert_close(down[:, :, 1:], image[:, :, :-1], atol=1e-5, rtol=0)


def test_likeness_is_spearmans() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(1)
    one, other = rng.integers(0, 5, (2, 6, 6)).astype(float)
    assert likeness(one, other) == pytest.approx(stats.spearmanr(one.ravel(), other.ravel())[0])
    assert np.isnan(likeness(np.ones((2, 2)), one[:2, :2]))


def test_edges_and_blur() -> None:
    image = np.zeros((1, 6, 6))
    image[:, :, 3:] = 1
    found = edges_of(image)
    assert (found[:, 2:4] == 4).all()
    assert found[:, [0, 1, 4, 5]].sum() == 0
    flat = torch.full((2, 9, 7), 3.0)
    torch.testing.assert_close(blurred(flat), flat)


def test_a_redrawn_network_keeps_its_weights_and_loses_their_order() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    before = {name: value.clone() for name, value in module.state_dict().items()}
    other = settled_norms(redrawn(module, 1), torch.randn(16, 3, 8, 8) * 5 + 2)
    weight = other[0].weight.detach()
    assert not torch.equal(weight, module[0].weight)
    assert torch.equal(weight.flatten().sort()[0], module[0].weight.detach().flatten().sort()[0])
    assert not torch.equal(other[1].running_mean, module[1].running_mean)
    assert not other.training
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])

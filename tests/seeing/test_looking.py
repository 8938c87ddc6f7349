"""Pictures of a network that has learned are shown; those of one that has not are withheld."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from striate.arch import adapt, zoo
from striate.building import build
from striate.errors import InputError
from striate.records import Evidence
from striate.seeing import LookOptions, look
from striate.seeing.errors import errors
from striate.seeing.filters import chance_of_order, learned, share_of_start
from striate.seeing.maps import share_of_start as share_of_maps
from striate.seeing.passing import estimated_norms, replacing, watch
from striate.seeing.subject import Subject


def seen(case, **options) -> dict[str, Evidence]:
    found = look(case.module, case.images, case.preprocessing, case.evaluation, **options)
    return {piece.name: piece for piece in found}


def values(piece: Evidence) -> dict[str, float]:
    return {check.name: check.value for check in piece.checks}


def test_what_was_learned_is_shown(trained) -> None:
    pieces = seen(trained, seed=3)
    assert list(pieces) == [
        "filters", "filters.learned", "maps.stem", "maps.stages.0", "maps.stages.1", "errors",
    ]  # fmt: skip
    assert not pieces["filters.learned"].withheld, values(pieces["filters.learned"])
    assert not pieces["maps.stages.1"].withheld, values(pieces["maps.stages.1"])
    assert not pieces["errors"].withheld, values(pieces["errors"])
    for name in ("maps.stem", "maps.stages.0", "maps.stages.1"):
        assert values(pieces[name])["lost on the way"] == 0.0
        assert values(pieces[name])["share of the start"] < 0.95


def test_nothing_learned_nothing_shown(fresh_case, arch) -> None:
    pieces = seen(fresh_case(build(arch, seed=3)), seed=3)
    for name in ("filters", "filters.learned", "maps.stem", "maps.stages.0", "maps.stages.1"):
        assert pieces[name].withheld, name
    assert values(pieces["filters"])["share of the start"] == pytest.approx(1)
    assert values(pieces["maps.stages.1"])["share of the start"] == pytest.approx(1)
    assert values(pieces["filters.learned"])["effect"] == pytest.approx(0, abs=1e-6)


def test_a_network_from_another_start_is_told_apart(fresh_case, arch) -> None:
    """Random weights that are not the start pass as 'moved', and are caught by their disorder."""
    pieces = seen(fresh_case(build(arch, seed=4)), seed=3)
    assert values(pieces["filters"])["share of the start"] < 0.5
    assert values(pieces["filters"])["chance of such order"] > 0.01
    assert pieces["filters"].withheld
    assert pieces["filters.learned"].withheld


def test_the_maps_are_the_networks_own(trained) -> None:
    pieces = seen(trained, seed=3, options=LookOptions(channels=5))
    piece = pieces["maps.stages.0"]
    index = piece.facts["index"]
    with torch.no_grad():
        inputs = trained.preprocessing(torch.as_tensor(trained.images.array[[index]]))
        expected = trained.module.stage_maps(inputs)["stages.0"][0].numpy()
    assert len(piece.facts["drawn"]) == 5
    np.testing.assert_array_equal(piece.arrays["maps"], expected[piece.facts["drawn"]])
    np.testing.assert_array_equal(piece.arrays["image"], trained.images.array[index])
    spread = expected.var(axis=(1, 2))
    assert set(piece.facts["drawn"]) == set(np.argsort(-spread)[:5].tolist())
    assert piece.facts["silent"] == (expected == 0).all(axis=(1, 2)).sum()


def test_the_image_is_the_typical_one(trained) -> None:
    facts = seen(trained, seed=3)["maps.stem"].facts
    evaluation = trained.evaluation
    sure = evaluation.probabilities.max(axis=1)
    right = evaluation.probabilities.argmax(axis=1) == evaluation.labels
    assert facts["predicted"] == facts["label"]
    below = (sure[right] < sure[facts["index"]]).sum()
    assert abs(below - right.sum() / 2) <= 1


def test_the_errors_are_the_most_confident_ones(trained) -> None:
    piece = seen(trained, seed=3, options=LookOptions(errors=4))["errors"]
    evaluation = trained.evaluation
    said = evaluation.probabilities.argmax(axis=1)
    wrong = [i for i in range(len(said)) if said[i] != evaluation.labels[i]]
    assert piece.facts["total"] == len(wrong) >= 4
    order = sorted(wrong, key=lambda i: -evaluation.probabilities[i].max())[:4]
    assert piece.arrays["indices"].tolist() == order
    assert piece.facts["paths"] == trained.images.paths(np.array(order))
    np.testing.assert_array_equal(piece.arrays["images"], trained.images.array[order])
    for k, i in enumerate(order):
        assert piece.arrays["truth"][k] == evaluation.probabilities[i, evaluation.labels[i]]


@pytest.mark.parametrize("fault", ["other verdicts", "deviation"])
def test_errors_that_cannot_be_recomputed_are_withheld(trained, fault: str) -> None:
    forged = trained.evaluation.probabilities.copy()
    wrong = int(np.flatnonzero(forged.argmax(axis=1) != trained.evaluation.labels)[0])
    if fault == "deviation":
        said = forged[wrong].argmax()
        forged[wrong] = 0
        forged[wrong, said] = 1
    else:
        right = int(np.flatnonzero(forged.argmax(axis=1) == trained.evaluation.labels)[0])
        forged[right] = np.roll(forged[right], 1)
    subject = _subject(trained, evaluation=replace(trained.evaluation, probabilities=forged))
    piece = errors(replace(subject, options=LookOptions(errors=10_000)))
    assert piece.withheld
    assert {check.name for check in piece.checks if not check.passed} >= {fault}


def test_no_mistakes_is_said(trained) -> None:
    labels = trained.evaluation.probabilities.argmax(axis=1)
    images = replace(trained.images, labels=labels)
    evaluation = replace(trained.evaluation, labels=labels)
    subject = _subject(replace(trained, images=images), evaluation=evaluation)
    assert errors(subject).inapplicable == (
        "There are none: all 200 test images are classified correctly."
    )


def test_it_leaves_no_trace(trained) -> None:
    module = trained.module
    module.train()
    module.stages[0].eval()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    modes = {name: part.training for name, part in module.named_modules()}
    seen(trained, seed=3)
    assert {name: part.training for name, part in module.named_modules()} == modes
    after = module.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert not _hooks(module)
    module.eval()


def test_hooks_and_modes_are_restored_after_an_error(trained) -> None:
    module = trained.module
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]

    def fail() -> torch.Tensor:
        module(torch.zeros(2, 1, 12, 12))
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        watch(module, ["stem"], fail)
    with pytest.raises(RuntimeError, match="stop"):
        replacing(module, "stem", torch.zeros(2, 12, 12, 12), fail)
    with pytest.raises(RuntimeError, match="stop"), estimated_norms(module):
        fail()
    assert not _hooks(module)
    assert all(norm.track_running_stats and not norm.training for norm in norms)


def test_estimated_norms_are_those_of_training(trained, arch) -> None:
    module = build(arch, seed=0).eval()
    inputs = trained.preprocessing(torch.as_tensor(trained.images.array[:32]))
    kept = module.state_dict()["stem.norm.running_mean"].clone()
    with torch.no_grad(), estimated_norms(module):
        found = module(inputs)
    assert torch.equal(module.state_dict()["stem.norm.running_mean"], kept)
    with torch.no_grad():
        module.train()
        module.head.eval()
        expected = module(inputs)
    torch.testing.assert_close(found, expected)


class Around(nn.Module):
    """Its middle part is passed by: what the head gets does not all come through ``middle``."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.middle = nn.Conv2d(8, 6, 3, stride=2, padding=1)
        self.last = nn.Linear(14, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.first(x))
        pooled = [self.act(self.middle(x)).mean(dim=(2, 3)), x.mean(dim=(2, 3))]
        return self.last(torch.cat(pooled, dim=1))


def test_maps_that_are_passed_by_are_withheld(fresh_case) -> None:
    torch.manual_seed(0)
    case = fresh_case(Around())
    torch.manual_seed(1)
    pieces = seen(case, start=Around)
    # ``act`` writes in place and is called twice, so the maps are those of the convolutions.
    assert set(pieces) >= {"maps.first", "maps.middle"}
    assert values(pieces["maps.first"])["lost on the way"] == 0.0
    assert values(pieces["maps.middle"])["lost on the way"] > 1e-2
    assert pieces["maps.middle"].withheld
    with torch.no_grad():
        index = pieces["maps.first"].facts["index"]
        inputs = case.preprocessing(torch.as_tensor(case.images.array[[index]]))
        expected = case.module.first(inputs)[0].numpy()
    drawn = pieces["maps.first"].facts["drawn"]
    np.testing.assert_array_equal(pieces["maps.first"].arrays["maps"], expected[drawn])


def test_networks_without_convolutions_say_so(fresh_case) -> None:
    mlp = adapt(zoo("mlp"), image=(1, 12, 12), classes=4)
    pieces = seen(fresh_case(build(mlp, seed=0)))
    assert list(pieces) == ["filters", "maps", "errors"]
    assert pieces["filters"].inapplicable == (
        "This network has no convolution, so there are no filters to show."
    )
    assert pieces["maps"].inapplicable == (
        "No part of this network hands on a map with rows and columns, so there are no feature "
        "maps to show."
    )


def test_a_1x1_convolution_has_no_picture(fresh_case) -> None:
    def make() -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    pieces = seen(fresh_case(make()), start=make)
    assert pieces["filters"].inapplicable == (
        "The first convolution (0) is 1×1: its filters have no picture."
    )


def test_wrong_input_is_one_line(trained) -> None:
    with pytest.raises(InputError) as caught:
        look(nn.Identity(), trained.images, trained.preprocessing, trained.evaluation)
    assert str(caught.value).startswith("Identity is not built from an Arch")
    assert "give start=" in str(caught.value)
    short = replace(trained.images, labels=trained.images.labels[:5])
    with pytest.raises(InputError) as caught:
        look(trained.module, short, trained.preprocessing, trained.evaluation)
    assert str(caught.value) == (
        "the evaluation is of 200 images and the test split has 5; "
        "give the split that was evaluated"
    )


def test_share_of_the_start_is_a_squared_cosine() -> None:
    rng = np.random.default_rng(0)
    start = rng.normal(size=(6, 2, 3, 3))
    assert share_of_start(-3 * start, start) == pytest.approx(1)
    angles = rng.uniform(0, np.pi, 6)
    aside = rng.normal(size=start.shape)
    aside = learned(aside, start)
    np.testing.assert_allclose((aside * start).sum(axis=(1, 2, 3)), 0, atol=1e-12)
    unit = [
        array / np.sqrt((array**2).sum(axis=(1, 2, 3), keepdims=True)) for array in (start, aside)
    ]
    mixed = (
        np.cos(angles)[:, None, None, None] * unit[0]
        + np.sin(angles)[:, None, None, None] * unit[1]
    )
    assert share_of_start(mixed, start) == pytest.approx((np.cos(angles) ** 2).mean())
    np.testing.assert_allclose(
        learned(mixed, start), np.sin(angles)[:, None, None, None] * unit[1], atol=1e-12
    )
    assert share_of_start(np.zeros_like(start), start) == 0
    assert share_of_start(np.zeros_like(start), np.zeros_like(start)) == 1


def test_order_is_told_from_noise() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(16, 3, 5, 5))
    ramps = np.arange(5) - 2 + 0.5 * rng.normal(size=(16, 3, 5, 5))
    chequered = (-1.0) ** np.add.outer(np.arange(5), np.arange(5)) + 0.3 * noise
    assert chance_of_order(noise) > 0.05
    assert chance_of_order(ramps) == 0.001
    assert chance_of_order(chequered) == 0.001
    assert chance_of_order(np.zeros((4, 1, 3, 3))) == 1.0


def test_the_chance_is_a_chance() -> None:
    """Of noise, about as many banks fall under a level as the level says."""
    rng = np.random.default_rng(1)
    found = [chance_of_order(rng.normal(size=(4, 1, 3, 3))) for _ in range(60)]
    assert 3 <= sum(chance <= 0.2 for chance in found) <= 23


def test_share_of_maps_is_numpys_correlation() -> None:
    rng = np.random.default_rng(0)
    a, b = (torch.as_tensor(rng.normal(size=(5, 3, 4, 4))) for _ in range(2))
    b = b + 0.7 * a
    expected = [
        np.corrcoef(a[:, c].ravel().numpy(), b[:, c].ravel().numpy())[0, 1] ** 2 for c in range(3)
    ]
    assert share_of_maps(a, b) == pytest.approx(np.mean(expected))
    assert share_of_maps(a, torch.zeros_like(a)) == 0


def _hooks(module: nn.Module) -> list[str]:
    return [name for name, part in module.named_modules() if part._forward_hooks]


def _subject(case, **changed) -> Subject:
    plain = Subject(
        module=case.module,
        start=case.module,
        images=case.images,
        preprocessing=case.preprocessing,
        evaluation=case.evaluation,
        setting="fp32",
        options=LookOptions(),
    )
    return replace(plain, **changed)

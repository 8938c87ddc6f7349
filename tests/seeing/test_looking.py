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
from striate.seeing.filters import along_start, chance_of_order, shares_of_start
from striate.seeing.maps import shares_of_start as shares_of_maps
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
        "filters", "maps.stem", "maps.stages.0", "maps.stages.1", "errors",
    ]  # fmt: skip
    assert not pieces["filters"].withheld, values(pieces["filters"])
    assert not pieces["maps.stages.1"].withheld, values(pieces["maps.stages.1"])
    assert not pieces["errors"].withheld, values(pieces["errors"])
    for name in ("maps.stem", "maps.stages.0", "maps.stages.1"):
        assert values(pieces[name])["lost on the way"] == 0.0
        assert values(pieces[name])["share of the start"] <= 0.5


def test_nothing_learned_nothing_shown(fresh_case, arch) -> None:
    pieces = seen(fresh_case(build(arch, seed=3)), seed=3)
    for name in ("filters", "maps.stem", "maps.stages.0", "maps.stages.1"):
        assert pieces[name].withheld, name
    assert values(pieces["filters"])["share of the start"] == pytest.approx(1)
    assert values(pieces["maps.stages.1"])["share of the start"] == pytest.approx(1)
    # With no filter left, nothing else was measured, and nothing else is claimed.
    assert list(values(pieces["filters"])) == ["share of the start"]
    assert pieces["filters"].facts["left_out"] == 12
    assert pieces["maps.stages.1"].facts["left_out"] == 16


def test_a_network_from_another_start_is_told_apart(fresh_case, arch) -> None:
    """Random weights that are not the start pass as 'moved', and are caught by their disorder."""
    pieces = seen(fresh_case(build(arch, seed=4)), seed=3)
    assert values(pieces["filters"])["share of the start"] < 0.5
    assert values(pieces["filters"])["chance of such order"] > 0.01
    assert pieces["filters"].withheld


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
    start, aside = rng.normal(size=(2, 6, 2, 3, 3))
    assert shares_of_start(-3 * start, start) == pytest.approx(1)
    aside -= along_start(aside, start)
    np.testing.assert_allclose((aside * start).sum(axis=(1, 2, 3)), 0, atol=1e-12)
    start, aside = (a / np.sqrt((a**2).sum(axis=(1, 2, 3), keepdims=True)) for a in (start, aside))
    angles = rng.uniform(0, np.pi, 6)[:, None, None, None]
    mixed = np.cos(angles) * start + np.sin(angles) * aside
    assert shares_of_start(mixed, start) == pytest.approx(np.cos(angles).ravel() ** 2)
    np.testing.assert_allclose(along_start(mixed, start), np.cos(angles) * start, atol=1e-12)
    zeros = np.zeros_like(start)
    assert (shares_of_start(zeros, start) == 0).all()
    assert (shares_of_start(zeros, zeros) == 1).all()


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
    assert shares_of_maps(a, b) == pytest.approx(expected)
    assert (shares_of_maps(a, torch.zeros_like(a)) == 0).all()
    assert (shares_of_maps(torch.ones_like(a), torch.zeros_like(a)) == 1).all()


def test_only_what_changed_is_drawn(trained, arch) -> None:
    """A start whose first five filters are the trained ones already: those are left out."""

    def start() -> nn.Module:
        network = build(arch, seed=3)
        with torch.no_grad():
            network.stem.conv.weight[:5] = trained.module.stem.conv.weight[:5]
        return network

    pieces = seen(trained, start=start)
    assert pieces["filters"].facts["drawn"] == list(range(5, 12))
    assert pieces["filters"].facts["left_out"] == 5
    weights = trained.module.stem.conv.weight.detach().numpy()
    np.testing.assert_array_equal(pieces["filters"].arrays["weights"], weights[5:])

    inputs = trained.preprocessing(torch.as_tensor(trained.images.array[:64]))
    rows = []
    for module in (trained.module, start()):
        with torch.no_grad(), estimated_norms(module.eval()):
            rows.append(module.stem(inputs).transpose(0, 1).flatten(1).numpy())
    kept = [c for c in range(12) if np.corrcoef(rows[0][c], rows[1][c])[0, 1] ** 2 <= 0.5]
    assert not set(kept) & set(range(5))
    assert pieces["maps.stem"].facts["drawn"] == kept
    assert pieces["maps.stem"].facts["left_out"] == 12 - len(kept)


def test_the_effect_is_what_the_logits_lose(trained, arch) -> None:
    piece = seen(trained, seed=3)["filters"]
    inputs = trained.preprocessing(torch.as_tensor(trained.images.array[:64]))
    other = build(arch, seed=3)
    start = other.stem.conv.weight.detach().clone()
    other.load_state_dict(trained.module.state_dict())
    with torch.no_grad():
        for index in piece.facts["drawn"]:
            now, then = other.stem.conv.weight[index], start[index]
            now.copy_((now * then).sum() / (then * then).sum() * then)
        plain, changed = trained.module.eval()(inputs), other.eval()(inputs)
    spread = (plain - plain.mean(dim=1, keepdim=True)).norm()
    assert values(piece)["effect"] == pytest.approx(
        ((changed - plain).norm() / spread).item(), 1e-4
    )


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
